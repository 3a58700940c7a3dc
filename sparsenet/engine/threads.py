"""Decide when several cores may run at once, for each of Numba's threading layers.

Numba's threading layers have limits that end the process: the workqueue layer aborts when two threads use it at once,
and GNU OpenMP kills a forked child at its first parallel call once the parent has made one. So a forked child runs
serially, and with the workqueue layer one call at a time runs in parallel, others serially beside it. TBB, where the
process has one core only, makes no thread at all; if not the main thread started it, Python waits for ever when it ends
(numba issue 10556, oneTBB issue 2056). There, too, everything runs serially.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numba

from sparsenet.engine.thread_launch import launch_apart
from sparsenet.machine.cores import whole_cores
from sparsenet.machine.threading_layer import threading_layer
from sparsenet_kernels.forks import preparing

__all__ = ["claim_threads", "ends_cleanly", "parallel_turn"]

_one_at_a_time = threading.Lock()
_owners: list[int] = []
"""The process whose threads Numba has started, once it has; a forked child inherits the list but not the threads."""


def ends_cleanly() -> bool:
    """Tell whether Python can end after Numba's threads have been started: not with TBB on one core."""
    if whole_cores() > 1:
        return True
    with preparing():  # finding out loads what Numba would load
        return threading_layer().name != "tbb"


def claim_threads() -> None:
    """Note that this process starts Numba's threads, as compiling for them may do."""
    if not _owners:
        _owners.append(os.getpid())
        launch_apart()  # so that the caller's own OpenMP settings, torch's among them, stay as they are


@contextmanager
def parallel_turn() -> Iterator[bool]:
    """Tell whether the caller may use Numba's threads now, and reserve them for the length of the block.

    Examples
    --------
    >>> with parallel_turn() as allowed:
    ...     driver = "parallel" if allowed else "serial"
    """
    claim_threads()
    if _owners[0] != os.getpid():
        yield False
    elif _layer() not in (None, "workqueue"):
        yield True
    elif not _one_at_a_time.acquire(blocking=False):
        yield False
    else:
        try:
            yield True
        finally:
            _one_at_a_time.release()


def _layer() -> str | None:
    """Name the threading layer, or None before the first parallel call has chosen it."""
    try:
        return str(numba.threading_layer())  # type: ignore[attr-defined, no-untyped-call, unused-ignore]
    except ValueError:
        return None
