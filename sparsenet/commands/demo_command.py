"""``sparsenet demo``: hear the bundled recordings, then compare with the dense twin."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparsenet.bench import Comparison, Row
from sparsenet.bench.spoken_digits import THREADS, compare_on_spoken_digits, days_per_s, record_of
from sparsenet.command_line import print_json
from sparsenet.commands.output import results, spinner
from sparsenet.commands.recognize_command import as_record, compiled_for_sound
from sparsenet.info import Info, info, machine_line
from sparsenet.renderer import Column, laid_out
from sparsenet.speech.recognize import Heard, recognize
from sparsenet.speech.recordings import Recording, recordings
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
        compared = compare_on_spoken_digits(rounds, status.update)
    if as_json:
        print_json(_as_record(pairs, compared, info()))
        return
    console.print(_comparison_table(compared.rows, console.width))
    console.print(*_footnotes(compared, info()), sep="\n")


def _as_record(pairs: Sequence[Pair], compared: Comparison, about: Info) -> dict[str, Any]:
    right, of = _human_digits(pairs)
    return {
        "recordings": [_recording_record(recording, heard) for recording, heard in pairs],
        "human_digits": {"right": right, "of": of},
        "comparison": record_of(compared),
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


def _heard_table(pairs: Sequence[Pair], width: int) -> "Table":
    columns = [
        Column("recording", lambda pair: pair[0].file, words=True),
        Column("said", lambda pair: pair[0].said or f"({pair[0].label})", words=True),
        Column("by", lambda pair: pair[0].speaker, words=True, spare=1),
        Column("heard", lambda pair: printable(pair[1].heard), words=True),
        Column("confidence", lambda pair: f"{pair[1].confidence:.1%}"),
        Column("µs", lambda pair: f"{pair[1].time_us:,.1f}", spare=2),
    ]
    return laid_out(f"What {MODEL} hears", columns, pairs, width, style=_red_where_wrong)


def _red_where_wrong(pair: Pair) -> str:
    return "" if pair[0].label == pair[1].heard else "red"


def _comparison_table(rows: Sequence[Row], width: int) -> "Table":
    first = rows[0]
    ratio = f"a row's shortest time over that of the {first.network} network in {first.engine}, at its batch size"
    known = f"what the network's file says first ({first.accuracy}; see sparsenet inspect)"
    columns = [
        Column("batch", lambda row: str(row.batch), words=True),
        Column("network, engine", lambda row: f"{row.network}, {row.engine}", words=True),
        Column("median", lambda row: f"{row.sample_timing.median_us:,.1f}", spare=4),
        Column("min", lambda row: f"{row.sample_timing.minimum_us:,.1f}"),
        Column("p99", lambda row: f"{row.sample_timing.p99_us:,.1f}", spare=1),
        Column("words/s", lambda row: f"{row.samples_per_s:,.0f}", spare=5),
        Column("days/s", lambda row: f"{days_per_s(row):.2f}", spare=2, note="days of sound heard in a second"),
        Column("ratio", lambda row: f"{row.times_the_first:.1f}", note=ratio),
        Column("right", lambda row: f"{row.right}/{row.of}", spare=3, note="of the bundled recordings, here and now"),
        Column("accuracy", lambda row: row.accuracy.partition(" of ")[0], note=known),
    ]
    title = "One interleaved run: µs a word, a second of sound"
    return laid_out(title, columns, rows, width, ends=lambda row, following: row.batch != following.batch)


def _footnotes(compared: Comparison, about: Info) -> list[str]:
    return [
        "Times run from features to scores; making features of the sound comes on top, in every row.",
        *(f"Not equal: {text}." for text in compared.unequal),
        f"{compared.samples} different inputs took turns; threads of every engine: {THREADS}.",
        f"Measured on {printable(machine_line(about))}.",
    ]
