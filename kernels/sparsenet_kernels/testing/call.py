"""Calling a kernel on a case, as the engine calls it or as Python can."""

from collections.abc import Callable, Iterator, Mapping, Set
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from numba import config, njit

from sparsenet_kernels.arguments import DTYPES
from sparsenet_kernels.arguments import Argument as Declared
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.simd.amx import amx_available
from sparsenet_kernels.step_abi import SAMPLES, address_of, array_words, run_step
from sparsenet_kernels.testing.case import Argument, Array, Case, mismatch, unwritten
from sparsenet_kernels.testing.device import call_on_device, can_launch
from sparsenet_kernels.testing.memory import Guarded, guarded


def complaints(kernel: Kernel, case: Case) -> list[str]:
    """Call a kernel on a case and say everything that is wrong with what it did.

    The call is the engine's, through the compiled step. With ``NUMBA_BOUNDSCHECK=1`` it is that of the jitted function,
    whose ``IndexError`` says more; with ``NUMBA_DISABLE_JIT=1`` that of the Python source. Kernels for "cuda" are
    launched on copies on the device, or in Numba's simulator of one. A kernel of somebody's own is called with checked
    bounds first: what reaches far outside of its arrays could end the process.
    """
    if _is_unproven(kernel) and (outside := _outside(kernel, case)):
        return [outside]
    try:
        trespasses, arrays = _called(kernel, case)
        wrong = [mismatch(name, wanted, arrays[name]) for name, wanted in case.expected.items()]
        if case.holds is not None:
            wrong += case.holds(arrays)
        if any(wanted.has_unknown for wanted in case.expected.values()):
            _, again = _called(kernel, case.with_other_leftovers())
            threads = kernel.device == "cuda"
            for name, wanted in case.expected.items():
                wrong.append(unwritten(name, wanted, arrays[name], again[name], any_order=threads))
    except (IndexError, RuntimeError) as error:
        return [_said_outside(error)]
    return [*trespasses, *filter(None, wrong)]


def _called(kernel: Kernel, case: Case) -> tuple[list[str], dict[str, Array]]:
    """Call a kernel on copies between guards; return where it wrote what it must not, and the arrays."""
    written = {case.aliases.get(name, name) for name in case.expected} | case.scratch
    blocks = _blocks(kernel, case, written)
    given = _given(blocks, case)
    if kernel.device == "cuda":
        integers = {name: value for name, value in given.items() if isinstance(value, int)}
        call_on_device(kernel, blocks, case.aliases, integers)
    else:
        _call(kernel, given)
    return _trespasses(blocks, written), {name: value for name, value in given.items() if not isinstance(value, int)}


def _is_unproven(kernel: Kernel) -> bool:
    """Tell whether a kernel is somebody's own and runs as machine code here: it may be anything."""
    return not (kernel.bundled or kernel.device == "cuda" or config.DISABLE_JIT)


def _step_of(kernel: Kernel) -> Any:
    """Compile a kernel, or raise the error that says in one sentence why Numba cannot."""
    return kernel.step


def _outside(kernel: Kernel, case: Case) -> str:
    """Say where a kernel leaves its arrays, called with checked bounds on copies; "" where it does not."""
    _step_of(kernel)
    given = _given(_blocks(kernel, case, set(case.arguments)), case)
    try:
        _checked(kernel.source)(*(given[argument.name] for argument in kernel.arguments))
    except IndexError as error:
        return _said_outside(error)
    return ""


@cache
def _checked(source: Callable[..., None]) -> Any:
    """Compile a kernel once more, so that its own accesses are checked; those of other functions it calls are not."""
    return njit(error_model="numpy", boundscheck=True)(source)


def _said_outside(error: Exception) -> str:
    return f"it accesses memory outside of an array ({error})"


def _blocks(kernel: Kernel, case: Case, written: Set[str]) -> dict[str, Guarded]:
    return {name: guarded(case.arguments[name], name in written) for name in _own_arrays(kernel, case)}


def _given(blocks: Mapping[str, Guarded], case: Case) -> dict[str, Argument]:
    arrays = {name: block.array for name, block in blocks.items()}
    arrays |= {name: arrays[owner] for name, owner in case.aliases.items()}
    return arrays | {name: value for name, value in case.arguments.items() if isinstance(value, int)}


def can_run(kernel: Kernel) -> bool:
    """Tell whether a kernel can run here: on this device, with this processor's features, jitted or not."""
    if kernel.device == "cuda":
        return can_launch()
    if not kernel.features <= _features():
        return False
    if "amx-int8" in kernel.features and not amx_available():  # the system must give leave, too
        return False
    return not (config.DISABLE_JIT and uses_vectors(kernel.source))


def uses_vectors(function: FunctionType) -> bool:
    """Tell whether a function, or one that it calls, uses Numba intrinsics, which only compiled code can call."""
    return any(_is_intrinsic(value) for value in reached(function, set()))


def _own_arrays(kernel: Kernel, case: Case) -> list[str]:
    missing = [argument.name for argument in kernel.arguments if argument.name not in case.arguments]
    if missing:
        raise TypeError(
            f"expected {kernel.name} to take only {', '.join(case.arguments)}, got {', '.join(missing)}; "
            "pass cases of your own as case="
        )
    strange = [argument for argument in kernel.arguments if not _fits(argument, case.arguments[argument.name])]
    if strange:
        given = ", ".join(_described(argument.name, case.arguments[argument.name]) for argument in strange)
        raise TypeError(
            f"expected {kernel.name} to take {given}, got {', '.join(map(str, strange))}; pass cases of your own as "
            "case="
        )
    arrays = [argument.name for argument in kernel.arguments if argument.is_array]
    return [name for name in arrays if name not in case.aliases]


def _fits(argument: Declared, value: Argument) -> bool:
    """Tell whether a case holds what the kernel's line of arguments says; other axes would be other addresses."""
    if isinstance(value, int):
        return not argument.is_array
    return argument.is_array and value.ndim == len(argument.axes) and value.dtype == argument.numpy_dtype


def _described(name: str, value: Argument) -> str:
    if isinstance(value, int):
        return f"{name} int"
    dtype = next((short for short, (_, dtype) in DTYPES.items() if value.dtype == dtype), value.dtype)
    return f"{name} {dtype} of {value.ndim} axes"


def _call(kernel: Kernel, arguments: Mapping[str, Argument]) -> None:
    values = [arguments[argument.name] for argument in kernel.arguments]
    if config.DISABLE_JIT:
        with np.errstate(all="ignore"):  # compiled code warns of nothing
            kernel.source(*values)
    elif config.BOUNDSCHECK:
        kernel.function(*values)
    else:
        words = [word for argument in kernel.arguments for word in _words(argument.axes, arguments[argument.name])]
        run_step(kernel.step, words, _samples(kernel, arguments))


def _words(axes: tuple[str, ...], value: Argument) -> list[int]:
    """Give the words of one argument, with the samples' axis left to the call, as in the engine."""
    if isinstance(value, int):
        return [value]
    shape = (SAMPLES, *value.shape[1:]) if axes[0] == "B" else value.shape
    return array_words(shape, address=address_of(value))


def _samples(kernel: Kernel, arguments: Mapping[str, Argument]) -> int:
    batches = (arguments[argument.name] for argument in kernel.arguments if argument.axes[:1] == ("B",))
    first = next(batches, None)
    return 0 if first is None else len(first)


def _trespasses(blocks: Mapping[str, Guarded], written: Set[str]) -> list[str]:
    outside = [f"it writes outside of {name}" for name, block in blocks.items() if not block.intact]
    changed = [
        f"it changes its input {name}" for name, block in blocks.items() if name not in written and not block.unchanged
    ]
    return outside + changed


def _features() -> frozenset[str]:
    """Return the processor features that Numba compiles for, by LLVM's names."""
    from numba.core.registry import cpu_target

    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return frozenset(feature[1:] for feature in features.split(",") if feature.startswith("+"))


def reached(function: FunctionType, seen: set[FunctionType]) -> Iterator[Any]:
    """Yield the global and closed-over values that a function names, and those that functions among them name."""
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    for value in [function.__globals__[name] for name in sorted(names & function.__globals__.keys())] + cells:
        yield value
        called = getattr(value, "py_func", value)
        if isinstance(called, FunctionType) and called not in seen:
            seen.add(called)
            yield from reached(called, seen)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _is_intrinsic(value: Any) -> bool:
    return type(value).__name__ == "_Intrinsic"
