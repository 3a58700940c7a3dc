"""What a kernel computes: the readable NumPy function that it is tested against."""

from collections.abc import Callable
from typing import Any

from sparsenet_kernels import reference
from sparsenet_kernels.registry import Kernel

__all__ = ["definition_of"]

OTHER_NAMES = {
    "conv2d_pool2_i8": "conv2d_i8",
    "kwta_f32": "k_winners",
    "kwta_i8": "k_winners_i8",
    "kwta_map_f32": "k_winners_all",
}
"""Operations whose definition goes by another name."""


def definition_of(kernel: Kernel) -> Callable[..., Any] | None:
    """Return the NumPy function that says what a kernel must compute; None where it only moves numbers.

    Parameters
    ----------
    kernel : Kernel

    Returns
    -------
    callable or None
        The function that came with an operation of one's own, or one of :mod:`sparsenet_kernels.reference`.

    Examples
    --------
    >>> from sparsenet_kernels.registry import kernels
    >>> definition_of(kernels()["linear_f32_csc_active"]).__name__
    'linear'
    """
    if kernel.reference is not None:
        return kernel.reference
    with_dtype = f"{kernel.operation}_{kernel.dtype}"
    for name in (OTHER_NAMES.get(with_dtype, with_dtype), kernel.operation):
        if name in reference.__all__:
            found: Callable[..., Any] = getattr(reference, name)
            return found
    return None
