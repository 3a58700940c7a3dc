"""Where commands write: results to the standard output, progress to the standard error if someone is watching."""

import os
import sys
from errno import EPIPE
from typing import TYPE_CHECKING, NoReturn

from sparsenet.info import info, machine_line
from sparsenet.tables import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.status import Status

__all__ = ["measured_on", "progress_bar", "results", "spinner"]

WIDTH_OF_FILES = 140
"""Columns where nobody watches: wide enough that no table is cut."""


def results() -> "Console":
    """Open the console for results: as wide as the terminal, or wide enough for a file or a pipe."""
    from rich.console import Console

    watched = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(highlight=False, width=None if watched else WIDTH_OF_FILES)
    vars(console)["on_broken_pipe"] = _nobody_reads  # rich would leave with exit code 1
    return console


def _nobody_reads() -> NoReturn:
    raise BrokenPipeError(EPIPE, os.strerror(EPIPE))


def measured_on(measured: bool = True) -> str:
    """Say in one line, with rich's markup, what machine a result is of, and with what."""
    return f"{'Measured on' if measured else 'Predicted for'} {printable(machine_line(info()))}."


def progress_bar(beside_results: bool = False) -> "Progress":
    """Make a progress bar that is silent unless the standard error is a terminal.

    Parameters
    ----------
    beside_results : bool
        Whether results are printed while it is shown: where they go to a terminal, they show how far it has come.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = _watchers()
    silent = not console.is_terminal or (beside_results and sys.stdout.isatty())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=silent)


def spinner(step: str) -> "Status":
    """Show that something is being done; its ``update`` says what. Silent unless the standard error is a terminal."""
    return _watchers().status(step)


def _watchers() -> "Console":
    from rich.console import Console

    return Console(stderr=True, quiet=not sys.stderr.isatty())
