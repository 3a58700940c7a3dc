"""``sparsenet demo``: hear the bundled recordings, then race the dense twin."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparsenet.bench import Comparison, Row
from sparsenet.bench.words import compare_words
from sparsenet.command_line import print_json
from sparsenet.commands.output import results, spinner
from sparsenet.commands.recognize_command import as_record, compiled_for_sound
from sparsenet.info import Info, info, machine_line
from sparsenet.speech.recognize import Heard, recognize
from sparsenet.speech.recordings import Recording, recordings
from sparsenet.table_style import fitted, ruled
from sparsenet.tables import printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["demo"]

MODEL = "spoken-digits"
Pair = tuple[Recording, Heard]


def demo(as_json: bool, rounds: int) -> None:
    """Print what is heard in the bundled recordings, and the comparison with the dense twin."""
    console = results()
    heard = recognize([one.path for one in recordings()], compiled_for_sound(MODEL))
    pairs = list(zip(recordings(), heard, strict=True))
    if not as_json:
        console.print(_heard_table(pairs, console.width))
        console.print(_score(pairs))
    with spinner("preparing the comparison") as status:
        compared = compare_words(rounds, status.update)
    if as_json:
        print_json(_as_record(pairs, compared, info()))
        return
    console.print(_race_table(compared.rows, console.width))
    console.print(*_footnotes(compared, info()), sep="\n")


def _as_record(pairs: Sequence[Pair], compared: Comparison, about: Info) -> dict[str, Any]:
    right, of = _human_digits(pairs)
    return {
        "recordings": [_recording_record(recording, heard) for recording, heard in pairs],
        "human_digits": {"right": right, "of": of},
        "comparison": compared.to_dict(),
        "info": about.to_dict(),
    }


def _recording_record(recording: Recording, heard: Heard) -> dict[str, Any]:
    said = {"said": recording.said, "label": recording.label, "kind": recording.kind}
    return as_record(heard) | said | {"file": recording.file}


def _human_digits(pairs: Sequence[Pair]) -> tuple[int, int]:
    """Count the digits that a person said, and how many of them were heard."""
    digits = [(one, heard) for one, heard in pairs if one.kind == "human" and one.label == one.said]
    return sum(one.label == heard.heard for one, heard in digits), len(digits)


def _score(pairs: Sequence[Pair]) -> str:
    right, of = _human_digits(pairs)
    everything = sum(one.label == heard.heard for one, heard in pairs)
    return (
        f"{right} of {of} digits spoken by a person are right, {everything} of all {len(pairs)} recordings.\n"
        "µs: one call for each recording, straight after its features were made; below are many calls in a row.\n"
    )


def _heard_table(pairs: Sequence[Pair], columns: int) -> "Table":
    table = ruled(f"What {MODEL} hears", ("recording", "said", "by", "heard"), ("confidence", "µs"))
    for recording, heard in pairs:
        style = "" if recording.label == heard.heard else "red"
        said = recording.said or f"({recording.label})"
        numbers = f"{heard.confidence:.1%}", f"{heard.time_us:,.1f}"
        table.add_row(recording.file, said, recording.speaker, printable(heard.heard), *numbers, style=style)
    return fitted(table, columns, ("by", "µs"))


def _race_table(rows: Sequence[Row], columns: int) -> "Table":
    numbers = "median", "min", "p99", "words/s", "days/s", "ratio", "right", "accuracy"
    table = ruled("One interleaved run: µs a word", ("batch", "network, engine"), numbers)
    for i, row in enumerate(rows):
        ends = i + 1 < len(rows) and rows[i + 1].batch != row.batch
        table.add_row(str(row.batch), f"{row.network}, {row.engine}", *_race_numbers(row), end_section=ends)
    return fitted(table, columns, ("p99", "days/s", "right", "median", "words/s"))


def _race_numbers(row: Row) -> tuple[str, ...]:
    timing = row.timing
    times = (f"{time:,.1f}" for time in (timing.median_us, timing.minimum_us, timing.p99_us))
    rates = f"{row.words_per_s:,.0f}", f"{row.days_of_audio_per_s:.2f}", f"{row.times_the_first:.1f}"
    return *times, *rates, f"{row.right}/{row.of}", row.accuracy.partition(" of ")[0]


def _footnotes(compared: Comparison, about: Info) -> list[str]:
    first = compared.rows[0]
    return [
        "Times run from features to scores; making features of the sound comes on top, in every row.",
        "days/s: days of sound heard in a second, a word being one second long.",
        f"ratio: a row's shortest time over that of the {first.network} network in {first.engine}, at its batch size.",
        "right: of the bundled recordings, here and now. accuracy: what the network's file says first"
        f" ({first.accuracy}; see sparsenet inspect).",
        *(f"Not equal: {text}." for text in compared.unequal),
        f"{compared.samples} different inputs took turns; threads of every engine: {compared.threads}.",
        f"Measured on {printable(machine_line(about))}.",
    ]
