"""``python -m sparsenet.recipes.corpus --out FOLDER``: make the corpus, and show progress."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sparsenet.errors import SparsenetError
from sparsenet.recipes.corpus.generate import make_corpus
from sparsenet.recipes.corpus.synthesizers import synthesizers
from sparsenet.recipes.corpus.voices import WORDS

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 after an error that it printed."""
    asked = _parser().parse_args(arguments)
    try:
        report = make_corpus(
            asked.out,
            scale=asked.scale,
            seed=asked.seed,
            words=asked.words,
            jobs=asked.jobs,
            engines=synthesizers(asked.npm),
        )
    except SparsenetError as error:
        print(error, file=sys.stderr)
        return 1
    for sentence in report.missing:
        print(sentence, file=sys.stderr)
    counts = ", ".join(f"{count} {split}" for split, count in report.clips.items())
    print(f"{asked.out}: {counts}; {report.written} written now, {report.failed} failed")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sparsenet.recipes.corpus",
        description="Make a corpus of spoken words with the speech synthesizers that are installed.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make, in Google Speech Commands' layout")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the clips of each voice")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--words", nargs="+", default=WORDS, metavar="WORD", help="all 35 when left out")
    parser.add_argument("--npm", type=Path, help="folder where @echogarden/gnuspeech-wasm was installed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
