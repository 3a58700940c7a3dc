"""Kernels for the CPU: the operations of :mod:`sparsenet_kernels.reference`, compiled.

Activations lie *channels last*: an image is (B, R, C) with R = H * W positions in row order, a vector is (B, 1, D).
An *active list* holds, for each of the R rows of a sample, the columns and values of its non-zeros: (B, R, K), where a
column of -1 ends a short row.
"""

from importlib import import_module
from pkgutil import iter_modules


def register_all() -> None:
    """Import every module of this package, so that its kernels are registered; a new module is named nowhere else."""
    for found in iter_modules(__path__):
        import_module(f"{__name__}.{found.name}")
