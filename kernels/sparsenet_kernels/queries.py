"""The kernels that are registered, and how they are found: by name, by family, by what they compute."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from numba.core.registry import cpu_target

from sparsenet_kernels.forks import compiling
from sparsenet_kernels.record import Kernel

__all__ = [
    "DEVICES",
    "base_of",
    "find_kernel",
    "found_wrong",
    "kernels",
    "kernels_for",
    "load_all",
    "note_finding",
    "registered",
    "registered_temporarily",
    "remember",
    "variants_of",
]

_KERNELS: dict[str, dict[str, Kernel]] = {"cpu": {}, "cuda": {}}
DEVICES = tuple(_KERNELS)
_WRONG: set[Kernel] = set()


def remember(kernel: Kernel) -> None:
    """Register a record, in place of any of its name."""
    _KERNELS[kernel.device][kernel.name] = kernel
    _families.cache_clear()


def registered(name: str, device: str) -> Kernel | None:
    """Return the record of that name if it is there already; imports nothing, unlike :func:`kernels`."""
    return _KERNELS[device].get(name)


def kernels(device: str = "cpu") -> Mapping[str, Kernel]:
    """Return all kernels of a device by name; those of "cuda" need Numba's CUDA target, see the extra ``gpu``."""
    load_all(device)
    return MappingProxyType(_KERNELS[device])


def base_of(name: str) -> str:
    """Return a kernel's name without its variant; of names that nobody registered, too.

    Examples
    --------
    >>> base_of("linear_f32_dense_dense__wide"), base_of("linear_f32_csc_active")
    ('linear_f32_dense_dense', 'linear_f32_csc_active')
    """
    return name.partition("__")[0]


def variants_of(name: str, device: str = "cpu") -> tuple[Kernel, ...]:
    """Return the kernels that take the same arguments as the one named, itself among them, in registered order.

    Parameters
    ----------
    name : str
        A kernel's name, with its variant or without.
    device : str

    Examples
    --------
    >>> [kernel.variant for kernel in variants_of("linear_f32_dense_dense")]
    ['wide', 'narrow', 'single']
    """
    load_all(device)
    return _families(device).get(base_of(name), ())


def find_kernel(name: str, device: str = "cpu") -> Kernel:
    """Return the record of a kernel; for a name without variant, that of its first variant.

    All variants have the same operation, dtype, weights, inputs and arguments.

    Raises
    ------
    ValueError
        When no kernel of that name is registered.

    Examples
    --------
    >>> found = find_kernel("conv2d_pool2_f32_csr_dense")
    >>> found.operation, found.fused, found.weights, found.inputs, found.base
    ('conv2d', 'pool2', 'csr', 'dense', 'conv2d_pool2_f32_csr_dense')
    """
    known = kernels(device)
    if name not in known and name not in _families(device):
        close = ", ".join(get_close_matches(name, known, 3, 0))
        raise ValueError(f"expected the name of a registered kernel, got {name!r}; close to it are {close}")
    return known[name] if name in known else _families(device)[name][0]


def kernels_for(operation: str, dtype: str = "f32", *, fused: str = "", device: str = "cpu") -> tuple[Kernel, ...]:
    """Return the kernels of an operation in a number type, those registered elsewhere among them.

    Parameters
    ----------
    operation, dtype : str
        As in the record: "conv2d" and "f32" or "i8".
    fused : str
        What they must do besides, "pool2" say; those that do nothing besides where it is left out.
    device : str

    Examples
    --------
    >>> [kernel.name for kernel in kernels_for("conv2d", "i8", fused="pool2") if kernel.weights == "octets"]
    ['conv2d_pool2_i8_octets_dense__amx']
    """
    wanted = operation, dtype, fused
    return tuple(
        kernel for kernel in kernels(device).values() if (kernel.operation, kernel.dtype, kernel.fused) == wanted
    )


@cache
def _families(device: str) -> Mapping[str, tuple[Kernel, ...]]:
    """Group the kernels of a device by their names without variants: going through all took a quarter of planning."""
    grouped: dict[str, tuple[Kernel, ...]] = {}
    for known in _KERNELS[device].values():
        grouped[known.base] = (*grouped.get(known.base, ()), known)
    return grouped


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
        _families.cache_clear()


@cache  # going through 25 imports at each look-up took a fifth of planning a deep network
def load_all(device: str = "cpu") -> None:
    """Import the modules that register a device's kernels."""
    if device not in _KERNELS:
        raise ValueError(f"expected a device of {', '.join(_KERNELS)}, got {device!r}")
    with compiling():
        from sparsenet_kernels import cpu, cuda

        (cpu if device == "cpu" else cuda).register_all()
        _ = cpu_target.target_context  # made now: Numba makes it under a lock that a fork would not wait for
