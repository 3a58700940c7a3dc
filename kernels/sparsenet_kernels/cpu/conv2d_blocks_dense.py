"""Convolution with blocks of one tap by 16 outputs, for inputs that need not have zeros."""

from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.tile import tile_add_outer, tile_from_row, tile_store

STRIPS = {"wide": (14, 10, 7, 4, 1), "narrow": (7, 4, 1)}
"""Neighbouring positions whose sums are in registers together; narrow for 16 registers of 256 bits."""


def _strip(positions):
    """Make the function that computes 16 outputs at so many neighbouring positions."""

    @helper
    def write_strip(planes, start, offsets, weights, first, end, bias, n, out, place):
        outputs = out.shape[3]
        # an accumulator for each position of the strip; a block is loaded once for all of them
        tile = tile_from_row(positions, 1, bias, n)
        for z in range(index(first), index(end)):
            tile = tile_add_outer(tile, planes, start + offsets[z], 1, weights, z * index(16))
        tile_store(tile, out, place, outputs, outputs - n)

    return write_strip


_strip_14, _strip_10, _strip_7, _strip_4, _strip_1 = (_strip(positions) for positions in STRIPS["wide"])


@helper
def write_wide(positions, planes, start, offsets, weights, first, end, bias, n, out, place):
    """Choose among the strips of wide registers."""
    if positions == 14:
        _strip_14(planes, start, offsets, weights, first, end, bias, n, out, place)
    elif positions == 10:
        _strip_10(planes, start, offsets, weights, first, end, bias, n, out, place)
    else:
        write_narrow(positions, planes, start, offsets, weights, first, end, bias, n, out, place)


@helper
def write_narrow(positions, planes, start, offsets, weights, first, end, bias, n, out, place):
    """Choose among the strips of narrow registers."""
    if positions == 7:
        _strip_7(planes, start, offsets, weights, first, end, bias, n, out, place)
    elif positions == 4:
        _strip_4(planes, start, offsets, weights, first, end, bias, n, out, place)
    else:
        _strip_1(planes, start, offsets, weights, first, end, bias, n, out, place)


WRITE = {"wide": write_wide, "narrow": write_narrow}


@helper
def fitting_strip(width, strips):
    """Return the strip that covers a row in least time: a block takes two positions a cycle, and four cycles at least.

    Strips of 14 cover rows of 14 and 28, two strips of 7 rows of 12; the last strip of a row overlaps its neighbour.
    """
    best, least = 1, 8 * width
    for positions in strips:
        half_cycles = (width + positions - 1) // positions * max(positions + 1, 8)
        if positions <= width and half_cycles < least:
            best, least = positions, half_cycles
    return best


def _blocks_dense(variant):
    strips, write = STRIPS[variant], WRITE[variant]

    @kernel(
        "conv2d",
        weights="blocks",
        inputs="dense",
        variant=variant,
        arguments="""
            in planes f32[B, Q]; index indptr i32[P1]; index offsets i32[Z]; weight weights f32[Z, 16];
            constant bias f32[N16]; constant row int; out out f32[B, OH, OW, N]
        """,
    )
    def blocks_dense(planes, indptr, offsets, weights, bias, row, out):
        """Finish 16 outputs after the other: at a strip of positions, the sum of their blocks times shifted planes.

            out[b, oy, ox, 16 * p + i] = bias + sum over z in indptr[p]:indptr[p + 1] of
                                         weights[z, i] * planes[b, offsets[z] + oy * row + ox]

        planes   (B, Q)          f32  the padded input as planes of channels and of stride phases (see split_phases)
        indptr   (P1,)           i32  P1 = ceil(N / 16) + 1; blocks of outputs 16 * p to 16 * p + 15
        offsets  (Z,)            i32  where the plane of a block's tap begins
        weights  (Z, 16)         f32  zeros behind the last output
        bias     (N16,)          f32  zeros behind the N-th
        row                           numbers in a row of a plane
        out      (B, OH, OW, N)  f32  overwritten

        The inputs of a strip are neighbours in a plane: one or two cache lines a block, where an image that lies
        channels last would take one for each position.

        Work    2 * OH * OW * 16 * Z flop per sample: skips zero weights in whole blocks.
        """
        samples, plane_size = planes.shape
        _, out_height, out_width, outputs = out.shape
        positions = fitting_strip(out_width, strips)
        for b in range(samples):
            for n in range(0, outputs, 16):
                first, end = indptr[n // 16], indptr[n // 16 + 1]
                for oy in range(out_height):
                    for strip in range(0, out_width, positions):
                        ox = min(strip, out_width - positions)
                        # positions are neighbours in a plane, so their numbers come from one or two cache lines
                        start = b * plane_size + oy * row + ox
                        place = ((b * out_height + oy) * out_width + ox) * outputs + n
                        write(positions, planes, start, offsets, weights, first, end, bias, n, out, place)


for _variant in STRIPS:
    _blocks_dense(_variant)
