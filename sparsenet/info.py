"""What a result or a bug report must name: versions, machine, threads, kernel cache."""

import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsenet.machine.cores import usable_cores
from sparsenet.machine.facts import Machine, machine
from sparsenet.machine.memory import Memory, memory
from sparsenet.machine.summary import caches_text, hardware_line
from sparsenet.machine.threading_layer import ThreadingLayer, threading_layer
from sparsenet.table_style import ruled
from sparsenet.tables import as_html, as_size, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Info", "KernelCacheInfo", "info", "machine_line", "versions_line"]

PACKAGES = ("sparsenet", "numpy", "scipy", "numba", "llvmlite", "safetensors", "soundfile", "onnxruntime", "torch")


@dataclass(frozen=True)
class KernelCacheInfo:
    """Where compiled kernels are kept.

    Attributes
    ----------
    directory : str or None
        None where none can be used, or the cache is switched off.
    entries, size_bytes : int
        Files and their sizes.
    """

    directory: str | None
    entries: int
    size_bytes: int


@dataclass(frozen=True)
class Info:
    """An installation and the machine it is on.

    Attributes
    ----------
    versions : dict of str to (str or None)
        By distribution, and ``python`` and ``llvm``; None where it is not installed.
    machine : Machine
    memory : Memory
    usable_cores : int
        Those that this process may keep busy; see :func:`sparsenet.machine.cores.usable_cores`.
    threading_layer : ThreadingLayer
    kernel_cache : KernelCacheInfo
    """

    versions: dict[str, str | None]
    machine: Machine
    memory: Memory
    usable_cores: int
    threading_layer: ThreadingLayer
    kernel_cache: KernelCacheInfo

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return asdict(self) | {"machine": self.machine.to_dict(), "memory": self.memory.to_dict()}

    def __repr__(self) -> str:
        return f"<Info: sparsenet {self.versions['sparsenet']} on {self.machine.model or self.machine.llvm_name}>"

    def __rich__(self) -> "Table":
        return _table(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def info() -> Info:
    """Describe this installation and this machine.

    Returns
    -------
    Info
        Prints as a table in a terminal and in a notebook.

    Examples
    --------
    >>> info().versions["numba"] is not None
    True
    """
    return Info(
        versions=_versions(),
        machine=machine(),
        memory=memory(),
        usable_cores=usable_cores(),
        threading_layer=threading_layer(),
        kernel_cache=_kernel_cache(),
    )


def machine_line(about: Info) -> str:
    """Give in one line the machine and the versions that a result was measured with."""
    return f"{hardware_line(about.machine, about.usable_cores, about.memory)}; {versions_line(about)}"


def versions_line(about: Info) -> str:
    """Give in one line the versions that a result was measured with."""
    return ", ".join(f"{name} {found}" for name, found in about.versions.items() if name in SHOWN and found)


SHOWN = ("sparsenet", "python", "numpy", "numba", "llvmlite", "llvm", "onnxruntime")
"""The versions that a measurement depends on."""


def _versions() -> dict[str, str | None]:
    from llvmlite.binding import llvm_version_info

    llvm = ".".join(str(part) for part in llvm_version_info)
    found = {name: _version(name) for name in PACKAGES}
    return {"sparsenet": found.pop("sparsenet"), "python": platform.python_version(), **found, "llvm": llvm}


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _kernel_cache() -> KernelCacheInfo:
    from sparsenet_kernels.cache import cache_directory

    directory = cache_directory()
    if directory is None:
        return KernelCacheInfo(None, 0, 0)
    sizes = [size for size in map(_size_bytes, Path(directory).iterdir()) if size is not None]
    return KernelCacheInfo(str(directory), len(sizes), sum(sizes))


def _size_bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:  # another process may have removed it
        return None


def _table(about: Info) -> "Table":
    table = ruled("sparsenet on this machine", ("", ""))
    table.show_header = False
    for name, value in _rows(about):
        table.add_row(name, printable(value))
    return table


def _rows(about: Info) -> Iterable[tuple[str, str]]:
    here, layer, cache = about.machine, about.threading_layer, about.kernel_cache
    yield from ((name, found or "not installed") for name, found in about.versions.items())
    yield "cpu", f"{here.model or 'unknown'} ({here.architecture}; LLVM says {here.llvm_name})"
    yield "features", " ".join(here.features) or "none of note"
    yield "vectors", f"{here.vector_bits} bits"
    yield "caches", caches_text(here)
    yield "cores", f"{about.usable_cores} usable of {here.logical_cores}"
    yield "memory", about.memory.line().removeprefix("memory ")
    yield "threading layer", _layer_text(layer)
    kept = f"{cache.directory} ({cache.entries:,} files, {as_size(cache.size_bytes)})"
    yield "compiled kernels", kept if cache.directory else "not kept"


def _layer_text(layer: ThreadingLayer) -> str:
    if layer.name is None:
        return "none can be loaded"
    threads = "several threads may use it" if layer.thread_safe else "only one thread at a time may use it"
    forks = "survives fork" if layer.fork_safe else "does not survive fork"
    return f"{layer.name}: {threads}, {forks}"
