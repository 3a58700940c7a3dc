"""Showing how far something has come: only to people, and only when it takes long."""

import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["tracked"]

PATIENCE_S = 0.7
"""Nothing is shown before this."""

T = TypeVar("T")


def tracked(
    items: Iterable[T], doing: str | Callable[[T], str], progress: bool | None, total: int | None = None
) -> Iterator[T]:
    """Yield the items, and show how many are done.

    Parameters
    ----------
    items : iterable
    doing : str or callable
        What is done with them, or with the one that it is given.
    progress : bool or None
        Always, never, or (None) in terminals, and in notebooks that have ipywidgets to show it with.
    total : int, optional
        How many there are, where that is known.

    Examples
    --------
    >>> list(tracked([1, 2], "counting", progress=False))
    [1, 2]
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if progress is False or not (progress or _is_watched(console)):
        yield from items
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    display, began = Progress(*columns, console=console, transient=True), time.monotonic()
    task = display.add_task("", total=total)
    try:
        for done, item in enumerate(items):
            display.update(task, completed=done, description=doing if isinstance(doing, str) else doing(item))
            if time.monotonic() - began > PATIENCE_S and not display.live.is_started:
                display.start()
            yield item
    finally:
        display.stop()


def _is_watched(console: "Console") -> bool:
    return find_spec("ipywidgets") is not None if console.is_jupyter else console.is_terminal
