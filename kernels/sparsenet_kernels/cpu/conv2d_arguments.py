"""What the convolutions of float32 have in common: the arguments they are registered with.

A *tap* is a place (ky, kx) of the filter with an input channel c; taps are numbered (ky * KW + kx) * C + c. Weights
are a matrix of outputs by taps, packed as for :mod:`sparsenet_kernels.cpu.linear`. Images lie channels last. Padding is
never stored for forms that read active lists: they leave out what falls outside.
"""

PLAIN, POOLED = "", "pool2"
"""What is fused behind a convolution: nothing, or the largest of each 2 x 2 outputs."""

GEOMETRY = """
    kernel_height int; kernel_width int; stride_y int; stride_x int; pad_y int; pad_x int; dilation_y int;
    dilation_x int
"""
IMAGE = "x f32[B, H, W, C]; "
LISTS = "columns i32[B, R, K]; values f32[B, R, K]; width int; channels int; "
