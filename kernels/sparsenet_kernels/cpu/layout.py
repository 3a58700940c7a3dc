"""Moving activations without computing: turning axes, padding, joining."""

from sparsenet_kernels.jit import index
from sparsenet_kernels.registry import kernel


@kernel("swap_axes", arguments="in x f32[B, M, N]; out out f32[B, N, M]")
def swap_axes_f32(x, out):
    """Turn (B, M, N) into (B, N, M): channels first to channels last, or back.

    x    (B, M, N)  f32
    out  (B, N, M)  f32  overwritten
    """
    samples, rows, columns = x.shape
    for b in range(samples):
        for column in range(columns):
            for row in range(rows):
                out[b, column, row] = x[b, row, column]


@kernel("pad2d", arguments="in x f32[B, H, W, C]; constant top int; constant left int; out out f32[B, HP, WP, C]")
def pad2d_f32(x, top, left, out):
    """Copy an image into the middle of zeros.

    x    (B, H, W, C)    f32
    top, left            rows above and columns left of the copy
    out  (B, HP, WP, C)  f32  overwritten; HP >= top + H, WP >= left + W
    """
    samples, height, width, channels = x.shape
    out[:] = 0.0
    for b in range(samples):
        for y in range(height):
            for column in range(width):
                for c in range(channels):
                    out[b, top + y, left + column, c] = x[b, y, column, c]


@kernel("place", arguments="in x f32[B, R, C]; constant first int; out out f32[B, R, N]")
def place_f32(x, first, out):
    """Copy channels to their place among the channels of a joined image.

    x      (B, R, C)  f32
    first             channel of ``out`` that channel 0 goes to
    out    (B, R, N)  f32  channels first to first + C are overwritten
    """
    samples, positions, channels = x.shape
    for b in range(samples):
        for p in range(positions):
            for c in range(channels):
                out[b, p, first + c] = x[b, p, c]


@kernel(
    "split_phases",
    arguments="""
        in x f32[B, H, W, C]; constant stride_y int; constant stride_x int; constant pad_y int; constant pad_x int;
        constant rows int; constant row int; out planes f32[B, Q]
    """,
)
def split_phases_f32(x, stride_y, stride_x, pad_y, pad_x, rows, row, planes):
    """Take an image apart into planes: one for each channel and for each phase of the stride.

    Position (y, x) of the padded image, channel c, goes to row y // stride_y, column x // stride_x of plane
    ((y % stride_y) * stride_x + x % stride_x) * C + c, so that what a strided filter's tap meets lies side by side:

        stride 2:  a b a b      a a    b b    c c    d d
                   c d c d  ->  a a    b b    c c    d d      planes of `rows` rows, `row` numbers each
                   a b a b
                   c d c d

    x       (B, H, W, C)  f32  without padding
    planes  (B, Q)        f32  overwritten; Q >= stride_y * stride_x * C * rows * row
    """
    samples, height, width, channels = x.shape
    planes[:] = 0.0
    for b in range(samples):
        for y in range(height):
            phase_y = (y + pad_y) % stride_y
            for column in range(width):
                phase = phase_y * stride_x + (column + pad_x) % stride_x
                place = ((y + pad_y) // stride_y) * row + (column + pad_x) // stride_x
                for c in range(channels):
                    planes[b, (phase * channels + c) * rows * row + place] = x[b, y, column, c]


@kernel(
    "expand_phases",
    arguments="""
        in columns i32[B, R, K]; in values f32[B, R, K]; constant width int; constant channels int;
        constant stride_y int; constant stride_x int; constant pad_y int; constant pad_x int; constant rows int;
        constant row int; out planes f32[B, Q]
    """,
)
def expand_phases_f32(columns, values, width, channels, stride_y, stride_x, pad_y, pad_x, rows, row, planes):
    """Write listed values to their places in the planes that :func:`split_phases_f32` makes of the dense image.

    columns  (B, R, K)  i32  R = H * width; 0 <= columns < channels; -1 ends a short row
    values   (B, R, K)  f32
    planes   (B, Q)     f32  overwritten; as for split_phases_f32
    """
    samples, positions, listed = columns.shape
    size = rows * row
    planes[:] = 0.0
    for b in range(samples):
        for y in range(positions // width):
            phase_y = (y + pad_y) % stride_y * stride_x
            phase_x, column = pad_x % stride_x, (y + pad_y) // stride_y * row + pad_x // stride_x
            for x in range(width):
                place = (phase_y + phase_x) * channels * size + column
                phase_x += 1
                if phase_x == stride_x:
                    phase_x, column = 0, column + 1
                for j in range(listed):
                    c = columns[b, y * width + x, j]
                    if c < 0:
                        break
                    planes[b, index(place + c * size)] = values[b, y * width + x, j]
