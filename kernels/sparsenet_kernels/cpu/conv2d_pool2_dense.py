"""Convolution with dense weights and the largest of each 2 x 2 outputs, in one go.

The sums of the four positions of a window stay in registers until the largest is taken, so the convolution's own output
is never written. Each load of weights serves all four:

                    outputs 0-15  16-31  32-47  48-63
    above, left          .          .      .      .
    above, right         .          .      .      .        a tap: one load for each column of the tile,
    below, left          .          .      .      .               one broadcast for each of its rows
    below, right         .          .      .      .

For 28 x 28 outputs of 64 channels, 5 x 5 taps of one channel, that took 14.4 µs; writing them 16.4 and pooling them
another 3.9. The multiplications alone take 13.1 on that core.
"""

from sparsenet_kernels.cpu.conv2d_arguments import GEOMETRY, IMAGE, POOLED
from sparsenet_kernels.jit import helper
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.tile import tile_add_square, tile_from_row, tile_pooled, tile_store

TILES = {"wide": (1, 4), "narrow": (1, 1), "single": (2, 1)}
"""Windows in a row, of four positions each, and vectors of outputs in the accumulator tile."""


def _sum_windows(windows, vectors):
    """Make the function that sums neighbouring windows, run of taps by run, and takes the largest of each."""
    rows = 4 * windows

    @helper
    def sum_windows(
        x, corner, step, below, weights, tap, lanes, bias, start, filter_rows, runs, run, row_stride, column_stride
    ):
        tile = tile_from_row(rows, vectors, bias, start)
        for ky in range(filter_rows):
            for r in range(runs):
                first = corner + ky * row_stride + r * column_stride
                for t in range(run):
                    tile = tile_add_square(tile, x, first + t, step, below, weights, tap + t * lanes)
                tap += run * lanes
        return tile_pooled(tile)

    return sum_windows


def _dense(variant):
    windows, vectors = TILES[variant]
    sum_many, sum_one = _sum_windows(windows, vectors), _sum_windows(1, vectors)

    @kernel(
        "conv2d",
        fused=POOLED,
        weights="dense",
        inputs="dense",
        variant=variant,
        packing={"vectors": vectors},
        arguments=IMAGE
        + "weight weights f32[G, P, T, L]; constant bias f32[G, PL]; "
        + GEOMETRY
        + "; out out f32[B, OH, OW, N]",
    )
    def conv2d_pool2_f32_dense_dense(
        x, weights, bias, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x, out
    ):
        """Slide dense filters over a dense image that holds its padding; keep the largest of each 2 x 2 positions.

        x        (B, H, W, C)    f32  padded; pad_y and pad_x are 0
        weights  (G, P, T, L)    f32  W[g * N / G + p * L + l, tap] = weights[g, p, tap, l], taps of one group
        bias     (G, PL)         f32  zeros behind the last output of a group
        out      (B, OH, OW, N)  f32  overwritten; half the convolution's size, rounded down

        Work    8 * OH * OW * N * C / G * KH * KW flop per sample.
        """
        samples, height, width, channels = x.shape
        _, out_height, out_width, outputs = out.shape
        groups, panels, taps, lanes = weights.shape
        group_outputs = outputs // groups
        # a row of the filter is contiguous in x unless it is dilated or only some of the channels count
        runs = 1 if dilation_x == 1 and groups == 1 else kernel_width
        run = taps // (kernel_height * runs)
        pitch = width * channels
        step, below = stride_x * channels, stride_y * pitch
        together = windows if out_width >= windows else 1
        for b in range(samples):
            for g in range(groups):
                for p in range(panels):
                    panel, start = (g * panels + p) * taps * lanes, (g * panels + p) * lanes
                    count = group_outputs - p * lanes
                    for oy in range(out_height):
                        for block in range(0, out_width, together):
                            ox = min(block, out_width - together)  # the last block overlaps its neighbour
                            corner = b * height * pitch + 2 * (oy * below + ox * step) + g * (channels // groups)
                            place = ((b * out_height + oy) * out_width + ox) * outputs + g * group_outputs + p * lanes
                            geometry = kernel_height, runs, run, dilation_y * pitch, dilation_x * channels
                            window = x, corner, step, below, weights, panel, lanes, bias, start
                            if together == windows:
                                tile_store(sum_many(*window, *geometry), out, place, outputs, count)
                            else:
                                tile_store(sum_one(*window, *geometry), out, place, outputs, count)

    return conv2d_pool2_f32_dense_dense


for _variant in TILES:
    _dense(_variant)
