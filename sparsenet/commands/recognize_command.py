"""``sparsenet recognize``: which word is heard in each file."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

import typer

from sparsenet.command_line import as_json as json_of
from sparsenet.command_line import complain
from sparsenet.commands.output import progress_bar, results, spinner
from sparsenet.commands.short_names import short_names
from sparsenet.errors import AudioError
from sparsenet.models import load
from sparsenet.speech.finding import Missing, search
from sparsenet.speech.recognize import Heard, front_end_of, listen
from sparsenet.tables import printable

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["as_record", "compiled_for_sound", "recognize_files"]

PROGRAM = "sparsenet"

SOME_FAILED = 1
"""The exit code when some of several files could not be heard."""

FAILED_ROW = "(failed)"
NUMBERS = ("confidence", "µs a window", "at s")
GAP = "   "
NARROWEST = 12
"""Columns that a file's name has at least."""

Show = Callable[[Heard], None]

LONG = (
    "Longer than the network listens at once: the row says the most confident window in which a word is heard. "
    "Finding every word of a long recording is not what this command does."
)


def recognize_files(paths: Sequence[str], model: str, as_json: bool) -> None:
    """Print what is heard in files and folders, row by row, and say which cannot be heard."""
    files = search(paths)
    if all(isinstance(one, Missing) for one in files) and not _are_folders(
        paths
    ):  # which shows before anything is compiled
        raise AudioError("; ".join(one.reason for one in files if isinstance(one, Missing)))
    engine = compiled_for_sound(model)
    heard: Iterable[Heard] = listen(files, engine)
    if len(files) == 1 and not _are_folders(paths):  # a file alone, whose failure is the command's
        heard = [_or_refuse(one) for one in heard]
    with _as_array() if as_json else _as_rows(files, engine.network.labels) as show:
        printed = _print_all(heard, len(files), show)
    if not as_json and any(one.windows > 1 for one in printed):
        results().print(f"\n{LONG}")
    if failed := sum(bool(one.error) for one in printed):
        complain(PROGRAM, f"{failed} of {len(files)} files could not be heard")
        raise typer.Exit(SOME_FAILED)


def _are_folders(paths: Sequence[str]) -> bool:
    return any(Path(path).is_dir() for path in paths)


def compiled_for_sound(model: str) -> "Engine":
    """Load a network that was made for sound and compile it, showing that something is being done."""
    import sparsenet

    net = load(model)
    front_end_of(net)
    with spinner(f"compiling {printable(model)}"):
        return sparsenet.compile(net, batch=1, threads=1, progress=False)


def as_record(one: Heard) -> dict[str, str | float]:
    """Give what ``--json`` promises of each file: five things, or why it could not be heard."""
    if one.error:
        return {"file": one.file, "error": one.error}
    record: dict[str, str | float] = {"file": one.file, "heard": one.heard, "confidence": one.confidence}
    record |= {"time_us": one.time_us, "at_s": one.at_s}
    return record | ({"warning": one.warning} if one.warning else {})


def _or_refuse(one: Heard) -> Heard:
    if one.error:
        raise AudioError(one.error)
    return one


def _print_all(heard: Iterable[Heard], total: int, show: Show) -> list[Heard]:
    """Print each as it comes, so that nothing is lost where the command is stopped."""
    printed = []
    with progress_bar(beside_results=True) as bar:
        task = bar.add_task("listening", total=total)
        for one in heard:
            show(one)
            sys.stdout.flush()
            if one.error or one.warning:
                complain(PROGRAM, one.error or f"{one.file}: {one.warning}")
            printed.append(one)
            bar.update(task, completed=len(printed))
    return printed


@contextmanager
def _as_array() -> Iterator[Show]:
    """Print an array of JSON element by element; it is closed however this ends."""
    begin = "["

    def show(one: Heard) -> None:
        nonlocal begin
        sys.stdout.write(f"{begin}\n{indent(json_of(as_record(one)).rstrip(), '  ')}")
        begin = ","

    try:
        yield show
    finally:
        if begin == ",":
            sys.stdout.write("\n]\n")


@contextmanager
def _as_rows(files: Sequence[Path | Missing], labels: Sequence[str]) -> Iterator[Show]:
    """Print rows of a table whose widths are known before its contents: one line each, whatever the terminal."""
    console = results()
    label = max(map(len, (*labels, FAILED_ROW, "heard")))
    room = console.width - label - sum(map(len, NUMBERS)) - len(GAP) * (1 + len(NUMBERS))
    paths = [one.path if isinstance(one, Missing) else one for one in files]
    names = dict(zip(map(str, paths), short_names(paths, max(NARROWEST, room)), strict=True))
    width = max(len("file"), *map(len, names.values()))

    def line(name: str, heard: str, numbers: Sequence[str]) -> None:
        cells = [name.ljust(width), heard.ljust(label), *map(str.rjust, numbers, map(len, NUMBERS))]
        print(GAP.join(cells).rstrip())

    def show(one: Heard) -> None:
        numbers = f"{one.confidence:.1%}", f"{one.time_us:,.1f}", f"{one.at_s:.1f}"
        line(names[one.file], one.heard or FAILED_ROW, () if one.error else numbers)

    line("file", "heard", NUMBERS)
    yield show
