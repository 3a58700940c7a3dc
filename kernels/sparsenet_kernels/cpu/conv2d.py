"""Convolution of images that lie channels last, in the forms that use no zeros, the weights', the inputs', or both.

A *tap* is a place (ky, kx) of the filter with an input channel c; taps are numbered (ky * KW + kx) * C + c. Weights
are a matrix of outputs by taps, packed as for :mod:`sparsenet_kernels.cpu.linear`. Padding is never stored for forms
that read active lists: they leave out what falls outside.
"""

from sparsenet_kernels.jit import compiled, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.tile import tile_add_outer, tile_add_scaled, tile_from_row, tile_store, tile_store_all

GEOMETRY = """
    kernel_height int; kernel_width int; stride_y int; stride_x int; pad_y int; pad_x int; dilation_y int;
    dilation_x int
"""
IMAGE = "x f32[B, H, W, C]; "
LISTS = "columns i32[B, R, K]; values f32[B, R, K]; width int; channels int; "
CSC = "indptr i32[T1]; rows i32[Z]; weights f32[Z]; bias f32[N]; " + GEOMETRY + "; out f32[B, OH, OW, N]"
COMPLEMENTARY = "outputs i32[T, S]; weights f32[T, S]; bias f32[N]; " + GEOMETRY + "; out f32[B, OH, OW, N]"
DENSE_ACTIVE = "weights f32[G, P, T, L]; bias f32[G, PL]; " + GEOMETRY + "; sums f32[S]; out f32[B, OH, OW, N]"
DENSE = "weights f32[G, P, T, L]; bias f32[G, PL]; " + GEOMETRY + "; out f32[B, OH, OW, N]"

TILES = {"wide": (5, 4), "narrow": (3, 2), "single": (8, 1)}
"""Rows (positions) and vectors (outputs) of the accumulator tile; see the tiles of the linear kernels."""

PLANE_VECTORS = {"wide": 8, "narrow": 4}


@compiled
def add_window(tile, x, corner, step, weights, panel, lanes, runs, run, runs_per_row, row_stride, column_stride):
    """Add one window's taps, run by run, for as many neighbouring positions as the tile has rows."""
    for r in range(runs):
        start = corner + (r // runs_per_row) * row_stride + (r % runs_per_row) * column_stride
        tap = panel + r * run * lanes
        for t in range(run):
            tile = tile_add_outer(tile, x, start + t, step, weights, tap + t * lanes)
    return tile


def _dense(variant):
    rows, vectors = TILES[variant]

    @kernel("conv2d", weights="dense", inputs="dense", variant=variant, arguments=IMAGE + DENSE)
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


@compiled
def add_listed(tile, columns, values, b, position, weights, tap, lanes):
    """Add, for each active input at a position, its row of the panel whose tap begins at row ``tap``."""
    for j in range(columns.shape[2]):
        c = columns[b, position, j]
        if c < 0:
            break
        tile = tile_add_scaled(tile, values[b, position, j], weights, (tap + c) * lanes)
    return tile


def _dense_active(variant):
    vectors = TILES[variant][1]

    @kernel(
        "conv2d", weights="dense", inputs="active", variant=variant, arguments=LISTS + "height int; " + DENSE_ACTIVE
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
        out      (B, OH, OW, N)  f32  overwritten

        sums     (S,)            f32  scratch for all positions of one panel

        Tap by tap, because the weights of one tap and one panel stay in the first-level cache: position by position,
        with the sums in registers, took 68 against 27 µs for 64 channels, 14 x 14, 5 x 5, 6 active.

        Work    2 * OH * OW * KH * KW * K * N flop per sample.
        """
        samples = columns.shape[0]
        _, out_height, out_width, outputs = out.shape
        _, panels, taps, lanes = weights.shape
        for b in range(samples):
            for p in range(panels):
                for place in range(out_height * out_width):
                    tile_store_all(tile_from_row(1, vectors, bias, p * lanes), sums, place * lanes)
                for ky in range(kernel_height):
                    for kx in range(kernel_width):
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
                                tile = tile_from_row(1, vectors, sums, place)
                                tile = add_listed(tile, columns, values, b, y * width + column, weights, tap, lanes)
                                tile_store_all(tile, sums, place)
                for place in range(out_height * out_width):
                    tile = tile_from_row(1, vectors, sums, place * lanes)
                    first = (b * out_height * out_width + place) * outputs + p * lanes
                    tile_store(tile, out, first, 0, outputs - p * lanes)

    return conv2d_f32_dense_active


for _variant in TILES:
    _dense(_variant)
    _dense_active(_variant)


def _csr_dense(variant):
    vectors = PLANE_VECTORS[variant]
    block = 16 * vectors

    @kernel(
        "conv2d",
        weights="csr",
        inputs="dense",
        variant=variant,
        arguments="""
            planes f32[B, Q]; indptr i32[N1]; offsets i32[Z]; weights f32[Z]; bias f32[N]; row int; sums f32[S];
            out f32[B, OH, OW, N]
        """,
    )
    def conv2d_f32_csr_dense(planes, indptr, offsets, weights, bias, row, sums, out):
        """Add, for each output channel and each of its weights, a shifted plane of the input.

            out[b, oy, ox, n] = bias[n] + sum_z weights[z] * planes[b, offsets[z] + oy * row + ox]

        planes   (B, Q)          f32  the padded input as planes of channels and of stride phases (see split_phases);
                                      Q leaves room for a whole number of blocks behind every offset
        indptr   (N1,)           i32  N1 = N + 1; weights of output n are indptr[n]:indptr[n + 1]
        offsets  (Z,)            i32  where the plane of a weight's tap begins
        weights  (Z,)            f32
        bias     (N,)            f32
        row                           numbers in a row of a plane
        sums     (S,)            f32  scratch for one output channel, a whole number of blocks
        out      (B, OH, OW, N)  f32  overwritten

        Positions lie in lanes, so no weight is multiplied in vain; the ends of rows are computed and dropped.

        Work    2 * OH * row * nnz flop per sample.
        Source  the shifted planes: Park et al., "Faster CNNs with Direct Sparse Convolutions" (ICLR 2017), section 2.
        """
        samples, plane_size = planes.shape
        _, out_height, out_width, outputs = out.shape
        extent = (out_height - 1) * row + out_width
        for b in range(samples):
            for n in range(outputs):
                for q in range(0, extent, block):
                    for j in range(vectors):
                        for lane in range(16):
                            sums[q + 16 * j + lane] = bias[n]
                    tile = tile_from_row(1, vectors, sums, q)
                    for z in range(index(indptr[n]), index(indptr[n + 1])):
                        tile = tile_add_scaled(tile, weights[z], planes, b * plane_size + offsets[z] + q)
                    tile_store_all(tile, sums, q)
                for oy in range(out_height):
                    for ox in range(out_width):
                        out[b, oy, ox, n] = sums[oy * row + ox]

    return conv2d_f32_csr_dense


for _variant in PLANE_VECTORS:
    _csr_dense(_variant)


@compiled
def output_place(place, k, dilation, pad, stride, size):
    """Find the output that tap ``k`` of an input's row or column leads to, or -1."""
    reached = place + pad - k * dilation
    if reached < 0 or reached % stride != 0 or reached // stride >= size:
        return -1
    return reached // stride


@compiled
def start_from_bias(bias, out, b):
    """Set the outputs of one sample to the bias."""
    for oy in range(out.shape[1]):
        for ox in range(out.shape[2]):
            for n in range(out.shape[3]):
                out[b, oy, ox, n] = bias[n]


@kernel("conv2d", weights="csc", inputs="active", arguments=LISTS + CSC)
def conv2d_f32_csc_active(
    columns,
    values,
    width,
    channels,
    indptr,
    rows,
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
    out,
):
    """Send each active input through the weights of its taps to the outputs they reach.

    columns  (B, R, K)       i32  R = H * width; 0 <= columns < channels; -1 ends a short row
    values   (B, R, K)       f32
    indptr   (T1,)           i32  T1 = T + 1; tap t's weights are rows[indptr[t]:indptr[t + 1]]
    rows     (Z,)            i32  0 <= rows < N
    weights  (Z,)            f32
    bias     (N,)            f32
    out      (B, OH, OW, N)  f32  overwritten

    Work    2 * R * K * nnz / C flop per sample, less at the border: both sparsities multiply.
    """
    samples, positions, listed = columns.shape
    _, out_height, out_width, _ = out.shape
    for b in range(samples):
        start_from_bias(bias, out, b)
        for position in range(positions):
            for ky in range(kernel_height):
                oy = output_place(position // width, ky, dilation_y, pad_y, stride_y, out_height)
                if oy < 0:
                    continue
                for kx in range(kernel_width):
                    ox = output_place(position % width, kx, dilation_x, pad_x, stride_x, out_width)
                    if ox < 0:
                        continue
                    for j in range(listed):
                        c = columns[b, position, j]
                        if c < 0:
                            break
                        tap = (ky * kernel_width + kx) * channels + c
                        value = values[b, position, j]
                        for z in range(index(indptr[tap]), index(indptr[tap + 1])):
                            out[b, index(oy), index(ox), index(rows[z])] += value * weights[z]


@kernel("conv2d", weights="complementary", inputs="active", arguments=LISTS + COMPLEMENTARY)
def conv2d_f32_complementary_active(
    columns,
    values,
    width,
    channels,
    outputs,
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
    out,
):
    """Select the active inputs' rows of the packed sets at each tap, multiply, route, sum.

    columns  (B, R, K)       i32  R = H * width; 0 <= columns < channels; -1 ends a short row
    values   (B, R, K)       f32
    outputs  (T, S)          i32  the output each slot belongs to; -1 marks an empty slot
    weights  (T, S)          f32
    bias     (N,)            f32
    out      (B, OH, OW, N)  f32  overwritten

    Work    2 * R * K * KH * KW * S flop per sample, less at the border.
    Source  Hunter, Spracklen, Ahmad: "Two Sparsities Are Better Than One" (2022), the sparse-sparse case.
    """
    samples, positions, listed = columns.shape
    _, out_height, out_width, _ = out.shape
    for b in range(samples):
        start_from_bias(bias, out, b)
        for position in range(positions):
            for ky in range(kernel_height):
                oy = output_place(position // width, ky, dilation_y, pad_y, stride_y, out_height)
                if oy < 0:
                    continue
                for kx in range(kernel_width):
                    ox = output_place(position % width, kx, dilation_x, pad_x, stride_x, out_width)
                    if ox < 0:
                        continue
                    for j in range(listed):
                        c = columns[b, position, j]
                        if c < 0:
                            break
                        tap = (ky * kernel_width + kx) * channels + c
                        value = values[b, position, j]
                        for s in range(outputs.shape[1]):
                            n = outputs[index(tap), s]
                            if n >= 0:
                                out[b, index(oy), index(ox), index(n)] += value * weights[index(tap), s]


@kernel("conv2d", weights="complementary", inputs="dense", arguments=IMAGE + COMPLEMENTARY)
def conv2d_f32_complementary_dense(
    x,
    outputs,
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
    out,
):
    """Multiply packed sets with all inputs under the filter, route, sum.

    x        (B, H, W, C)    f32  without padding
    outputs  (T, S)          i32  the output each slot belongs to; -1 marks an empty slot
    weights  (T, S)          f32
    bias     (N,)            f32
    out      (B, OH, OW, N)  f32  overwritten

    Work    2 * OH * OW * T * S flop per sample.
    Source  Hunter, Spracklen, Ahmad: "Two Sparsities Are Better Than One" (2022), combine, multiply, route, sum.
    """
    samples, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    for b in range(samples):
        start_from_bias(bias, out, b)
        for oy in range(out_height):
            for ox in range(out_width):
                for ky in range(kernel_height):
                    y = oy * stride_y + ky * dilation_y - pad_y
                    if y < 0 or y >= height:
                        continue
                    for kx in range(kernel_width):
                        column = ox * stride_x + kx * dilation_x - pad_x
                        if column < 0 or column >= width:
                            continue
                        for c in range(channels):
                            tap = (ky * kernel_width + kx) * channels + c
                            value = x[b, y, column, c]
                            for s in range(outputs.shape[1]):
                                n = outputs[tap, s]
                                if n >= 0:
                                    out[b, oy, ox, index(n)] += value * weights[tap, s]
