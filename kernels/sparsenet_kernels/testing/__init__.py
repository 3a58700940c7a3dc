"""The differential test kit: any kernel, yours included, against what its operation means.

    from sparsenet_kernels.testing import check_kernel

    check_kernel("linear_f32_csc_active__mine")

The rule behind it: a *problem* is small, readable data (sizes, density, kind of numbers, a seed), a *case* is what a
problem looks like to one kernel (its arguments, and what it must write). Hypothesis draws problems, so what it shrinks
a failure to can be read, and typed in again. It needs hypothesis: ``pip install hypothesis``.
"""

from sparsenet_kernels.registry import registered_temporarily
from sparsenet_kernels.testing.call import can_run, complaints, uses_vectors
from sparsenet_kernels.testing.case import Case, Expected, leftovers, listed
from sparsenet_kernels.testing.check import cases, check_kernel
from sparsenet_kernels.testing.report import CheckReport

__all__ = [
    "Case",
    "CheckReport",
    "Expected",
    "can_run",
    "cases",
    "check_kernel",
    "complaints",
    "leftovers",
    "listed",
    "registered_temporarily",
    "uses_vectors",
]
