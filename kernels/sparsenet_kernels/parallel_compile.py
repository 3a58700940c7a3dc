"""Compiling many kernels at once, on several cores: other processes compile into the cache beside this one.

Numba compiles under one lock, so threads of one process would wait for each other. The other processes are started as
``python -m sparsenet_kernels.parallel_compile``, which needs no guard around the caller's main module and works from
notebooks; they are told one kernel after the other, and answer each with a line. Whatever they fail to do is left to
this process.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import FunctionType
from typing import Any

from sparsenet_kernels.cache import cache_directory
from sparsenet_kernels.forks import preparing
from sparsenet_kernels.registry import Kernel, KernelCompileError, kernels
from sparsenet_kernels.step_abi import is_kept

__all__ = ["HELPER_BYTES", "compile_together"]

KERNELS_EACH = 3
"""Kernels that must be left to compile for each process that is started: it takes as long to start as one or two."""

MOST_HELPERS = 3
"""Processes that are started, at most."""

HELPER_BYTES = 150_000_000
"""What each of them takes of memory."""


def compile_together(wanted: Iterable[Kernel], cores: int) -> Iterator[Kernel]:
    """Compile kernels, on several cores where many are not in the cache, and yield each before its turn.

    Parameters
    ----------
    wanted : iterable of Kernel
        For the CPU.
    cores : int
        Cores that may be busy, each with :data:`HELPER_BYTES` of memory.

    Raises
    ------
    KernelCompileError
        When Numba cannot compile one of them.
    """
    left = {kernel.name: kernel for kernel in wanted if "step" not in vars(kernel)}
    absent = (kernel for kernel in left.values() if kernel.bundled and not is_kept(kernel))
    missing = deque(sorted(absent, key=lambda kernel: -_size(kernel.function, set())))  # none to wait for at the end
    helpers = min(cores - 1, len(missing) // KERNELS_EACH, MOST_HELPERS)
    helpers = helpers if helpers > 0 and _may_start() else 0
    with _helpers(missing, helpers):
        while kernel := _next(missing):
            yield left.pop(kernel.name)
            _ = kernel.step  # asking for it compiles it
    for kernel in left.values():
        yield kernel
        _ = kernel.step  # what others have compiled is read from the cache


def _size(function: Any, seen: set[FunctionType]) -> int:
    """Count the bytes of a kernel's Python code, helpers included: about 0.3 ms each to compile."""
    python = getattr(function, "py_func", function)
    if not isinstance(python, FunctionType) or python in seen:
        return 0
    seen.add(python)
    named = [python.__globals__.get(name) for name in python.__code__.co_names]
    closed_over = [cell.cell_contents for cell in python.__closure__ or ()]
    return len(python.__code__.co_code) + sum(_size(called, seen) for called in named + closed_over)


def _may_start() -> bool:
    """Tell whether processes may be started here, and would find what they compile for: the cache, and Python."""
    with preparing():
        from multiprocessing import parent_process  # which nobody needs whose kernels are compiled

    is_python = Path(sys.executable or "").stem.lower().startswith("python")  # and not a program around it
    return is_python and parent_process() is None and cache_directory() is not None


@contextmanager
def _helpers(missing: deque[Kernel], count: int) -> Iterator[None]:
    """Have processes take kernels from a queue, too; wait for them at the end, or end them with an error."""
    started: list[subprocess.Popen[str]] = []
    threads = [Thread(target=_feed, args=(missing, started), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    except BaseException:
        missing.clear()
        for process in started:
            process.kill()
        raise
    finally:
        for thread in threads:
            thread.join()


def _feed(missing: deque[Kernel], started: list[subprocess.Popen[str]]) -> None:
    """Start a process, and tell it kernels until none is left or it fails."""
    path = os.pathsep.join(folder for folder in sys.path if folder and isinstance(folder, str))  # as import has it
    try:
        with preparing():
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(cache_directory())],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        started.append(process)
        with process:
            assert process.stdin
            assert process.stdout
            while process.stdout.readline() and (kernel := _next(missing)):
                process.stdin.write(f"{kernel.name}\n")
                process.stdin.flush()
            process.stdin.write("\n")  # closing the pipe is no end where a forked child holds it open, too
    except OSError:  # it could not be started, or has ended
        return


def _next(missing: deque[Kernel]) -> Kernel | None:
    try:
        return missing.popleft()
    except IndexError:  # whoever asks whether any are left may be told so before another takes the last
        return None


def _serve(directory: str) -> None:
    """Compile the kernels that are named on the standard input, until an empty line; say a word before each."""
    if str(cache_directory()) != directory:
        return
    known = kernels()
    print("ready", flush=True)
    for line in sys.stdin:
        if not line.strip():
            return
        try:
            _ = known[line.strip()].step
        except KernelCompileError:
            return
        print("done", flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
