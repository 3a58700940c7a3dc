"""What the convolutions of float32 have in common: the arguments they are registered with.

A *tap* is a place (ky, kx) of the filter with an input channel c; taps are numbered (ky * KW + kx) * C + c. Weights
are a matrix of outputs by taps, packed as for :mod:`sparsenet_kernels.cpu.linear`. Images lie channels last. Padding is
never stored for forms that read active lists: they leave out what falls outside.
"""

PLAIN, POOLED = "", "pool2"
"""What is fused behind a convolution: nothing, or the largest of each 2 x 2 outputs."""

GEOMETRY = """
    constant kernel_height int; constant kernel_width int; constant stride_y int; constant stride_x int;
    constant pad_y int; constant pad_x int; constant dilation_y int; constant dilation_x int
"""
IMAGE = "in x f32[B, H, W, C]; "
LISTS = "in columns i32[B, R, K]; in values f32[B, R, K]; constant width int; constant channels int; "
