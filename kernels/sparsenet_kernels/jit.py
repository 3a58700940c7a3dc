"""How every function of a kernel is compiled."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

__all__ = ["compiled", "index"]


def compiled(function: Callable[..., Any]) -> Any:
    """Decorate a kernel or a helper of kernels.

    No reference counting (``_nrt``): kernels allocate nothing, their arrays outlive the call, and counting references
    where a helper is called from an inner loop made the convolution of active inputs 2.3 times slower. A product and a
    sum may be fused into one rounding (``contract``); nothing else of floating point is relaxed, and nothing is
    reordered.

    A function that closes over values gets a name of their own. Numba tells functions of one name and signature apart
    by a number that it counts in each process; two kernels that different processes had compiled and cached then shared
    the helper of whichever was loaded first, and one of them gave wrong results.
    """
    function.__qualname__ += _closed_over(function)
    return njit(nogil=True, error_model="numpy", fastmath={"contract"}, _nrt=False)(function)


def _closed_over(function: Callable[..., Any]) -> str:
    """Return a suffix that tells what a function closes over; empty where that is nothing."""
    cells = function.__closure__ or ()
    if not cells:
        return ""
    values = [_described(cell.cell_contents) for cell in cells]
    return "_" + hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def _described(value: Any) -> str:
    """Describe a value alike in every process: a function by its name, which tells what it closes over itself."""
    function = getattr(value, "py_func", value)
    name = getattr(function, "__qualname__", None)
    return repr(value) if name is None else f"{function.__module__}.{name}"


@compiled
def index(number):
    """Turn an integer that is known not to be negative into an index that Numba need not wrap around.

    Python's rule for negative indices costs a compare and a select at every access: scattering through int32 indices
    took 2.1 times as long with it.
    """
    return np.uint64(np.uint32(number))
