"""``python -m sparsenet.bench``: the comparison of spoken digits as a Markdown table, for reports."""

import sys
from collections.abc import Sequence

from sparsenet.bench.compare import Comparison, Row
from sparsenet.bench.spoken_digits import THREADS, compare_on_spoken_digits, record_of
from sparsenet.command_line import Json, print_json, run
from sparsenet.info import info, machine_line

__all__ = ["as_markdown", "main"]


def spoken_digits(json: Json = False) -> None:
    """Time the bundled networks on spoken digits, and print a Markdown table."""
    compared = compare_on_spoken_digits(tell=lambda step: print(f"{step} ...", file=sys.stderr))
    if json:
        print_json(record_of(compared) | {"info": info().to_dict()})
        return
    print(as_markdown(compared))
    print(f"\nMeasured on {machine_line(info())}; threads of every engine: {THREADS}.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    run(spoken_digits, "python -m sparsenet.bench", arguments)


def as_markdown(compared: Comparison) -> str:
    """Write a comparison as a Markdown table with its footnotes."""
    headings = (
        "batch",
        "network",
        "engine",
        "median µs",
        "min µs",
        "p99 µs",
        "words/s",
        "ratio of min",
        "right",
        "accuracy",
    )
    lines = [_line(headings), _line(["---:", "---", "---", *["---:"] * 7])]
    lines += [_line(_cells(row)) for row in compared.rows]
    lines += ["", *(f"* Not equal: {text}." for text in compared.unequal)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Row) -> list[str]:
    timing = row.sample_timing
    times = [f"{time:,.1f}" for time in (timing.median_us, timing.minimum_us, timing.p99_us)]
    rates = [f"{row.samples_per_s:,.0f}", f"{row.times_the_first:.1f}"]
    return [str(row.batch), row.network, row.engine, *times, *rates, f"{row.right} of {row.of}", row.accuracy]


if __name__ == "__main__":
    main()
