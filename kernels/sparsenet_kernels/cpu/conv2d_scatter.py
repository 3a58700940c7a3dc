"""Convolution, number by number, in the forms that use the weights' zeros, and the inputs' where they are listed."""

from sparsenet_kernels.cpu.conv2d_arguments import GEOMETRY, IMAGE, LISTS
from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel

CSC = (
    "index indptr i32[T1]; index rows i32[Z]; weight weights f32[Z]; constant bias f32[N]; "
    + GEOMETRY
    + "; out out f32[B, OH, OW, N]"
)
COMPLEMENTARY = (
    "index outputs i32[T, S]; weight weights f32[T, S]; constant bias f32[N]; "
    + GEOMETRY
    + "; out out f32[B, OH, OW, N]"
)


@helper
def output_place(place, k, dilation, pad, stride, size):
    """Find the output that tap ``k`` of an input's row or column leads to, or -1."""
    reached = place + pad - k * dilation
    if reached < 0 or reached % stride != 0 or reached // stride >= size:
        return -1
    return reached // stride


@helper
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
        # the lists are read position by position; an output is reached from many, so it lies in memory
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
                        # one value meets all weights of its tap; their outputs are neighbours at one place
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
                        # a slot for each set; an empty one belongs to no output
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
                        # taps outside were skipped above, so every product counts
                        for c in range(channels):
                            tap = (ky * kernel_width + kx) * channels + c
                            value = x[b, y, column, c]
                            for s in range(outputs.shape[1]):
                                n = outputs[tap, s]
                                if n >= 0:
                                    out[b, oy, ox, index(n)] += value * weights[tap, s]
