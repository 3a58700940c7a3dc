"""Convolution of images that lie channels last: a block for each place of the filter.

Taps are numbered (ky * KW + kx) * C + c, as on the CPU. Every block gathers what its place of the filter sees, so no
two blocks add to the same output; within a block a thread is an output (dense weights) or a set (complementary ones).
"""

from sparsenet_kernels.cuda.api import cuda, device_function
from sparsenet_kernels.cuda.launch import kernel
from sparsenet_kernels.cuda.places import sample_and_pixel

GEOMETRY = """
    constant kernel_height int; constant kernel_width int; constant stride_y int; constant stride_x int;
    constant pad_y int; constant pad_x int; constant dilation_y int; constant dilation_x int;
    out out f32[B, OH, OW, N]
"""
IMAGE = "in x f32[B, H, W, C]; "
LISTS = "in columns i32[B, R, K]; in values f32[B, R, K]; constant width int; constant channels int; "
PANELS = "weight weights f32[G, P, T, L]; constant bias f32[G, PL]; " + GEOMETRY
COMPLEMENTARY = "index outputs i32[T, S]; weight weights f32[T, S]; constant bias f32[N]; " + GEOMETRY


@device_function
def start_from_bias(bias, out, b, oy, ox):
    """Set the outputs at one place to the bias."""
    for n in range(cuda.threadIdx.x, out.shape[3], cuda.blockDim.x):
        out[b, oy, ox, n] = bias[n]


@kernel("conv2d", weights="dense", inputs="dense", arguments=IMAGE + PANELS, blocks="B OH OW", threads="N")
def conv2d_f32_dense_dense(
    x, weights, bias, kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x, out
):
    """Slide dense filters over a dense image. A thread is an output.

    x        (B, H, W, C)    f32  padded already where pad_y and pad_x are 0
    weights  (G, P, T, L)    f32  W[g * N / G + p * L + l, tap] = weights[g, p, tap, l], taps of one group
    bias     (G, PL)         f32  zeros behind the last output of a group
    out      (B, OH, OW, N)  f32  overwritten

    Work    2 * OH * OW * N * C / G * KH * KW flop per sample.
    """
    _, height, width, channels = x.shape
    _, out_height, out_width, outputs = out.shape
    groups, _, _, lanes = weights.shape
    b, oy, ox = sample_and_pixel(cuda.blockIdx.x, out_height, out_width)
    group_channels, group_outputs = channels // groups, outputs // groups
    for n in range(cuda.threadIdx.x, outputs, cuda.blockDim.x):
        # neighbouring threads are neighbouring outputs, whose weights lie side by side in a panel
        g, m = n // group_outputs, n % group_outputs
        total = bias[g, m]
        for ky in range(kernel_height):
            y = oy * stride_y + ky * dilation_y - pad_y
            for kx in range(kernel_width):
                column = ox * stride_x + kx * dilation_x - pad_x
                if y >= 0 and y < height and column >= 0 and column < width:
                    tap = (ky * kernel_width + kx) * group_channels
                    for c in range(group_channels):
                        weight = weights[g, m // lanes, tap + c, m % lanes]
                        total += x[b, y, column, g * group_channels + c] * weight
        out[b, oy, ox, n] = total


@kernel(
    "conv2d",
    weights="dense",
    inputs="active",
    arguments=LISTS + "constant height int; " + PANELS,
    blocks="B OH OW",
    threads="N",
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
    out,
):
    """Add, for each active input under the filter, its row of a panel. A thread is an output.

    columns  (B, R, K)       i32  R = height * width; 0 <= columns < channels; -1 ends a short row
    values   (B, R, K)       f32
    weights  (1, P, T, L)    f32  W[p * L + l, tap] = weights[0, p, tap, l]; one group only
    bias     (1, PL)         f32  zeros behind the N-th
    out      (B, OH, OW, N)  f32  overwritten

    Work    2 * OH * OW * KH * KW * K * N flop per sample.
    """
    _, out_height, out_width, outputs = out.shape
    lanes, listed = weights.shape[3], columns.shape[2]
    b, oy, ox = sample_and_pixel(cuda.blockIdx.x, out_height, out_width)
    for n in range(cuda.threadIdx.x, outputs, cuda.blockDim.x):
        total = bias[0, n]
        for ky in range(kernel_height):
            y = oy * stride_y + ky * dilation_y - pad_y
            for kx in range(kernel_width):
                column = ox * stride_x + kx * dilation_x - pad_x
                if y >= 0 and y < height and column >= 0 and column < width:
                    position, tap = y * width + column, (ky * kernel_width + kx) * channels
                    for j in range(listed):
                        # all threads read the same list, so they branch alike
                        c = columns[b, position, j]
                        if c < 0:
                            break
                        total += values[b, position, j] * weights[0, n // lanes, tap + c, n % lanes]
        out[b, oy, ox, n] = total


@kernel(
    "conv2d",
    weights="complementary",
    inputs="dense",
    arguments=IMAGE + COMPLEMENTARY,
    blocks="B OH OW",
    threads="S",
)
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
    """Multiply packed sets with all inputs under the filter, route, sum. A thread is a set.

    x        (B, H, W, C)    f32  without padding
    outputs  (T, S)          i32  the output each slot belongs to; -1 marks an empty slot
    weights  (T, S)          f32
    bias     (N,)            f32
    out      (B, OH, OW, N)  f32  overwritten

    Work    2 * OH * OW * T * S flop per sample.
    Source  Hunter, Spracklen, Ahmad: "Two Sparsities Are Better Than One" (2022), combine, multiply, route, sum.
    """
    _, height, width, channels = x.shape
    _, out_height, out_width, _ = out.shape
    b, oy, ox = sample_and_pixel(cuda.blockIdx.x, out_height, out_width)
    # all outputs have their bias before any set adds to one
    start_from_bias(bias, out, b, oy, ox)
    cuda.syncthreads()
    # a set owns its outputs, so threads add without atomics
    for s in range(cuda.threadIdx.x, outputs.shape[1], cuda.blockDim.x):
        for ky in range(kernel_height):
            y = oy * stride_y + ky * dilation_y - pad_y
            for kx in range(kernel_width):
                column = ox * stride_x + kx * dilation_x - pad_x
                if y >= 0 and y < height and column >= 0 and column < width:
                    tap = (ky * kernel_width + kx) * channels
                    for c in range(channels):
                        n = outputs[tap + c, s]
                        if n >= 0:
                            out[b, oy, ox, n] += x[b, y, column, c] * weights[tap + c, s]


@kernel(
    "conv2d",
    weights="complementary",
    inputs="active",
    arguments=LISTS + COMPLEMENTARY,
    blocks="B OH OW",
    threads="S",
)
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
    """Select the active inputs' rows of the packed sets at each tap, multiply, route, sum. A thread is a set.

    columns  (B, R, K)       i32  R = H * width; 0 <= columns < channels; -1 ends a short row
    values   (B, R, K)       f32
    outputs  (T, S)          i32  the output each slot belongs to; -1 marks an empty slot
    weights  (T, S)          f32
    bias     (N,)            f32
    out      (B, OH, OW, N)  f32  overwritten

    Work    2 * OH * OW * KH * KW * K * S flop per sample, less at the border: both sparsities multiply.
    Source  Hunter, Spracklen, Ahmad: "Two Sparsities Are Better Than One" (2022), the sparse-sparse case.
    """
    _, positions, listed = columns.shape
    _, out_height, out_width, _ = out.shape
    height = positions // width
    b, oy, ox = sample_and_pixel(cuda.blockIdx.x, out_height, out_width)
    # all outputs have their bias before any set adds to one
    start_from_bias(bias, out, b, oy, ox)
    cuda.syncthreads()
    for s in range(cuda.threadIdx.x, outputs.shape[1], cuda.blockDim.x):
        for ky in range(kernel_height):
            y = oy * stride_y + ky * dilation_y - pad_y
            for kx in range(kernel_width):
                column = ox * stride_x + kx * dilation_x - pad_x
                if y >= 0 and y < height and column >= 0 and column < width:
                    position, tap = y * width + column, (ky * kernel_width + kx) * channels
                    for j in range(listed):
                        c = columns[b, position, j]
                        if c < 0:
                            break
                        n = outputs[tap + c, s]
                        if n >= 0:
                            out[b, oy, ox, n] += values[b, position, j] * weights[tap + c, s]
