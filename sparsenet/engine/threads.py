"""When several cores may run at once, whatever threading layer Numba has found.

Numba's threading layers have limits that end the process: the workqueue layer aborts when two threads use it at once,
and GNU OpenMP kills a forked child at its first parallel call once the parent has made one. So a forked child runs
serially, and with the workqueue layer one call at a time runs in parallel, others serially beside it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numba

__all__ = ["parallel_turn"]

_one_at_a_time = threading.Lock()
_parallel_process: int | None = None


@contextmanager
def parallel_turn() -> Iterator[bool]:
    """Tell whether the caller may use Numba's threads now, and hold the right to for the length of the block.

    Examples
    --------
    >>> with parallel_turn() as allowed:
    ...     driver = "parallel" if allowed else "serial"
    """
    global _parallel_process
    if _parallel_process not in (None, os.getpid()):
        yield False  # forked from a process that has used the threads: they did not come along
        return
    if _layer() not in (None, "workqueue"):
        yield True
        return
    if not _one_at_a_time.acquire(blocking=False):
        yield False
        return
    try:
        _parallel_process = os.getpid()
        yield True
    finally:
        _one_at_a_time.release()


def _layer() -> str | None:
    """Name the threading layer, or None before the first parallel call has chosen it."""
    try:
        return str(numba.threading_layer())
    except ValueError:
        return None
