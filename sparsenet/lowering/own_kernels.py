"""Find kernels registered outside of this package that can replace one of its kernels."""

from collections.abc import Iterable

from sparsenet.errors import CompileError
from sparsenet_kernels.registry import Kernel, found_wrong, kernels, variants_of

__all__ = ["check_stands_in", "is_own", "own_kernels_registered", "stand_ins"]


def is_own(name: str) -> bool:
    """Tell whether a kernel was registered outside of this package.

    Examples
    --------
    >>> is_own("linear_f32_csc_active")
    False
    """
    return name in kernels() and not kernels()[name].bundled


def own_kernels_registered() -> bool:
    """Tell whether any kernel was registered outside of this package; mostly none was, and the search is skipped.

    Examples
    --------
    >>> own_kernels_registered()
    False
    """
    return not all(kernel.bundled for kernel in kernels().values())


def stand_ins(name: str, features: Iterable[str]) -> tuple[str, ...]:
    """List the kernels registered outside of this package that take what one of its kernels takes; none found wrong.

    Parameters
    ----------
    name : str
        A kernel of this package, with its variant or without.
    features : iterable of str
        What the processor has; a kernel that needs more is left out.

    Examples
    --------
    >>> stand_ins("linear_f32_csc_active", ())
    ()
    """
    bundled, has = _example_of(name), frozenset(features)
    return tuple(
        own.name
        for own in variants_of(name)
        if not (own.bundled or found_wrong(own) or bundled is None)
        and (_taken(own) == _taken(bundled) and own.features <= has)
    )


def check_stands_in(name: str, instead_of: str) -> None:
    """Check that a kernel registered outside of this package takes what the one takes that it replaces.

    Raises
    ------
    CompileError
        When it takes other arguments.
    """
    bundled = _example_of(instead_of)
    if not is_own(name) or bundled is None:
        return
    own = kernels()[name]
    if own not in variants_of(instead_of) or _taken(own) != _taken(bundled):
        raise CompileError(
            f"expected {name} to take the arguments of {bundled.name}, {_written(bundled)}; got {_written(own)}"
        )


def _example_of(name: str) -> Kernel | None:
    """Find a kernel of this package by its name, or any variant of it: all variants take the same arguments."""
    found = [kernel for kernel in variants_of(name) if kernel.bundled]
    return next((kernel for kernel in found if kernel.name == name), found[0] if found else None)


def _taken(kernel: Kernel) -> list[tuple[str, str, int]]:
    """Give the arguments without the letters of their axes, which are only names."""
    return [(argument.name, argument.dtype, len(argument.axes)) for argument in kernel.arguments]


def _written(kernel: Kernel) -> str:
    return "; ".join(str(argument) for argument in kernel.arguments)
