"""Mend what a terminal may pass on: closed streams, and impossible sizes."""

import io
import os
import sys
from contextlib import suppress

__all__ = ["forget_senseless_sizes", "open_what_is_closed", "write_nowhere"]

SIZES = ("COLUMNS", "LINES")
SMALLEST = {"COLUMNS": 10, "LINES": 1}
LARGEST = 10_000


def forget_senseless_sizes() -> None:
    """Remove impossible terminal sizes from this process's environment, as if they were not set.

    Some pseudo-terminals and images of CI set ``COLUMNS=0``; rich would print every table as nothing at all.
    """
    for name in SIZES:
        text = os.environ.get(name)
        if text is not None and not (text.isascii() and text.isdigit() and SMALLEST[name] <= int(text[:6]) <= LARGEST):
            del os.environ[name]


class Nowhere(io.TextIOBase):
    """A stream that discards what is written to it."""

    encoding = "utf-8"
    errors = "replace"

    def write(self, text: str) -> int:
        """Take a text."""
        return len(text)

    def writable(self) -> bool:
        """Say that it may be written to."""
        return True


def open_what_is_closed() -> None:
    """Open a closed standard output or error, as daemons have them, so that what is printed is discarded.

    Otherwise Python would print errors among the results, where there are results, and the next file that is opened
    would take the place of the stream.
    """
    for stream, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, stream) is None:
            _occupy(number)
            setattr(sys, stream, Nowhere())


def write_nowhere(stream: str) -> None:
    """Discard what is written to ``"stdout"`` or ``"stderr"`` from now on, and what waits in its buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(AttributeError, OSError, ValueError):  # it is no file
        os.dup2(nowhere, getattr(sys, stream).fileno())
    os.close(nowhere)
    setattr(sys, stream, Nowhere())


def _occupy(number: int) -> None:
    """Open the null device under the number of a stream that is closed."""
    try:
        os.fstat(number)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
