"""Write files completely or not at all; links, permissions and devices stay what they were."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES
from pathlib import Path
from typing import BinaryIO

__all__ = ["whole_file", "write_whole"]


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file (text as UTF-8); an interruption leaves either the old file or the new one.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "note.txt")
    ...     write_whole(path, "µ")
    ...     path.read_text(encoding="utf-8")
    'µ'
    """
    with whole_file(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file beside the one of that name; it replaces that one at the end, unless something was raised.

    A link stays a link: what it leads to is replaced. The permissions, and the owner as far as the system lets them be
    given, are those of the file that is replaced; a new file has what the umask leaves. A device or a pipe is written
    to. Other names of the same file (hard links) keep the old one.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    OSError
        When the file may not be written; it names ``path``.
    """
    target = Path(os.path.realpath(path))
    try:
        before = target.stat()
    except FileNotFoundError:
        before = None
    if before is not None and not (stat.S_ISREG(before.st_mode) or stat.S_ISDIR(before.st_mode)):
        with target.open("wb") as file:
            yield file
        return
    if before is not None and not os.access(target, os.W_OK):  # renaming would do it nevertheless
        raise PermissionError(EACCES, os.strerror(EACCES), str(path))
    # A name of its own beside the target: os.replace is atomic only within one file system. Not from tempfile, whose
    # files nobody else may read.
    aside = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with _opened(aside, path) as file:
            if before is not None:
                _give(aside, before)  # before there is anything in it that others might read
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


def _opened(aside: Path, path: str | os.PathLike[str]) -> BinaryIO:
    try:
        return aside.open("xb")
    except OSError as error:
        error.filename = os.fspath(path)  # the other name means nothing to who asked
        raise


def _give(aside: Path, before: os.stat_result) -> None:
    """Give a new file the owner and the permissions of the one it will replace."""
    if hasattr(os, "chown"):
        with suppress(PermissionError):  # only root may give files away
            os.chown(aside, before.st_uid, before.st_gid)
    os.chmod(aside, stat.S_IMODE(before.st_mode))
