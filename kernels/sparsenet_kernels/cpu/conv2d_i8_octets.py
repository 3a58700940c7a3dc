"""Convolution of bytes on AMX tiles where 16 outputs share a few of the channels.

Each set of eight channels that some block of outputs reads is first taken out of the image, position by position. The
taps of a filter's row are then neighbours in memory, and fill a row of a tile: with one set of 64 channels, a filter of
5 x 5 takes five products where the channels as they lie take 25. :func:`fits_octets` proves the sizes. Ask
:func:`sparsenet_kernels.simd.amx.amx_available` before the first call in a process.
"""

from sparsenet_kernels.cpu.conv2d_arguments import PLAIN, POOLED
from sparsenet_kernels.cpu.conv2d_tiles import convolve_plain, convolve_pooled, positions_together
from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.amx import FEATURES, tiles_configure, tiles_release
from sparsenet_kernels.simd.bytes import load_u8
from sparsenet_kernels.simd.octets import store_octets

Pair = tuple[int, int]

MOST_COLUMNS = 8
"""The largest width of a filter whose row of sets fits into a tile, 64 bytes."""


def fits_octets(kernel: Pair, image: Pair, out: Pair, channels: int, dilation: Pair = (1, 1)) -> bool:
    """Tell whether `conv2d_i8_octets_dense__amx` computes a convolution, pooled or not.

    Parameters
    ----------
    kernel : (int, int)
    image : (int, int)
        Height and width with the padding.
    out : (int, int)
        Height and width, after pooling where there is one.
    channels : int
        Channels of the image in memory.
    dilation : (int, int)

    Examples
    --------
    >>> fits_octets((5, 5), (14, 14), (5, 5), 64), fits_octets((5, 9), (14, 14), (5, 3), 64)
    (True, False)
    """
    large = image[0] * image[1] >= 8 and min(out) >= 1
    return large and channels > 0 and channels % 64 == 0 and kernel[1] <= MOST_COLUMNS and dilation[1] == 1


@helper
def take_octets(x, start, positions, channels, tables, chosen, sets):
    """Write all sets of one sample, eight of them at a time, or four where that many are enough.

    x       the sample's first byte is ``start``; it has ``positions`` positions, at least 8, of ``channels`` bytes
    tables  (T,)       i32  the first of the 64 channels that the sets 8 t to 8 t + 7 choose from
    chosen  (T, 64)    u8   which channels those sets take
    sets    (S, R, 8)  u8   overwritten; 8 T - 8 < S <= 8 T, S a multiple of 4, R = positions
    """
    apart = 8 * positions
    for t in range(tables.size):
        # the choice of eight sets stays in a register while all positions pass by
        indices = load_u8(chosen, 64 * t)
        corner = start + tables[index(t)]
        eight = sets.shape[0] >= 8 * t + 8
        for block in range(0, positions, 8):
            at = min(block, positions - 8)  # the last eight overlap their neighbours
            place = 8 * t * apart + 8 * at
            if eight:
                store_octets(8, sets, place, apart, x, corner + at * channels, channels, indices)
            else:
                store_octets(4, sets, place, apart, x, corner + at * channels, channels, indices)


def _register(fused, size, convolve):
    @kernel(
        "conv2d",
        fused=fused,
        dtype="i8",
        weights="octets",
        inputs="dense",
        variant="amx",
        features=FEATURES,
        arguments="""
            in x u8[B, H, W, C]; index tables i32[T]; index chosen u8[T, 64]; index indptr i32[P1];
            index offsets i32[Z]; weight weights i8[Z, D4, L, F]; constant bias i32[N]; constant shift int;
            constant stride_y int; constant stride_x int; scratch sets u8[S, R, E]; scratch sums i32[S1];
            out out u8[B, OH, OW, N]
        """,
    )
    def conv2d_i8_octets_dense(
        x, tables, chosen, indptr, offsets, weights, bias, shift, stride_y, stride_x, sets, sums, out
    ):
        """Multiply the kept rows of filters on sets of eight channels.

        x        (B, H, W, C)        u8   padded, C a multiple of 64, H * W at least 8
        tables   (T,)                i32  the first of the 64 channels that each eight sets choose from
        chosen   (T, 64)             u8   which channels those sets take, eight each
        indptr   (P1,)               i32  P1 = N / 16 + 1; the tiles of block p are indptr[p]:indptr[p + 1]
        offsets  (Z,)                i32  where in `sets` a window of the first output finds a tile's row of a filter
        weights  (Z, 2 KW, 16, 4)    i8   as `pack_octets` lays them out
        bias     (N,)                i32  N is a multiple of 64
        shift                             places by which sums are shifted
        sets     (S, R, 8)           u8   scratch; S is `Octets.set_count`, R = H * W
        sums     (S1,)               i32  scratch; S1 is `TILE_SUMS`
        out      (B, OH, OW, N)      u8   overwritten; for conv2d_pool2 half the convolution's size, rounded down

        Work    2 * OH * OW * Z * 128 * KW operations per sample, four times that before pooling; and 24 exchanges of
                half registers for eight positions of eight sets.
        """
        samples, height, width, channels = x.shape
        fours = weights.shape[1]
        positions = positions_together(out.shape[2], size)
        down, right = stride_y * width * 8, stride_x * 8
        # as for whole tiles, but a row of tile 6 is one set at KW neighbouring positions, 8 * KW bytes
        tiles_configure(6, 1, positions, 4 * fours)
        for b in range(samples):
            # all sets before any product: each is read again for every block of outputs that shares it
            take_octets(x, b * height * width * channels, height * width, channels, tables, chosen, sets)
            convolve(sets, 0, down, right, indptr, offsets, weights, 64 * fours, bias, shift, sums, out, b, positions)
        tiles_release()


_register(PLAIN, 1, convolve_plain)
_register(POOLED, 2, convolve_pooled)
