"""Compiled kernels on disk: one file each, in a directory of the user's own.

Numba's own cache looks at one function's source file only, so it serves stale code when a helper in another file
changes, and several processes race for its index. Here the name of a file is a hash of everything that the code
depends on: all sources of this package that are compiled, the versions, the processor. Files appear whole (written
aside, then renamed), so processes may share the directory. A file begins with the hash of the rest: LLVM ends the
process where machine code is damaged, as a disk that was full or lost power leaves it. The files are pickles, which run
code when they are read: the directory belongs to the user alone (mode 0700), and every file is looked at again, once it
is open, for its owner and for who may write to it. A directory that several users share holds one for each of them.
"""

import hashlib
import os
import pickle
import stat
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path

__all__ = ["KernelCache", "cache_directory"]

DIRECTORY_VARIABLE = "SPARSENET_CACHE_DIR"
"""Environment variable that names another directory for compiled kernels; ``off`` turns the cache off."""

NEVER_COMPILED = ("reference", "testing")
"""Folders of this package whose sources no compiled code is made of."""

HASH_BYTES = 32
"""Length of the SHA-256 that a file begins with."""


@cache
def cache_directory() -> Path | None:
    """Return where compiled kernels are kept, or None where they cannot be (or shall not be) kept.

    The directory is made when it is first asked for. One that cannot be written, or that others could write to, is not
    used; a warning says so once. A name may begin with ``~``; one that is not absolute counts from the directory in
    which the process first asks. Where the directory belongs to another user, each has a directory in it.
    """
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    if chosen == "off":
        return None
    try:
        root = Path(chosen).expanduser().absolute() if chosen else _user_directory()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if chosen and not _is_own(root.stat()):
            root /= f"user-{os.geteuid()}"
            root.mkdir(mode=0o700, exist_ok=True)
        path = root / f"kernels-{_fingerprint()}"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_shared(path)
        tempfile.TemporaryFile(dir=path).close()
    except (OSError, RuntimeError) as error:  # RuntimeError: in a container the user may have no home at all
        warnings.warn(
            f"compiled kernels are not kept, so every process compiles again ({error}); "
            f"set {DIRECTORY_VARIABLE} to a directory of your own to keep them, or to off to silence this",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return path


class KernelCache:
    """What Numba asks for compiled code and hands compiled code to (the interface of its caches).

    Parameters
    ----------
    name : str
        Name of the compiled function; file names begin with it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def cache_path(self) -> str | None:
        """Directory of the files."""
        directory = cache_directory()
        return None if directory is None else str(directory)

    def holds(self, signature, codegen) -> bool:
        """Tell whether there is a file with the compiled code for ``signature``, whatever its state."""
        path = self._path(signature, codegen)
        return path is not None and path.exists()

    def load_overload(self, signature, target_context):
        """Return the compiled code for ``signature``, or None where there is none that can be used."""
        path = self._path(signature, target_context.codegen())
        if path is None:
            return None
        target_context.refresh()
        try:
            payload = pickle.loads(_undamaged(_read_own(path)))
            return _rebuild(target_context, payload)
        except FileNotFoundError:
            return None
        except Exception:  # whatever is wrong with a cached file, compiling again is right
            return None

    def save_overload(self, signature, compiled):
        """Keep compiled code; on failure nothing is kept and nothing is raised."""
        path = self._path(signature, compiled.library.codegen)
        if path is None or compiled.library.has_dynamic_globals or any(not loop.can_cache for loop in compiled.lifted):
            return
        from numba.core.serialize import dumps

        try:
            data = dumps(compiled._reduce())
            _write_whole(path, hashlib.sha256(data).digest() + data)
        except OSError:
            return

    def enable(self):
        """Do nothing: the cache is always on."""

    def disable(self):
        """Do nothing: :func:`cache_directory` decides."""

    def flush(self):
        """Do nothing: files of other sources or versions lie in other directories."""

    def _path(self, signature, codegen) -> Path | None:
        directory = cache_directory()
        if directory is None:
            return None
        key = repr((self.name, str(signature), codegen.magic_tuple()))
        return directory / f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.bin"


def _read_own(path: Path) -> bytes:
    """Read a file that nobody else could have written: looked at when it is open, so that nobody exchanges it after."""
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        if not (stat.S_ISREG(facts.st_mode) and _is_own(facts)) or _others_may_write(facts):
            raise PermissionError(f"expected a file of one's own, got {path}, which others could have written")
        return file.read()


def _undamaged(content: bytes) -> bytes:
    """Return what follows the hash, if that is its hash."""
    data = content[HASH_BYTES:]
    if hashlib.sha256(data).digest() != content[:HASH_BYTES]:
        raise ValueError("expected compiled code as it was written, got a damaged file")
    return data


def _rebuild(target_context, payload):
    from numba.core.compiler import CompileResult

    return CompileResult._rebuild(target_context, *payload)


def _write_whole(path: Path, data: bytes) -> None:
    """Write aside, then rename: a reader sees all of the file or none of it."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(aside, path)
    except BaseException:  # Ctrl-C, too, leaves nothing behind
        Path(aside).unlink(missing_ok=True)
        raise


def _user_directory() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "sparsenet"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "sparsenet"
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "sparsenet"  # as its specification asks


def _refuse_shared(path: Path) -> None:
    """Pickles run code when they are read: refuse a directory that someone else could have written to."""
    facts = path.stat()
    if not _is_own(facts):
        raise PermissionError(f"{path} belongs to another user")
    if _others_may_write(facts):
        raise PermissionError(f"others may write to {path}")


def _is_own(facts: os.stat_result) -> bool:
    return os.name == "nt" or facts.st_uid == os.geteuid()  # on Windows the folder of a user keeps others out


def _others_may_write(facts: os.stat_result) -> bool:
    return os.name != "nt" and bool(stat.S_IMODE(facts.st_mode) & 0o022)


@cache
def _fingerprint() -> str:
    """Hash everything that compiled code depends on, save for the processor, which is part of each file's name."""
    import llvmlite
    import numba
    from numba import config

    digest = hashlib.sha256()
    for part in (sys.version, numba.__version__, llvmlite.__version__, str(config.BOUNDSCHECK), str(config.OPT)):
        digest.update(part.encode())
    root = Path(__file__).parent
    for source in sorted(root.rglob("*.py")):
        name = source.relative_to(root)
        if name.parts[0] not in NEVER_COMPILED:
            digest.update(name.as_posix().encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
