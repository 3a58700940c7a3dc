"""Convolution of bytes on AMX tiles, with or without the largest of each 2 x 2 outputs.

The sums go tile by tile into a small scratch array and leave it as bytes. :func:`fits_tiles` proves the sizes; other
convolutions are left to :mod:`sparsenet_kernels.cpu.conv2d_i8`. Ask
:func:`sparsenet_kernels.simd.amx.amx_available` before the first call in a process.
"""

from sparsenet_kernels.cpu.conv2d_arguments import PLAIN, POOLED
from sparsenet_kernels.cpu.conv2d_tiles import convolve_plain, convolve_pooled, positions_together
from sparsenet_kernels.formats.tiles import AMX_DEPTH
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.amx import FEATURES, tiles_configure, tiles_release

Pair = tuple[int, int]


def fits_tiles(out: Pair, channels: int) -> bool:
    """Tell whether `conv2d_i8_tiles_dense__amx` computes a convolution, pooled or not.

    Parameters
    ----------
    out : (int, int)
        Height and width, after pooling where there is one.
    channels : int
        Channels of the image in memory.

    Examples
    --------
    >>> fits_tiles((5, 5), 64), fits_tiles((5, 5), 4)
    (True, False)
    """
    return channels > 0 and channels % 64 == 0 and min(out) >= 1


def _register(fused, size, convolve):
    @kernel(
        "conv2d",
        fused=fused,
        dtype="i8",
        weights="tiles",
        packing={"depth": AMX_DEPTH},
        inputs="dense",
        variant="amx",
        features=FEATURES,
        arguments="""
            in x u8[B, H, W, C]; index indptr i32[P1]; index offsets i32[Z]; weight weights i8[Z, D4, L, F];
            constant bias i32[N]; constant shift int; constant stride_y int; constant stride_x int;
            scratch sums i32[S]; out out u8[B, OH, OW, N]
        """,
    )
    def conv2d_i8_tiles_dense(x, indptr, offsets, weights, bias, shift, stride_y, stride_x, sums, out):
        """Multiply the kept tiles of 64 inputs by 16 outputs.

        x        (B, H, W, C)    u8   padded, C a multiple of 64
        indptr   (P1,)           i32  P1 = N / 16 + 1; the tiles of block p are indptr[p]:indptr[p + 1]
        offsets  (Z,)            i32  where in a window a tile's 64 inputs begin; see `tap_offsets`
        weights  (Z, 16, 16, 4)  i8   as `pack_tiles_conv2d` lays them out
        bias     (N,)            i32  N is a multiple of 64
        shift                         places by which sums are shifted
        sums     (S,)            i32  scratch; S is `TILE_SUMS`
        out      (B, OH, OW, N)  u8   overwritten; for conv2d_pool2 half the convolution's size, rounded down

        Left-hand tiles come straight from the image.

        Work    2 * OH * OW * Z * 1024 operations per sample, four times that before pooling.
        """
        samples, height, width, channels = x.shape
        positions = positions_together(out.shape[2], size)
        down, right = stride_y * width * channels, stride_x * channels
        # tiles 0 to 5 hold sums of 16 outputs at up to 16 positions, 6 takes inputs and 7 weights
        tiles_configure(6, 1, positions, 64)
        for b in range(samples):
            start = b * height * width * channels
            # the image is read where it lies: 64 channels of a position are a row of tile 6
            convolve(x, start, down, right, indptr, offsets, weights, 1024, bias, shift, sums, out, b, positions)
        tiles_release()


_register(PLAIN, 1, convolve_plain)
_register(POOLED, 2, convolve_pooled)
