"""How every function of a kernel is compiled."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import jit, njit
from numba.extending import register_jitable

__all__ = ["compiled", "helper", "index", "without_entries"]

OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
NO_ENTRIES = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Leave out the two functions through which Python and C would call compiled code."""


def compiled(function: Callable[..., Any]) -> Any:
    """Decorate a kernel, or another function that Python calls, too.

    No reference counting (``_nrt``): kernels allocate nothing, their arrays outlive the call, and counting references
    where a helper is called from an inner loop made the convolution of active inputs 2.3 times slower. A product and a
    sum may be fused into one rounding (``contract``); nothing else of floating point is relaxed, and nothing is
    reordered.

    A function that closes over values gets a name of their own. Numba tells functions of one name and signature apart
    by a number that it counts in each process; two kernels that different processes had compiled and cached then shared
    the helper of whichever was loaded first, and one of them gave wrong results.
    """
    function.__qualname__ += _closed_over(function)
    return njit(**OPTIONS)(function)


def helper(function: Callable[..., Any]) -> Any:
    """Decorate a function that compiled code calls; it is compiled as kernels are, and for Python it stays as it was.

    Numba compiles each helper by itself before it is inlined, and each time with ways in from Python and C, which took
    a quarter of the time that a kernel took to compile. Numbers that are written out in a call are arguments like
    others, unless an intrinsic asks for them: compiling once for each such number took another sixth, and saved none of
    82 kernels any time. Having Numba inline helpers before LLVM does was slower for most kernels (k-winners 4.7 s
    instead of 3.1).
    """
    function.__qualname__ += _closed_over(function)
    return register_jitable(**OPTIONS, **NO_ENTRIES)(function)


def without_entries(function: Any) -> Any:
    """Return a jitted function anew, for compiled code to call: without ways in from Python and C it compiles faster.

    Python must not call it, which would end the process.
    """
    return jit(**{**function.targetoptions, **NO_ENTRIES})(function.py_func)


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


@helper
def index(number):
    """Turn an integer from 0 to 2**32 - 1 into an index that Numba need not wrap around.

    That it is one was proven when it was packed: see :mod:`sparsenet_kernels.indices`.

    Python's rule for negative indices costs a compare and a select at every access: scattering through int32 indices
    took 2.1 times as long with it.
    """
    return np.uint64(np.uint32(number))
