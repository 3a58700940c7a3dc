"""One record per kernel. Whatever is registered is tested, timed, listed, and open to the planner.

A kernel is an ordinary function of arrays with the decorator :func:`kernel`, whose ``arguments`` line says what it
takes: the role of each argument, its name and type, and a letter for each axis:

    @kernel("linear", weights="csc", inputs="active", arguments='''
        in columns i32[B, K]; in values f32[B, K]; index indptr i32[D1]; index rows i32[Z]; weight weights f32[Z];
        constant bias f32[N]; out out f32[B, N]
    ''')
    def linear_f32_csc_active(columns, values, indptr, rows, weights, bias, out): ...

Roles are those of :data:`sparsenet_kernels.arguments.ROLES`; whoever calls a kernel gives arguments by name. A line
without roles is read so: integers are constants, the last array is written, the others are inputs.

Its name follows ``<operation>_<dtype>_<weights>_<inputs>[__<variant>]``; operations without weights leave the last two
out, and what is fused behind the operation follows it, as in ``conv2d_pool2_f32_csr_dense``. The record has the parts:
ask it, :func:`find_kernel`, :func:`variants_of` or :func:`kernels_for`, and take no name apart. Registering compiles
nothing. Each device has kernels of its own, so the same name may stand for one on each.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import signature
from types import MappingProxyType
from typing import Any

from sparsenet_kernels.arguments import DTYPES, Argument, check_names, parse, with_roles
from sparsenet_kernels.jit import compiled
from sparsenet_kernels.queries import (
    DEVICES,
    base_of,
    find_kernel,
    found_wrong,
    kernels,
    kernels_for,
    load_all,
    note_finding,
    registered,
    registered_temporarily,
    remember,
    variants_of,
)
from sparsenet_kernels.record import Kernel, KernelCompileError, base_name

__all__ = [
    "Argument",
    "Kernel",
    "KernelCompileError",
    "base_name",
    "base_of",
    "find_kernel",
    "found_wrong",
    "kernel",
    "kernels",
    "kernels_for",
    "load_all",
    "note_finding",
    "registered_temporarily",
    "variants_of",
]

FUSED = ("pool2",)
"""What kernels of this package do behind their operation: the largest of each 2 x 2 outputs."""


def kernel(
    operation: str,
    *,
    arguments: str,
    weights: str = "",
    inputs: str = "",
    dtype: str = "f32",
    variant: str = "",
    fused: str = "",
    features: tuple[str, ...] = (),
    device: str = "cpu",
    blocks: str = "",
    threads: str = "",
    packing: Mapping[str, int] = MappingProxyType({}),
    reference: Callable[..., Any] | str | None = None,
    jit: Callable[[Callable[..., None]], Any] = compiled,
) -> Callable[[Callable[..., None]], Any]:
    """Register a kernel; see the module's text. Those of "cuda" come by way of ``sparsenet_kernels.cuda.launch``.

    A kernel of your own, as a new ``variant``, is a candidate for the planner where its operation, weights, inputs and
    arguments are those of a kernel of this package. An operation of your own is tested against the ``reference`` that
    comes with it: a function, or the name of one of :mod:`sparsenet_kernels.reference`. Running a notebook's cell again
    registers its kernel again, in place of the earlier one.

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
    _check_parts(weights, inputs, dtype, features, device)
    meant = _found(reference)
    operation, fused = _apart(operation, fused)
    base = base_name(operation, dtype, weights, inputs, fused)
    name = f"{base}__{variant}" if variant else base

    def register(function: Callable[..., None]) -> Any:
        _check_name(name, variant, device, function)
        parsed = parse(arguments)
        check_names(parsed, function)
        parsed = with_roles(parsed, _names_taken(meant))
        jitted = jit(function)
        what = operation, dtype, weights, inputs, variant, device, frozenset(features)
        remember(Kernel(name, *what, parsed, jitted, blocks, threads, meant, fused, dict(packing)))
        return jitted

    return register


def _check_parts(weights: str, inputs: str, dtype: str, features: tuple[str, ...], device: str) -> None:
    if dtype not in DTYPES:
        raise ValueError(f"expected dtype among {', '.join(DTYPES)}, got {dtype!r}")
    if device not in DEVICES:
        raise ValueError(f"expected a device of {', '.join(DEVICES)}, got {device!r}")
    if bool(weights) != bool(inputs):
        raise ValueError(f"expected weights= and inputs=, or neither, got weights={weights!r} and inputs={inputs!r}")
    if isinstance(features, str):
        raise TypeError(f"expected features as a tuple of names, got {features!r}; write ({features!r},)")


def _check_name(name: str, variant: str, device: str, function: Callable[..., None]) -> None:
    """Refuse a function of another name than the parts make, and a name that another kernel has."""
    if not variant and function.__name__ != name:
        raise ValueError(
            f"expected a kernel called {name}, got {function.__name__}; "
            "name the function so, or say variant=, with which it may have any name"
        )
    known = registered(name, device)
    if known is not None and not _is_newer(function, known):
        raise ValueError(f"expected a kernel name of its own, got {name} twice; another variant= makes another name")


def _found(reference: Callable[..., Any] | str | None) -> Callable[..., Any] | None:
    """Find a function of the reference that is given by its name: modules of kernels never import the reference."""
    if reference is None or callable(reference):
        return reference
    if not isinstance(reference, str):
        raise TypeError(f"expected reference as a function of arrays, got {type(reference).__name__}")
    from sparsenet_kernels import reference as functions

    if reference not in functions.__all__:
        close = ", ".join(get_close_matches(reference, functions.__all__, 3, 0))
        raise ValueError(f"expected the name of a function of the reference, such as {close}, got {reference!r}")
    found: Callable[..., Any] = getattr(functions, reference)
    return found


def _names_taken(reference: Callable[..., Any] | None) -> list[str] | None:
    """List the arguments of a reference; None where there is no reference, or it does not tell them, as in C."""
    try:
        return None if reference is None else list(signature(reference).parameters)
    except ValueError:
        return None


def _apart(operation: str, fused: str) -> tuple[str, str]:
    """Take an operation and what is fused behind it apart where they are given in one, as ``conv2d_pool2``."""
    for known in FUSED:
        if not fused and operation.endswith(f"_{known}"):
            return operation.removesuffix(f"_{known}"), known
    return operation, fused


def _is_newer(function: Callable[..., None], known: Kernel) -> bool:
    """Tell whether a function is somebody's own kernel as it was written again, in a notebook say."""
    old = known.source
    return not known.bundled and (function.__module__, function.__name__) == (old.__module__, old.__name__)
