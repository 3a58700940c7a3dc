"""Convolution with dense weights, of dense images or of images whose active channels are listed."""

from sparsenet_kernels.cpu.conv2d_arguments import GEOMETRY, IMAGE, LISTS, PLAIN, POOLED
from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import load, maximum, store_first
from sparsenet_kernels.simd.tile import tile_add_outer, tile_add_scaled, tile_from_row, tile_store, tile_store_all

DENSE_ACTIVE = (
    "weight weights f32[G, P, T, L]; constant bias f32[G, PL]; "
    + GEOMETRY
    + "; scratch sums f32[S]; out out f32[B, OH, OW, N]"
)
DENSE = "weight weights f32[G, P, T, L]; constant bias f32[G, PL]; " + GEOMETRY + "; out out f32[B, OH, OW, N]"

TILES = {"wide": (5, 4), "narrow": (3, 2), "single": (8, 1)}
"""Rows (positions) and vectors (outputs) of the accumulator tile; see the tiles of the linear kernels."""


@helper
def add_window(tile, x, corner, step, weights, panel, lanes, runs, run, runs_per_row, row_stride, column_stride):
    """Add one window's taps, run by run, for as many neighbouring positions as the tile has rows."""
    for r in range(runs):
        # a run is contiguous in the image: one address for each row of the filter
        start = corner + (r // runs_per_row) * row_stride + (r % runs_per_row) * column_stride
        tap = panel + r * run * lanes
        for t in range(run):
            # a row of weights is loaded once; a number of each position is spread and multiplied with it
            tile = tile_add_outer(tile, x, start + t, step, weights, tap + t * lanes)
    return tile


def _dense(variant):
    rows, vectors = TILES[variant]

    @kernel(
        "conv2d",
        weights="dense",
        inputs="dense",
        variant=variant,
        packing={"vectors": vectors},
        arguments=IMAGE + DENSE,
    )
    def conv2d_f32_dense_dense(
        x, weights, bias, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x, out
    ):
        """Slide dense filters over a dense image that holds its padding; several neighbouring positions at a time.

        x        (B, H, W, C)    f32  padded; pad_y and pad_x are 0
        weights  (G, P, T, L)    f32  W[g * N / G + p * L + l, tap] = weights[g, p, tap, l], taps of one group
        bias     (G, PL)         f32  zeros behind the last output of a group
        out      (B, OH, OW, N)  f32  overwritten

        Work    2 * OH * OW * N * C / G * KH * KW flop per sample.
        """
        samples, height, width, channels = x.shape
        _, out_height, out_width, outputs = out.shape
        groups, panels, taps, lanes = weights.shape
        group_outputs = outputs // groups
        # a row of the filter is contiguous in x unless it is dilated or only some of the channels count
        runs_per_row = 1 if dilation_x == 1 and groups == 1 else kernel_width
        runs = kernel_height * runs_per_row
        step = rows if out_width >= rows else 1
        for b in range(samples):
            for g in range(groups):
                for p in range(panels):
                    first = p * lanes
                    panel = (g * panels + p) * taps * lanes
                    start = (g * panels + p) * lanes
                    for oy in range(out_height):
                        for block in range(0, out_width, step):
                            ox = min(block, out_width - step)  # the last block overlaps its neighbour
                            corner = ((b * height + oy * stride_y) * width + ox * stride_x) * channels
                            corner += g * (channels // groups)
                            place = ((b * out_height + oy) * out_width + ox) * outputs + g * group_outputs + first
                            # the whole tile of positions by outputs, or one position where a row is short
                            if step == rows:
                                tile = add_window(
                                    tile_from_row(rows, vectors, bias, start),
                                    x,
                                    corner,
                                    stride_x * channels,
                                    weights,
                                    panel,
                                    lanes,
                                    runs,
                                    taps // runs,
                                    runs_per_row,
                                    dilation_y * width * channels,
                                    dilation_x * channels,
                                )
                                tile_store(tile, out, place, outputs, group_outputs - first)
                            else:
                                single = add_window(
                                    tile_from_row(1, vectors, bias, start),
                                    x,
                                    corner,
                                    0,
                                    weights,
                                    panel,
                                    lanes,
                                    runs,
                                    taps // runs,
                                    runs_per_row,
                                    dilation_y * width * channels,
                                    dilation_x * channels,
                                )
                                tile_store(single, out, place, outputs, group_outputs - first)

    return conv2d_f32_dense_dense


@helper
def add_listed(tile, columns, values, b, position, weights, tap, lanes):
    """Add, for each active input at a position, its row of the panel whose tap begins at row ``tap``."""
    for j in range(columns.shape[2]):
        c = columns[b, position, j]
        if c < 0:
            break
        tile = tile_add_scaled(tile, values[b, position, j], weights, (tap + c) * lanes)
    return tile


@helper
def write_outputs(sums, lanes, b, first, out):
    """Copy one panel's sums to the outputs from ``first`` on."""
    _, out_height, out_width, outputs = out.shape
    for place in range(out_height * out_width):
        target = (b * out_height * out_width + place) * outputs + first
        for lane in range(0, min(lanes, outputs - first), 16):
            store_first(out, target + lane, load(sums, place * lanes + lane), outputs - first - lane)


@helper
def write_pooled(sums, lanes, b, first, out):
    """Write the largest of each 2 x 2 sums of a panel to the outputs from ``first`` on."""
    _, out_height, out_width, outputs = out.shape
    for place in range(out_height * out_width):
        target = (b * out_height * out_width + place) * outputs + first
        above = (4 * (place // out_width) * out_width + 2 * (place % out_width)) * lanes
        below = above + 2 * out_width * lanes
        for lane in range(0, min(lanes, outputs - first), 16):
            best = maximum(load(sums, above + lane), load(sums, above + lanes + lane))
            best = maximum(maximum(load(sums, below + lane), load(sums, below + lanes + lane)), best)
            store_first(out, target + lane, best, outputs - first - lane)


def _dense_active(fused, variant):
    vectors, size = TILES[variant][1], 2 if fused == POOLED else 1
    write = write_pooled if fused == POOLED else write_outputs

    @kernel(
        "conv2d",
        fused=fused,
        weights="dense",
        inputs="active",
        variant=variant,
        packing={"vectors": vectors},
        arguments=LISTS + "constant height int; " + DENSE_ACTIVE,
    )
    def conv2d_f32_dense_active(
        columns,
        values,
        width,
        channels,
        height,
        weights,
        bias,
        kernel_height,
        kernel_width,
        stride_y,
        stride_x,
        pad_y,
        pad_x,
        dilation_y,
        dilation_x,
        sums,
        out,
    ):
        """Add, tap by tap, each active input's row of a panel to the outputs that the tap leads to.

        columns  (B, R, K)       i32  R = height * width; 0 <= columns < channels; -1 ends a short row
        values   (B, R, K)       f32
        weights  (1, P, T, L)    f32  W[p * L + l, tap] = weights[0, p, tap, l]; one group only
        bias     (1, PL)         f32  zeros behind the N-th
        sums     (S,)            f32  scratch for all positions of one panel
        out      (B, OH, OW, N)  f32  overwritten; for conv2d_pool2 half the convolution's size, rounded down

        Tap by tap, because the weights of one tap and one panel stay in the first-level cache: position by position,
        with the sums in registers, took 68 against 27 µs for 64 channels, 14 x 14, 5 x 5, 6 active.

        Work    2 * OH * OW * KH * KW * K * N flop per sample, four times that before pooling.
        """
        samples = columns.shape[0]
        out_height, out_width = size * out.shape[1], size * out.shape[2]
        _, panels, taps, lanes = weights.shape
        for b in range(samples):
            for p in range(panels):
                for place in range(out_height * out_width):
                    # every position begins with the bias; the sums of one panel lie in scratch
                    tile_store_all(tile_from_row(1, vectors, bias, p * lanes), sums, place * lanes)
                for ky in range(kernel_height):
                    for kx in range(kernel_width):
                        # the weights of this tap stay in the first-level cache while all positions pass by
                        tap = p * taps + (ky * kernel_width + kx) * channels
                        for oy in range(out_height):
                            y = oy * stride_y + ky * dilation_y - pad_y
                            if y < 0 or y >= height:
                                continue
                            for ox in range(out_width):
                                column = ox * stride_x + kx * dilation_x - pad_x
                                if column < 0 or column >= width:
                                    continue
                                place = (oy * out_width + ox) * lanes
                                # one position's sums, in registers for all of its active inputs
                                tile = tile_from_row(1, vectors, sums, place)
                                tile = add_listed(tile, columns, values, b, y * width + column, weights, tap, lanes)
                                tile_store_all(tile, sums, place)
                write(sums, lanes, b, p * lanes, out)

    return conv2d_f32_dense_active


for _variant in TILES:
    _dense(_variant)
    for _fused in (PLAIN, POOLED):
        _dense_active(_fused, _variant)
