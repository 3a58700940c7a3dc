"""Run many small tasks in a few processes, in order; each process gets the shared data once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from sparsenet.errors import SparsenetError

__all__ = ["work_through"]

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

_here: dict[str, Any] = {}  # in a worker process: the function, and what its tasks share


def work_through(
    function: Callable[[Shared, Task], Result], shared: Shared, tasks: Sequence[Task], jobs: int = 1
) -> Iterator[Result]:
    """Yield ``function(shared, task)`` for each task, in order.

    Parameters
    ----------
    function : callable
        A function of a module, so that new processes can import it.
    shared : object
        Sent to each process once.
    tasks : sequence
    jobs : int
        Processes; with one, everything runs in this process. Processes are started anew on every system, not copied,
        so a script that asks for more than one needs ``if __name__ == "__main__"``.

    Raises
    ------
    SparsenetError
        If ``jobs`` is below one.

    Examples
    --------
    >>> list(work_through(pow, 2, [1, 2, 3]))
    [2, 4, 8]
    """
    if jobs < 1:
        raise SparsenetError(f"expected jobs >= 1, got {jobs}")
    if jobs == 1:
        return (function(shared, task) for task in tasks)
    return _in_processes(function, shared, tasks, jobs)


def _in_processes(
    function: Callable[[Shared, Task], Result], shared: Shared, tasks: Sequence[Task], jobs: int
) -> Iterator[Result]:
    chunk = max(1, min(16, len(tasks) // (4 * jobs)))
    with (
        _one_thread_each(),
        ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_remember, initargs=(function, shared)) as pool,
    ):
        yield from pool.map(_call, tasks, chunksize=chunk)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let new processes use one BLAS thread each. With two, the mel filter took 40 times as long."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _remember(function: Callable[..., Any], shared: Any) -> None:
    _here.update(function=function, shared=shared)


def _call(task: Any) -> Any:
    return _here["function"](_here["shared"], task)
