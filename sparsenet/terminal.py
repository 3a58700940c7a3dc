"""How large the terminal is said to be, whatever nonsense the environment holds."""

from collections.abc import MutableMapping

__all__ = ["forget_senseless_sizes"]

SIZES = ("COLUMNS", "LINES")
LARGEST = 10_000


def forget_senseless_sizes(environment: MutableMapping[str, str]) -> None:
    """Take sizes of the terminal out of the environment that no terminal can have, as if they were not set.

    Some pseudo-terminals and images of CI set ``COLUMNS=0``; rich would print every table as nothing at all.

    Parameters
    ----------
    environment : mutable mapping
        That of the process.

    Examples
    --------
    >>> environment = {"COLUMNS": "0", "LINES": "24"}
    >>> forget_senseless_sizes(environment)
    >>> environment
    {'LINES': '24'}
    """
    for name in SIZES:
        text = environment.get(name)
        if text is not None and not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= LARGEST):
            del environment[name]
