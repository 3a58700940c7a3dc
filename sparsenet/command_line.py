"""Run the commands of this package: errors are one sentence on the standard error, not a traceback."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from errno import EPIPE
from typing import Annotated, Any, NoReturn

import typer

from sparsenet.errors import SparsenetError
from sparsenet.tables import plain
from sparsenet.terminal import forget_senseless_sizes, open_what_is_closed, write_nowhere

__all__ = ["SETTINGS", "Json", "as_json", "complain", "print_json", "run"]

# typer once brought click along and now carries its own copy; its public BadParameter leads to either's base classes
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]

STOPPED = 130
"""The exit code after Ctrl-C, as shells have it; typer raises or returns, depending on its version."""

PIPE_CLOSED = 141
"""The exit code when who reads the output has gone, as shells have it: ``sparsenet kernels | head -1``."""

SETTINGS: dict[Any, Any] = {"help_option_names": ["-h", "--help"]}

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def run(what: typer.Typer | Callable[..., None], name: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and leave with its exit code.

    0, or 2 after one sentence, 1 where the command says that a part failed, 130 when it was stopped, 141 when nobody
    reads what it prints.

    Parameters
    ----------
    what : typer.Typer or callable
        Commands, or a single one.
    name : str
        As people call it.
    arguments : sequence of str, optional
        Those of the process when left out.
    """
    open_what_is_closed()
    forget_senseless_sizes()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old terminal shows "?" for µ; it need not end the program
    sys.exit(_code_of(what, name, sys.argv[1:] if arguments is None else list(arguments)))


def as_json(value: Any) -> str:
    """Write a value as strict JSON, in plain ASCII so that any pipe can carry it.

    Examples
    --------
    >>> print(as_json({"time_s": 0.5}))
    {
      "time_s": 0.5
    }
    <BLANKLINE>
    """
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    sys.stdout.write(as_json(value))


def complain(name: str, message: str) -> None:
    """Write one sentence to the standard error, if that can be written."""
    sentence = plain(" ".join(message.split()))  # a file's name may hold anything
    try:
        print(f"{name.removeprefix('python -m ')}: {sentence}", file=sys.stderr, flush=True)
    except OSError:  # a full disk, a pipe that nobody reads: there is no other place to say it
        write_nowhere("stderr")


def _code_of(what: typer.Typer | Callable[..., None], name: str, arguments: list[str]) -> int:
    code = _sorted_out(name, lambda: _run(what, name, arguments))
    try:
        # what is still in a buffer may not fit the disk; the interpreter would say so with a traceback as it ends
        sys.stdout.flush()
    except OSError as error:
        write_nowhere("stdout")
        return code or _code_after(name, error)
    return code


def _run(what: typer.Typer | Callable[..., None], name: str, arguments: list[str]) -> int:
    if isinstance(what, typer.Typer):
        app, arguments = what, arguments or ["--help"]
    else:
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=SETTINGS)
        app.command()(what)
    try:
        code: int = typer.main.get_command(app).main(arguments, prog_name=name, standalone_mode=False) or 0
    except SystemExit:  # which typer raises for one reason only, and not with the code that shells have for it
        raise BrokenPipeError(EPIPE, os.strerror(EPIPE)) from None
    return _sorry(name, "stopped", STOPPED) if code == STOPPED else code


def _sorted_out(name: str, call: Callable[[], int | None]) -> int:
    """Call a function and return its exit code; an error that the user can mend becomes one sentence."""
    try:
        return call() or 0
    except (typer.Abort, KeyboardInterrupt):
        return _sorry(name, "stopped", STOPPED)
    except USAGE_ERROR as error:
        return _sorry(name, getattr(error, "format_message", error.__str__)())
    except (SparsenetError, OSError, ModuleNotFoundError) as error:
        return _code_after(name, error)
    except MemoryError as error:
        return _sorry(name, f"there is not enough memory{f': {error}' if str(error) else ''}")


def _code_after(name: str, error: Exception) -> int:
    if isinstance(error, BrokenPipeError):
        write_nowhere("stdout")
        return PIPE_CLOSED
    return _sorry(name, _message(error))


def _message(error: Exception) -> str:
    """Give the system's message without its error number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def _sorry(name: str, message: str, code: int = 2) -> int:
    complain(name, message)
    return code
