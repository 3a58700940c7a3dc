"""Questions to the operating system: small files of Linux, and macOS's ``sysctl``."""

import subprocess
from pathlib import Path

__all__ = ["number_in", "read_text", "sysctl"]


def read_text(path: Path) -> str:
    """Read a small file of the system; an empty text where there is no file, or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):  # ValueError: a path that holds a null byte
        return ""


def sysctl(name: str) -> str:
    """Ask macOS for one of its settings; an empty text where there is no answer."""
    try:
        asked = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip()


def number_in(text: str) -> int | None:
    """Read a whole number; None where the text is none.

    Examples
    --------
    >>> number_in(" 12 "), number_in("twelve")
    (12, None)
    """
    try:
        return int(text.strip())
    except ValueError:
        return None
