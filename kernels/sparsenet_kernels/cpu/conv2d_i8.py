"""Convolution of bytes on vector registers, for every processor, with or without the largest of each 2 x 2 outputs.

An image lies channels last with its padding: (B, H, W, C). For each block of 16 outputs a list says which weights there
are: where in a window their inputs lie, in fours that all outputs share (tiles) or in tables of 64 out of which each
output chooses four (lookup). A dense layer lists everything. An image of one channel is first spread to slots of eight
pixels, so that its taps come in fours too.

The sums of 16 outputs at many neighbouring positions stay in registers, so a load of weights serves them all. How many
fit depends on the processor; the variants differ in nothing else.
"""

from sparsenet_kernels.cpu.conv2d_arguments import PLAIN, POOLED
from sparsenet_kernels.cpu.pixels_i8 import spread_pixels
from sparsenet_kernels.formats.tiles import VECTOR_DEPTH
from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.sums import (
    sums_add_fours,
    sums_add_lookups,
    sums_from,
    sums_store,
    sums_store_pooled,
)

POSITIONS = {
    (PLAIN, "dense"): {"wide": 10, "narrow": 4},
    (PLAIN, "pixels"): {"wide": 14, "narrow": 4},
    (POOLED, "dense"): {"wide": 5, "narrow": 1},
    (POOLED, "pixels"): {"wide": 7, "narrow": 1},
}
"""Outputs in a row whose sums are computed together, by what is fused, inputs and variant.

A pooled output takes four sums. A row of fewer outputs is computed one output at a time; the last block of a longer
row overlaps its neighbour.
"""

USUAL_STEP = {"dense": 64, "pixels": 8}
"""Bytes from one position to the next that code is specialised for: with a step that is not a constant, addresses take
as many instructions as products do."""

LIST = "constant bias i32[N]; constant shift int; constant stride_y int; constant stride_x int; "
TILES = "index indptr i32[P1]; index offsets i32[Z]; weight weights i8[Z, 1, 16, 4]; " + LIST
LOOKUP = "index indptr i32[P1]; index offsets i32[Z]; index indices u8[Z, 64]; weight weights i8[Z, 64]; " + LIST
OUT = "out out u8[B, OH, OW, N]"


def _tiles_sum(rows, columns):
    """Make the function that sums a block of ``rows`` by ``columns`` positions over a list of tiles."""

    @helper
    def tiles_sum(x, corner, row_step, column_step, first, last, offsets, indices, weights, bias, n):
        # an accumulator for each position, begun with the bias of 16 outputs
        sums = sums_from(rows, columns, bias, n)
        for z in range(first, last):
            # one load of weights, then for each position four bytes, spread to 16 outputs, and a product
            at = corner + offsets[index(z)]
            sums = sums_add_fours(sums, x, at, row_step, column_step, weights, z * 64)
        return sums

    return tiles_sum


def _lookup_sum(rows, columns):
    """Make the function that sums a block of ``rows`` by ``columns`` positions over a list of lookups."""

    @helper
    def lookup_sum(x, corner, row_step, column_step, first, last, offsets, indices, weights, bias, n):
        # an accumulator for each position, begun with the bias of 16 outputs
        sums = sums_from(rows, columns, bias, n)
        for z in range(first, last):
            # one load of weights and of choices, then for each position 64 bytes, permuted, and a product
            at = corner + offsets[index(z)]
            sums = sums_add_lookups(sums, x, at, row_step, column_step, indices, weights, z * 64)
        return sums

    return lookup_sum


def _convolution(fused, inputs, variant, summer):
    """Make the function that convolves one sample.

    The sample begins at byte ``start`` of ``x``; its rows lie ``pitch`` bytes apart, its positions ``channels``.
    """
    size = 2 if fused == POOLED else 1  # of a window of sums
    store = sums_store_pooled if fused == POOLED else sums_store
    together, usual_step = POSITIONS[fused, inputs][variant], USUAL_STEP[inputs]
    sum_many, sum_one = summer(size, size * together), summer(size, size)

    @helper
    def convolve(x, start, pitch, channels, indptr, offsets, indices, weights, bias, shift, stride_y, stride_x, out, b):
        _, out_height, out_width, outputs = out.shape
        down, right = stride_y * pitch, stride_x * channels
        many = out_width >= together and right == usual_step
        # blocks as long as registers last; a row that is too short, or an unusual step, goes one by one
        step = together if many else 1
        for n in range(0, outputs, 16):
            first, last = indptr[index(n // 16)], indptr[index(n // 16 + 1)]
            for oy in range(out_height):
                for block in range(0, out_width, step):
                    ox = min(block, out_width - step)
                    corner = start + size * (oy * down + ox * right)
                    place = ((b * out_height + oy) * out_width + ox) * outputs + n
                    if many:
                        # the step is a constant here, so that addresses cost nothing
                        sums = sum_many(x, corner, down, usual_step, first, last, offsets, indices, weights, bias, n)
                        store(sums, out, place, outputs, shift)
                    else:
                        one = sum_one(x, corner, down, right, first, last, offsets, indices, weights, bias, n)
                        store(one, out, place, outputs, shift)

    return convolve


def _register_tiles(fused, variant):
    convolve = _convolution(fused, "dense", variant, _tiles_sum)

    @kernel(
        "conv2d",
        fused=fused,
        dtype="i8",
        weights="tiles",
        packing={"depth": VECTOR_DEPTH},
        inputs="dense",
        variant=variant,
        arguments="in x u8[B, H, W, C]; " + TILES + OUT,
    )
    def conv2d_i8_tiles_dense(x, indptr, offsets, weights, bias, shift, stride_y, stride_x, out):
        """Multiply the kept tiles of 4 inputs by 16 outputs.

        x        (B, H, W, C)   u8   padded, C a multiple of 4
        indptr   (P1,)          i32  P1 = N / 16 + 1; the tiles of block p are indptr[p]:indptr[p + 1]
        offsets  (Z,)           i32  where in a window a tile's four inputs begin; see `tap_offsets`
        weights  (Z, 1, 16, 4)  i8   as `pack_tiles_conv2d` lays them out
        bias     (N,)           i32  N is a multiple of 64
        shift                        places by which sums are shifted
        out      (B, OH, OW, N) u8   overwritten; for conv2d_pool2 half the convolution's size, rounded down

        Work    2 * OH * OW * Z * 64 operations per sample, four times that before pooling.
        """
        samples, height, width, channels = x.shape
        pitch = width * channels
        for b in range(samples):
            start = b * height * pitch
            convolve(
                x, start, pitch, channels, indptr, offsets, offsets, weights, bias, shift, stride_y, stride_x, out, b
            )


def _register_lookup(fused, variant):
    convolve = _convolution(fused, "dense", variant, _lookup_sum)

    @kernel(
        "conv2d",
        fused=fused,
        dtype="i8",
        weights="lookup",
        inputs="dense",
        variant=variant,
        arguments="in x u8[B, H, W, C]; " + LOOKUP + OUT,
    )
    def conv2d_i8_lookup_dense(x, indptr, offsets, indices, weights, bias, shift, stride_y, stride_x, out):
        """Let each output choose four of 64 inputs at a time, and multiply.

        x        (B, H, W, C)    u8   padded, C a multiple of 64
        indptr   (P1,)           i32  P1 = N / 16 + 1; the groups of block p are indptr[p]:indptr[p + 1]
        offsets  (Z,)            i32  where in a window a group's table of 64 inputs begins; see `tap_offsets`
        indices  (Z, 64)         u8   positions in the table, four for each output
        weights  (Z, 64)         i8   as `pack_lookup` lays them out
        bias     (N,)            i32  N is a multiple of 64
        shift                         places by which sums are shifted
        out      (B, OH, OW, N)  u8   overwritten; for conv2d_pool2 half the convolution's size, rounded down

        Work    2 * OH * OW * Z * 64 operations per sample, four times that before pooling.
        """
        samples, height, width, channels = x.shape
        pitch = width * channels
        for b in range(samples):
            start = b * height * pitch
            convolve(
                x, start, pitch, channels, indptr, offsets, indices, weights, bias, shift, stride_y, stride_x, out, b
            )


def _register_pixels(fused, variant):
    convolve = _convolution(fused, "pixels", variant, _tiles_sum)

    @kernel(
        "conv2d",
        fused=fused,
        dtype="i8",
        weights="tiles",
        packing={"depth": VECTOR_DEPTH},
        inputs="pixels",
        variant=variant,
        arguments="in x u8[B, H, W]; " + TILES + "constant kernel_height int; scratch slots u8[SH, W, 8]; " + OUT,
    )
    def conv2d_i8_tiles_pixels(x, indptr, offsets, weights, bias, shift, stride_y, stride_x, kernel_height, slots, out):
        """Multiply an image of one channel by the kept tiles of 4 pixels by 16 outputs.

        x              (B, H, W)       u8   padded
        indptr         (P1,)           i32  P1 = N / 16 + 1; the tiles of block p are indptr[p]:indptr[p + 1]
        offsets        (Z,)            i32  where in a window a tile's four bytes begin: `tap_offsets` for 8 channels
        weights        (Z, 1, 16, 4)   i8   `pack_tiles_conv2d` of what `spread_pixels_weight` returns
        bias           (N,)            i32  N is a multiple of 64
        shift                               places by which sums are shifted
        kernel_height                       KH, at most 8
        slots          (SH, W, 8)      u8   scratch; SH is `slot_rows(H, KH)`
        out            (B, OH, OW, N)  u8   overwritten; for conv2d_pool2 half the convolution's size, rounded down

        Work    2 * OH * OW * Z * 64 operations per sample, four times that before pooling.
        """
        pitch = x.shape[2] * 8
        for b in range(x.shape[0]):
            spread_pixels(x, b, kernel_height, slots)
            convolve(slots, 0, pitch, 8, indptr, offsets, offsets, weights, bias, shift, stride_y, stride_x, out, b)


for _fused in (PLAIN, POOLED):
    for _variant in ("wide", "narrow"):
        _register_tiles(_fused, _variant)
        _register_lookup(_fused, _variant)
        _register_pixels(_fused, _variant)
