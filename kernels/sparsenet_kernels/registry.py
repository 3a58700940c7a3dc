"""One record per kernel. Whatever is registered is tested, timed, listed, and open to the planner.

A kernel is an ordinary function of arrays with the decorator :func:`kernel`, whose ``arguments`` line says what it
takes, letter by letter:

    @kernel("linear", weights="csc", inputs="active", arguments='''
        columns i32[B, K]; values f32[B, K]; indptr i32[D1]; rows i32[Z]; weights f32[Z]; bias f32[N]; out f32[B, N]
    ''')
    def linear_f32_csc_active(columns, values, indptr, rows, weights, bias, out): ...

Its name follows ``<operation>_<dtype>_<weights>_<inputs>[__<variant>]``; operations without weights leave the last two
out. Registering compiles nothing. Each device has kernels of its own, so the same name may stand for one on each.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from numba.core.errors import NumbaError
from numba.core.registry import cpu_target

from sparsenet_kernels.arguments import DTYPES, Argument, check_names, parse
from sparsenet_kernels.compile_errors import in_short
from sparsenet_kernels.forks import TornError, compiling, kept_property
from sparsenet_kernels.jit import compiled

__all__ = [
    "Argument",
    "Kernel",
    "KernelCompileError",
    "found_wrong",
    "kernel",
    "kernels",
    "load_all",
    "note_finding",
    "registered_temporarily",
]

BUNDLED = ("sparsenet_kernels.cpu.", "sparsenet_kernels.cuda.")
"""Modules whose kernels come with this package; all others are somebody's own."""


class KernelCompileError(ValueError):
    """Numba cannot compile a kernel; the message says why, and where."""


@dataclass(frozen=True)
class Kernel:
    """What is known of a kernel.

    Attributes
    ----------
    name, operation, dtype, weights, inputs, variant : str
        The parts of the name; "" where a part is left out.
    device : str
        "cpu" or "cuda".
    blocks, threads : str
        On "cuda" only: the axes, such as "B R", for each of whose places there is a block, and the axis that the
        threads of a block share out.
    features : frozenset of str
        CPU features without which it cannot run, by LLVM's names; empty for generic kernels.
    arguments : tuple of Argument
    function : callable
        The kernel, jitted but not compiled.
    reference : callable or None
        For operations of one's own: what it must compute, in NumPy, from the arguments it names.
    """

    name: str
    operation: str
    dtype: str
    weights: str
    inputs: str
    variant: str
    device: str
    features: frozenset[str]
    arguments: tuple[Argument, ...]
    function: Any
    blocks: str = ""
    threads: str = ""
    reference: Callable[..., Any] | None = None

    @kept_property
    def step(self) -> Any:
        """The compiled C function the engine calls; compiled, or read from the cache, when first asked for.

        Raises
        ------
        KernelCompileError
            When Numba cannot compile the kernel.
        """
        return self.compile_step(kept=True)

    def compile_step(self, kept: bool) -> Any:
        """Compile the step that calls this kernel; ``kept`` in the cache, or read from it, if the kernel is bundled.

        Raises
        ------
        KernelCompileError
            When Numba cannot compile the kernel, or this process was forked while it compiled another.
        """
        from sparsenet_kernels.step_abi import compile_step

        types_of = [argument.numba_type for argument in self.arguments]
        try:
            with compiling():
                return compile_step(self.name, self.function, types_of, kept and self.bundled)
        except NumbaError as error:
            raise KernelCompileError(f"{self.name} cannot be compiled: {in_short(str(error))}") from None
        except TornError as error:
            raise KernelCompileError(str(error)) from None

    @property
    def bundled(self) -> bool:
        """Whether this kernel comes with the package, rather than from somebody who uses it."""
        return self.source.__module__.startswith(BUNDLED)

    @property
    def source(self) -> Callable[..., None]:
        """The Python function that was compiled."""
        # NUMBA_DISABLE_JIT wraps nothing
        python: Callable[..., None] = getattr(self.function, "py_func", self.function)
        return python


_KERNELS: dict[str, dict[str, Kernel]] = {"cpu": {}, "cuda": {}}
_WRONG: set[Kernel] = set()


def kernel(
    operation: str,
    *,
    arguments: str,
    weights: str = "",
    inputs: str = "",
    dtype: str = "f32",
    variant: str = "",
    features: tuple[str, ...] = (),
    device: str = "cpu",
    blocks: str = "",
    threads: str = "",
    reference: Callable[..., Any] | None = None,
    jit: Callable[[Callable[..., None]], Any] = compiled,
) -> Callable[[Callable[..., None]], Any]:
    """Register a kernel; see the module's text. Those of "cuda" come by way of ``sparsenet_kernels.cuda.launch``.

    A kernel of your own, as a new ``variant``, is a candidate for the planner where its operation, weights, inputs and
    arguments are those of a kernel of this package. An operation of your own is tested against the ``reference`` that
    comes with it. Running a notebook's cell again registers its kernel again, in place of the earlier one.

    Returns
    -------
    decorator
        It returns the jitted function, so that other kernels can call it.

    Raises
    ------
    ValueError
        When the name does not follow from the parts, or is taken; when an argument cannot be read, or the arguments are
        not those of the function.
    TypeError
        When ``features`` is no tuple, or ``reference`` no function.
    """
    _check_parts(weights, inputs, dtype, features, device, reference)
    parts = [operation, dtype, *([weights, inputs] if weights else [])]
    name = "_".join(parts) + (f"__{variant}" if variant else "")

    def register(function: Callable[..., None]) -> Any:
        if not variant and function.__name__ != name:
            raise ValueError(
                f"expected a kernel called {name}, got {function.__name__}; "
                "name the function so, or say variant=, with which it may have any name"
            )
        if name in _KERNELS[device] and not _is_newer(function, _KERNELS[device][name]):
            raise ValueError(
                f"expected a kernel name of its own, got {name} twice; another variant= makes another name"
            )
        parsed = parse(arguments)
        check_names(parsed, function)
        jitted = jit(function)
        what = operation, dtype, weights, inputs, variant, device, frozenset(features)
        _KERNELS[device][name] = Kernel(name, *what, parsed, jitted, blocks, threads, reference)
        return jitted

    return register


def kernels(device: str = "cpu") -> Mapping[str, Kernel]:
    """Return all kernels of a device by name; those of "cuda" need Numba's CUDA target, see the extra ``gpu``."""
    load_all(device)
    return MappingProxyType(_KERNELS[device])


def note_finding(kernel: Kernel, wrong: bool) -> None:
    """Remember what the differential suite found of a kernel; one registered anew is another kernel."""
    (_WRONG.add if wrong else _WRONG.discard)(kernel)


def found_wrong(kernel: Kernel) -> bool:
    """Tell whether the differential suite found it wrong: it may write outside of its arrays, so nobody tries it."""
    return kernel in _WRONG


@contextmanager
def registered_temporarily() -> Iterator[None]:
    """Forget, at the end of the ``with`` block, every kernel that was registered in it; for tests and experiments."""
    load_all()
    before = {device: frozenset(known) for device, known in _KERNELS.items()}
    try:
        yield
    finally:
        for device, known in _KERNELS.items():
            for name in known.keys() - before[device]:
                del known[name]


@cache  # going through 25 imports at each look-up took a fifth of planning a deep network
def load_all(device: str = "cpu") -> None:
    """Import the modules that register a device's kernels."""
    if device not in _KERNELS:
        raise ValueError(f"expected a device of {', '.join(_KERNELS)}, got {device!r}")
    with compiling():
        from sparsenet_kernels import cpu, cuda

        (cpu if device == "cpu" else cuda).register_all()
        _ = cpu_target.target_context  # made now: Numba makes it under a lock that a fork would not wait for


def _check_parts(
    weights: str, inputs: str, dtype: str, features: tuple[str, ...], device: str, reference: Callable[..., Any] | None
) -> None:
    if dtype not in DTYPES:
        raise ValueError(f"expected dtype among {', '.join(DTYPES)}, got {dtype!r}")
    if device not in _KERNELS:
        raise ValueError(f"expected a device of {', '.join(_KERNELS)}, got {device!r}")
    if bool(weights) != bool(inputs):
        raise ValueError(f"expected weights= and inputs=, or neither, got weights={weights!r} and inputs={inputs!r}")
    if isinstance(features, str):
        raise TypeError(f"expected features as a tuple of names, got {features!r}; write ({features!r},)")
    if reference is not None and not callable(reference):
        raise TypeError(f"expected reference as a function of arrays, got {type(reference).__name__}")


def _is_newer(function: Callable[..., None], known: Kernel) -> bool:
    """Tell whether a function is somebody's own kernel as it was written again, in a notebook say."""
    old = known.source
    return not known.bundled and (function.__module__, function.__name__) == (old.__module__, old.__name__)
