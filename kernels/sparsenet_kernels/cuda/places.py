"""Which sample and position a block works on, who stands before a thread, and which of two numbers is larger."""

from sparsenet_kernels.cuda.api import device_function


@device_function
def sample_and_pixel(block, height, width):
    """Take apart the number of a block among (B, height, width)."""
    return block // (height * width), block // width % height, block % width


@device_function
def count_of(codes, first, end, code):
    """Count a code among codes[first:end]; where all threads of a block do so, shared memory is read once for all.

    It stands where a scan would: at most 256 steps, which all threads take together, and no barrier.
    """
    found = 0
    for i in range(first, end):
        if codes[i] == code:
            found += 1
    return found


@device_function
def larger(a, b):
    """Return the larger of two numbers, b where one is NaN: Numba 0.68's own CUDA target cannot compile ``max``."""
    return a if a > b else b


@device_function
def smaller(a, b):
    """Return the smaller of two numbers."""
    return a if a < b else b
