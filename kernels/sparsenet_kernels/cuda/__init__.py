"""Kernels for NVIDIA GPUs: the operations of :mod:`sparsenet_kernels.reference`, for Numba's CUDA target.

Names, arguments, memory layout and meaning are those of :mod:`sparsenet_kernels.cpu`, so one reference and one suite
serve both; scratch arrays that only processors need are left out. How work is shared out:

    blocks="B R"    a block for each sample and row: ``blockIdx.x = b * R + r``
    threads="C"     the threads of a block share out C, each taking every ``blockDim.x``-th

so a kernel is right for any number of threads. They use shared memory, barriers and atomics, nothing that Numba's
simulator lacks (``NUMBA_ENABLE_CUDASIM=1`` runs them without a GPU).

Routing, which an FPGA does with wires, is free of conflicts here, too: an output belongs to one complementary set, so
where *a thread is a set*, no two threads ever add to the same output. The variants called ``atomic`` share out the
active inputs as well, and pay for it: their sums are added in any order, so their last bits may differ between calls.
"""

from importlib import import_module
from pkgutil import iter_modules


def register_all() -> None:
    """Import every module of this package, so that its kernels are registered; a new module is named nowhere else."""
    for found in iter_modules(__path__):
        import_module(f"{__name__}.{found.name}")
