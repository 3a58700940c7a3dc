"""What Numba says when it cannot compile a kernel, in one sentence, with the line of the kernel that it is about."""

import linecache
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import numba

__all__ = ["in_short"]

ALLOCATES = ("NRT required", "Only accept returning of array passed into the function")
"""What Numba says of memory that is allocated, reference counts being off."""

ALLOCATION = (
    "it makes a list or an array (sorted, np.zeros, x * 2 for a whole array, ... do), and kernels allocate nothing; "
    "write into outputs and scratch arguments, number by number"
)

PLACES = re.compile(
    r' at (?P<at>[^"\n]+?) \((?P<at_line>\d+)\)$|File "(?P<file>[^"]+)", line (?P<line>\d+):', re.MULTILINE
)
"""How Numba names a line of code: ``typing of call at PATH (LINE)``, or as Python does."""

OTHERS = (Path(numba.__file__).parent, Path(__file__).with_name("step_abi.py"))
"""Where a line of code is not the kernel's: within Numba, and where the kernel is called."""


def in_short(message: str) -> str:
    r"""Leave Numba's own inner life out of its message: what is wrong, and the line of the kernel that is.

    Examples
    --------
    >>> in_short("Failed in nopython mode pipeline (step: native lowering)\nNRT required but not enabled")[:28]
    'it makes a list or an array '
    """
    said = ALLOCATION if any(words in message for words in ALLOCATES) else _told(message)
    path, line = next(_places(message), ("", 0))
    source = linecache.getline(path, line).strip()
    return f"{said}; line {line}: {source}" if source else said


def _told(message: str) -> str:
    """Return what the innermost error says, without how Numba came there."""
    lines = [line.strip() for line in message.splitlines() if line.strip() and "Failed in nopython" not in line]
    lines = lines[_begin_of_cause(lines) :]
    told = takewhile(lambda line: not line.startswith(("There are", "File ", "During:", "This error may")), lines)
    return " ".join(told)


def _begin_of_cause(lines: list[str]) -> int:
    """Find where the innermost error begins: that of a helper is told as a candidate that does not match a call."""
    first = next((number for number, line in enumerate(lines) if line.startswith("During:")), len(lines))
    helper = max((number for number, line in enumerate(lines[:first]) if "register_jitable" in line), default=first)
    return next((number + 1 for number in range(helper, first) if lines[number].startswith("Rejected as")), 0)


def _places(message: str) -> Iterator[tuple[str, int]]:
    """Yield the lines that a message names, of a kernel or of what it calls, innermost first."""
    for place in PLACES.finditer(message):
        path = Path(place["at"] or place["file"])
        if not any(path.resolve().is_relative_to(other) for other in OTHERS):
            yield str(path), int(place["at_line"] or place["line"])
