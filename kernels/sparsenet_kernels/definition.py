"""What a kernel computes: the readable NumPy function that it is tested against."""

from collections.abc import Callable
from typing import Any

from sparsenet_kernels import reference
from sparsenet_kernels.registry import Kernel, base_name

__all__ = ["definition_of"]


def definition_of(kernel: Kernel) -> Callable[..., Any] | None:
    """Return the NumPy function that says what a kernel must compute; None where it only moves numbers.

    Parameters
    ----------
    kernel : Kernel

    Returns
    -------
    callable or None
        The function that the kernel was registered with, or the one of :mod:`sparsenet_kernels.reference` that is
        called as its operation is.

    Examples
    --------
    >>> from sparsenet_kernels.registry import kernels
    >>> definition_of(kernels()["linear_f32_csc_active"]).__name__
    'linear'
    """
    if kernel.reference is not None:
        return kernel.reference
    operations = kernel.fused_operation, kernel.operation
    for name in (*(base_name(operation, kernel.dtype) for operation in operations), *operations):
        if name in reference.__all__:
            found: Callable[..., Any] = getattr(reference, name)
            return found
    return None
