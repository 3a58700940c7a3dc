"""``sparsenet recognize``: which word is heard in each file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparsenet.command_line import print_json
from sparsenet.commands.output import progress_bar, results, spinner
from sparsenet.models import load
from sparsenet.speech.audio import find_audio
from sparsenet.speech.recognize import Heard, front_end_of, recognize
from sparsenet.table_style import ruled
from sparsenet.tables import printable

if TYPE_CHECKING:
    from rich.table import Table

    from sparsenet.engine.engine import Engine

__all__ = ["as_record", "compiled_for_sound", "recognize_files"]


def recognize_files(paths: Sequence[Path], model: str, as_json: bool) -> None:
    """Print what is heard in files and folders."""
    files = find_audio(paths)  # what is missing shows before anything is compiled
    engine = compiled_for_sound(model)
    with progress_bar() as bar:
        task = bar.add_task("listening", total=len(files))
        heard = recognize(files, engine, lambda done, _: bar.update(task, completed=done))
    if as_json:
        print_json([as_record(one) for one in heard])
    else:
        results().print(_table(heard))


def compiled_for_sound(model: str) -> "Engine":
    """Load a network that was made for sound and compile it, showing that something is being done."""
    import sparsenet

    net = load(model)
    front_end_of(net)
    with spinner(f"compiling {printable(model)}"):
        return sparsenet.compile(net, batch=1, threads=1, progress=False)


def as_record(one: Heard) -> dict[str, str | float]:
    """Give the four things that ``--json`` promises of each file."""
    return {"file": one.file, "heard": one.heard, "confidence": one.confidence, "time_us": one.time_us}


def _table(heard: Sequence[Heard]) -> "Table":
    table = ruled("", ("file", "heard"), ("confidence", "µs a window", "at s"))
    for one in heard:
        numbers = f"{one.confidence:.1%}", f"{one.time_us:,.1f}", f"{one.at_s:.1f}"
        table.add_row(printable(one.file), printable(one.heard), *numbers)
    return table
