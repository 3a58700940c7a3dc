"""The native side of a kernel: how compiled code calls it with nothing but addresses.

A *step* is a C function ``int64 step(int64 arguments, int64 scratch, int64 samples)`` around one kernel. It reads its
kernel's arguments from a table of int64 words, so that one driver can run any sequence of kernels in one native call:

    argument table of  f(x: f32[B, D], bias: f32[D], count: int, out: f32[B, D])

    ┌────────┬────────┬────┬────┐┌────────┬─────────┬────┐┌───────┐┌────────┬────────┬────┬────┐
    │ 1      │ offset │ -1 │ D  ││ 0      │ address │ D  ││ count ││ 1      │ offset │ -1 │ D  │
    └────────┴────────┴────┴────┘└────────┴─────────┴────┘└───────┘└────────┴────────┴────┴────┘
      in the   from the          absolute                   integer
      scratch  scratch's start

A first axis of -1 stands for the number of samples of the call. Arrays are laid out in C order.
"""

from collections.abc import Sequence
from pathlib import Path
from types import FunctionType

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core.ccallback import CFunc
from numba.core.registry import cpu_target
from numba.core.sigutils import normalize_signature
from numba.core.typing import signature
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from sparsenet_kernels.cache import KernelCache
from sparsenet_kernels.jit import without_entries

__all__ = ["SAMPLES", "address_of", "array_at", "array_words", "call_step", "compile_step", "is_kept", "run_step"]

SAMPLES = -1
"""In an argument table: the first axis is as long as the call has samples."""

WORD = ir.IntType(64)

STEP = normalize_signature(types.int64(types.int64, types.int64, types.int64))


def array_words(shape: Sequence[int], *, address: int | None = None, offset: int | None = None) -> list[int]:
    """Return the words that describe an array at an absolute ``address``, or at an ``offset`` into the scratch."""
    return [0, address or 0, *shape] if offset is None else [1, offset, *shape]


def address_of(array: np.ndarray) -> int:
    """Return the address of an array's first element, without regard to whether it may be written."""
    return int(array.__array_interface__["data"][0])


def compile_step(name: str, function, argument_types, kept: bool = True):
    """Compile the step around a kernel, or read it from the cache; kernels of other packages are always compiled.

    Parameters
    ----------
    name : str
        The kernel's name.
    function : jitted function
        The kernel.
    argument_types : sequence of Numba types
        ``int64`` or arrays in C order.
    kept : bool
        Whether to use the cache; code that was read from it cannot be shown.

    Returns
    -------
    compiled C callback
        With ``address``, and ``ctypes`` to call it from Python.

    Raises
    ------
    RuntimeError
        When Numba's compiler is turned off.
    """
    if config.DISABLE_JIT:
        raise RuntimeError("expected Numba to compile, but NUMBA_DISABLE_JIT is set; unset it")
    names = {
        "kernel": without_entries(function),
        "arguments_from": _reader(tuple(argument_types)),
        "__name__": __name__,
    }
    body = FunctionType(_step_body.__code__, names, f"step_{name}")
    body.__qualname__ = body.__name__  # a name of its own in machine code, too; see jit.compiled
    step = CFunc(
        body,
        STEP,
        locals={},
        options={"_nrt": False, "error_model": "numpy"},
    )
    if kept and _is_ours(function.py_func):  # of other sources the cache would not see changes
        step._cache = KernelCache(f"step_{name}")  # the cfunc decorator offers Numba's own cache only
    step.compile()
    _ = step.ctypes  # made now: Numba makes it under a lock that a fork would not wait for
    return step


def is_kept(kernel) -> bool:
    """Tell whether a bundled kernel's step lies in the cache already, damaged or not."""
    arguments, result = STEP
    cache = KernelCache(f"step_{kernel.name}")
    return cache.holds(signature(result, *arguments), cpu_target.target_context.codegen())


def _is_ours(function) -> bool:
    """Tell whether a function's source is a file of this package."""
    return Path(function.__code__.co_filename).is_relative_to(Path(__file__).parent)


def _step_body(table, scratch, samples):
    kernel(*arguments_from(table, scratch, samples))  # noqa: F821  (given by compile_step)
    return 1


def _reader(argument_types):
    """Make the intrinsic that reads one kernel's arguments from a table."""

    @intrinsic
    def arguments_from(typing_context, table, scratch, samples):
        result = types.Tuple(argument_types)

        def emit(context, builder, signature, args):
            table, scratch, samples = args
            words = builder.inttoptr(table, WORD.as_pointer())
            values, position = [], 0
            for argument in argument_types:
                value, used = _read_argument(context, builder, argument, words, position, scratch, samples)
                values.append(value)
                position += used
            return context.make_tuple(builder, result, values)

        return result(types.int64, types.int64, types.int64), emit

    return arguments_from


def _read_argument(context, builder, argument, words, position, scratch, samples):
    def word(offset):
        return builder.load(builder.gep(words, [WORD(position + offset)]))

    if argument is types.int64:
        return word(0), 1
    base = builder.select(builder.icmp_signed("==", word(0), WORD(0)), WORD(0), scratch)
    address = builder.add(base, word(1))
    sizes = [word(2 + axis) for axis in range(argument.ndim)]
    is_batch = builder.icmp_signed("==", sizes[0], WORD(SAMPLES))
    sizes[0] = builder.select(is_batch, samples, sizes[0])
    return array_at(context, builder, argument, address, sizes), 2 + argument.ndim


def array_at(context, builder, argument, address, sizes):
    """Emit an array in C order at an address (i64) with the given sizes (i64 each); nobody owns it."""
    array = make_array(argument)(context, builder)
    item_bytes = context.get_abi_sizeof(context.get_data_type(argument.dtype))
    strides, step = [], WORD(item_bytes)
    for size in reversed(sizes):
        strides.insert(0, step)
        step = builder.mul(step, size)
    data = builder.inttoptr(address, context.get_data_type(argument.dtype).as_pointer())
    populate_array(array, data=data, shape=sizes, strides=strides, itemsize=WORD(item_bytes), meminfo=None)
    return array._getvalue()


@intrinsic
def call_step(typing_context, address, table, scratch, samples):
    """Call the step at ``address``; 1 means that it ran."""

    def emit(context, builder, signature, args):
        shape = ir.FunctionType(WORD, [WORD, WORD, WORD])
        function = builder.inttoptr(args[0], shape.as_pointer())
        return builder.call(function, args[1:])

    return types.int64(types.int64, types.int64, types.int64, types.int64), emit


def run_step(step, words, samples=0) -> None:
    """Call one compiled step from Python with an argument table, as the driver does; for tests and for timing.

    Raises
    ------
    RuntimeError
        When the kernel raised, which only bounds checks do.
    """
    table = np.array(words, np.int64)
    if step.ctypes(address_of(table), 0, samples) != 1:
        raise RuntimeError(f"{step.__name__}: a bounds check failed")
