"""Which threading layer Numba's parallel loops would use, and whether it survives ``fork`` and several threads."""

import ctypes
import importlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ThreadingLayer", "has_tbb", "threading_layer"]

TBB = {"win32": "tbb12.dll", "darwin": "libtbb.12.dylib"}.get(sys.platform, "libtbb.so.12")
OLDEST_TBB = 12060
"""The oldest interface of TBB that Numba takes."""


@dataclass(frozen=True)
class ThreadingLayer:
    """What runs Numba's parallel loops.

    Attributes
    ----------
    name : str or None
        ``tbb``, ``omp`` or ``workqueue``; None when the environment asks for one that cannot be had.
    thread_safe : bool
        Whether several threads may run parallel loops at once; with workqueue the process is aborted.
    fork_safe : bool
        Whether a child of ``fork`` may run parallel loops after its parent did; with GNU OpenMP it is killed.
    """

    name: str | None
    thread_safe: bool
    fork_safe: bool


def threading_layer() -> ThreadingLayer:
    """Find out what Numba's parallel loops would run on here, without starting any thread."""
    numba: Any = importlib.import_module("numba")
    try:
        name: str | None = numba.threading_layer()
    except ValueError:  # nothing parallel has run yet
        wanted = _wanted(str(numba.config.THREADING_LAYER).lower(), numba.config.THREADING_LAYER_PRIORITY)
        name = next((layer for layer in wanted if _loads(layer)), None)
    gnu = name == "omp" and sys.platform == "linux"
    return ThreadingLayer(name, thread_safe=name in ("tbb", "omp"), fork_safe=name is not None and not gnu)


def _wanted(choice: str, priority: Iterable[str]) -> tuple[str, ...]:
    """List the layers that Numba tries for a setting of ``NUMBA_THREADING_LAYER``, in its order."""
    open_mp = () if sys.platform == "linux" else ("omp",)  # GNU OpenMP does not survive a fork
    choices = {
        "default": tuple(priority),
        "safe": ("tbb",),
        "threadsafe": ("tbb", "omp"),
        "forksafe": ("tbb", *open_mp, "workqueue"),
    }
    return choices.get(choice, (choice,))


def _loads(layer: str) -> bool:
    modules = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}
    if layer not in modules or (layer == "tbb" and not has_tbb()):
        return False
    try:
        importlib.import_module(f"numba.np.ufunc.{modules[layer]}")
    except ImportError:
        return False
    return True


def has_tbb() -> bool:
    """Say whether the TBB library can be loaded and is new enough for Numba.

    Numba asks the system for it by name only, which does not find it where pip puts it. Once it has been loaded from
    there, Numba finds it too, so this is asked before anything parallel runs.
    """
    try:
        found: int = _tbb().TBB_runtime_interface_version()
    except (OSError, AttributeError):
        return False
    return found >= OLDEST_TBB


def _tbb() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(TBB)
    except OSError:
        folder = Path(sys.prefix, "Library", "bin") if sys.platform == "win32" else Path(sys.prefix, "lib")
        return ctypes.CDLL(str(folder / TBB), mode=ctypes.RTLD_GLOBAL)
