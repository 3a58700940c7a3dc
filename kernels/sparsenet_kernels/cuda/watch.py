"""Watching values: whether any of a sample is beyond a limit, or no number at all."""

from sparsenet_kernels.cuda.api import cuda
from sparsenet_kernels.cuda.launch import kernel


@kernel(
    "watch",
    arguments="in x f32[B, N]; constant limit f32[1]; constant place int; out trips i32[B, W]",
    blocks="B",
    threads="N",
)
def watch_f32(x, limit, place, trips):
    """Note which samples hold a number beyond a limit, or infinity, or NaN; the formula stands beside the CPU's kernel.

    x is (B, N) f32, limit (1,) f32, and column ``place`` of trips (B, W) i32 is overwritten. All threads that find one
    write the same number, so they need not agree who does.
    """
    b = cuda.blockIdx.x
    if cuda.threadIdx.x == 0:
        trips[b, place] = 0
    cuda.syncthreads()
    for n in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        if not abs(x[b, n]) <= limit[0]:  # NaN is not
            trips[b, place] = 1
