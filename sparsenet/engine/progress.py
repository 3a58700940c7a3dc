"""Showing what takes long: only to people, and only when it does."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from sparsenet_kernels.registry import Kernel

__all__ = ["tracker"]

PATIENCE_S = 0.5
"""Nothing is shown before this."""

T = TypeVar("T")


def tracker(progress: bool | None) -> Callable[[Iterable[Kernel]], Iterable[Kernel]]:
    """Return a function that shows which kernel is being compiled while it is iterated.

    Parameters
    ----------
    progress : bool or None
        Always, never, or (None) in terminals and notebooks.
    """

    def track(kernels: Iterable[Kernel]) -> Iterator[Kernel]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        todo = list(kernels)
        if progress is False or (progress is None and not (console.is_terminal or console.is_jupyter)):
            yield from todo
            return
        columns = TextColumn("compiling {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        display, began = Progress(*columns, console=console, transient=True), time.monotonic()
        task = display.add_task("", total=len(todo))
        try:
            for done, kernel in enumerate(todo):
                display.update(task, completed=done, description=kernel.name)
                if time.monotonic() - began > PATIENCE_S and not display.live.is_started:
                    display.start()
                yield kernel
        finally:
            display.stop()

    return track
