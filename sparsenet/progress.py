"""Show progress: only in terminals and notebooks, and only for work that takes long."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache
from html import escape
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, TypeVar

from sparsenet_kernels.forks import preparing

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["telling", "tracked"]

PATIENCE_S = 0.7
"""Nothing is shown before this."""

NOTEBOOK_PAUSE_S = 0.1
"""A notebook is sent no two pictures within this."""

T = TypeVar("T")
Tell = Callable[[int, str], None]


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
        Always, never, or (None) in terminals and notebooks.
    total : int, optional
        How many there are, where that is known.

    Examples
    --------
    >>> list(tracked([1, 2], "counting", progress=False))
    [1, 2]
    """
    with telling(progress, total) as tell:
        for done, item in enumerate(items):
            tell(done, doing if isinstance(doing, str) else doing(item))
            yield item


@contextmanager
def telling(progress: bool | None, total: int | None = None) -> Iterator[Tell]:
    """Give a function that shows progress; call it with the number of items done and a text for the next one.

    Examples
    --------
    >>> with telling(progress=False) as tell:
    ...     tell(0, "counting")
    """
    if progress is False:
        yield lambda done, text: None
        return
    with preparing():
        from rich.console import Console

    console = Console(stderr=True)
    if not (progress or console.is_terminal or console.is_jupyter):
        yield lambda done, text: None
        return
    with (_in_notebook if console.is_jupyter else _in_terminal)(console, total) as show, _patiently(show) as tell:
        yield tell


@contextmanager
def _patiently(show: Tell) -> Iterator[Tell]:
    """Show nothing for the first moments, then the newest message. A thread does it, since one item may take long."""
    last: tuple[int, str] | None = None
    due = PATIENCE_S <= 0
    lock = Lock()

    def tell(done: int, text: str) -> None:
        nonlocal last
        with lock:
            last = done, text
            if due:
                show(done, text)

    def lose_patience() -> None:
        nonlocal due
        with lock:
            due = True
            if last is not None:
                show(*last)

    clock = Timer(max(PATIENCE_S, 0), copy_context().run, [lose_patience])  # the context says which cell this is
    clock.daemon = True
    if not due:
        clock.start()
    try:
        yield tell
    finally:
        clock.cancel()
        with lock:
            last = None


@contextmanager
def _in_terminal(console: "Console", total: int | None) -> Iterator[Tell]:
    with preparing():
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    display = Progress(*columns, console=console, transient=True)
    task = display.add_task("", total=total)

    def show(done: int, text: str) -> None:
        display.update(task, completed=done, description=text)
        display.start()

    try:
        yield show
    finally:
        display.stop()


@contextmanager
def _in_notebook(console: "Console", total: int | None) -> Iterator[Tell]:
    """Show a bar of HTML in the cell's output, and empty it in the end.

    rich would show it through ipywidgets, which must be installed, and leave a widget behind for each bar.
    """
    from IPython import get_ipython

    began = shown = time.monotonic()
    place = None

    def show(done: int, text: str) -> None:
        nonlocal place, shown
        now = time.monotonic()
        if place is None or now - shown > NOTEBOOK_PAUSE_S:
            place, shown = place or _place_in_cell(get_ipython().execution_count), now
            place.update(_bar(done, total, text, now - began), raw=True)

    try:
        yield show
    finally:
        if place is not None:
            place.update({"text/html": "", "text/plain": ""}, raw=True)


@lru_cache(maxsize=1)
def _place_in_cell(execution_count: int) -> Any:
    """Make one place for a bar in a cell; all bars of that cell share it."""
    from IPython.display import display

    return display({"text/html": "", "text/plain": ""}, raw=True, display_id=True)


def _bar(done: int, total: int | None, text: str, elapsed_s: float) -> dict[str, str]:
    count = f"{done}/{total}" if total else f"{done}"
    value = f' value="{done}" max="{total}"' if total else ""
    plain = f"{text} {count}, {elapsed_s:.0f} s"
    return {"text/html": f"<progress{value}></progress> {escape(plain)}", "text/plain": plain}
