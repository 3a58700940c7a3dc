"""What a fork must not tear apart: a kernel that is being compiled, a module being imported, a process being started.

A forked child has one thread. A lock that another thread held at the fork stays locked in the child for ever, and what
that thread was changing stays half changed: Numba's compiler, LLVM, Python's modules. So a fork waits, in the parent,
until none of this is going on, and the child finds all of it at rest. That takes as long as one kernel takes to compile
at most, since a waiting fork comes before the next kernel. A child that was forked nonetheless, because somebody else's
function compiles for longer than :data:`LONGEST_WAIT_S`, may call engines, but not compile.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Self, TypeVar, overload

from llvmlite.binding import ffi
from numba.core.compiler_lock import global_compiler_lock

__all__ = ["TornError", "compiling", "kept_property", "preparing", "refuse_torn"]

T = TypeVar("T")

LONGEST_WAIT_S = 30.0
"""A fork waits for others no longer than this."""


class TornError(RuntimeError):
    """Nothing can be compiled: another thread compiled when this process was forked, and left Numba half changed."""


class kept_property(Generic[T]):  # noqa: N801  (it is written as property is)
    """A value that is computed when it is first asked for, as ``functools.cached_property`` has it, without a lock.

    Python 3.11 holds one lock for all objects of a class while a value is computed. Here two threads may both compute
    it, and both get the one that was there first: compiled code stays alive as long as the object that it was kept in.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else vars(instance).setdefault(self.name, self.function(instance))


_turn = threading.RLock()
_compiling, _preparing = threading.RLock(), threading.RLock()
_mine = threading.local()
"""How many of the locks this thread holds (``depth``), and those that it took for a fork (``taken``)."""

_forking: list[int] = []
"""The threads that fork, or wait to."""

_torn: list[bool] = []


@contextmanager
def compiling() -> Iterator[None]:
    """Compile, or import what registers kernels; forks wait for the end of the block.

    Raises
    ------
    TornError
        In a child that did not wait.
    """
    refuse_torn()
    with _kept_from_forks(_compiling):
        yield


@contextmanager
def preparing() -> Iterator[None]:
    """Import modules, or start a process; forks wait for the end of the block.

    A module that is half imported stays so in the child. A process that is started shares its pipes with the child, and
    whoever waits for their end would wait for the child.
    """
    with _kept_from_forks(_preparing):
        yield


def refuse_torn() -> None:
    """Raise TornError in a child that was forked while another thread compiled."""
    if _torn:
        raise TornError(
            "this process was forked while another thread compiled, so nothing more can be compiled in it; compile "
            'before forking, or start processes with multiprocessing\'s "spawn"'
        )


@contextmanager
def _kept_from_forks(lock: Any) -> Iterator[None]:
    depth = getattr(_mine, "depth", 0)
    with lock:
        if not depth:
            _let_forks_pass(lock)
        _mine.depth = depth + 1
        try:
            yield
        finally:
            _mine.depth = depth


def _let_forks_pass(lock: Any) -> None:
    """Leave a lock once to the forks that wait: they want all locks, and would hardly find them free.

    No more than once: where many threads fork all the time, a thread that always let them pass waited for minutes.
    """
    if set(_forking) - {threading.get_ident()}:
        lock.release()
        with _turn:
            pass
        lock.acquire()


def _locks() -> list[Any]:
    """List the locks that a fork waits for, in the order in which all who need several take them."""
    theirs = [getattr(global_compiler_lock, "_lock", None), getattr(getattr(ffi.lib, "_lock", None), "_lock", None)]
    return [_turn, _preparing, _compiling, *(lock for lock in theirs if hasattr(lock, "acquire"))]


def _before_fork() -> None:
    _forking.append(threading.get_ident())
    deadline = time.monotonic() + LONGEST_WAIT_S
    _mine.taken = [
        (lock, lock.acquire(timeout=max(0.0, deadline - time.monotonic())))  # together no longer than one alone
        for lock in _locks()
    ]


def _after_fork() -> None:
    _forking.remove(threading.get_ident())
    for lock, is_taken in reversed(_mine.taken):
        if is_taken:
            lock.release()


def _after_fork_in_child() -> None:
    if not all(is_taken for _, is_taken in _mine.taken):
        _torn.append(True)
    _forking[:] = [threading.get_ident()]  # others fork in the parent only
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
