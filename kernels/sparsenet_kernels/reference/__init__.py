"""What each operation means: readable NumPy in float64, or in int64 for bytes. This is the specification.

Every compiled kernel has a twin here, and is tested against it. The rules of this floor:

* inputs of any float dtype become float64, and outputs are float64 (positions are int32);
* samples lie along the first axis, channels along the second; a batch may be empty;
* nothing is fused, approximated or skipped, and speed does not matter;
* a function reads like its formula, which its docstring states beside the table of shapes.

Letters: B batch, C channels, H W height and width, D inputs, N outputs, K active inputs, R rows per sample, G groups.

The public functions of every module of this package are names of the package; a new module is named nowhere else. A
module whose name begins with an underscore serves the others.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import isfunction
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # precise types where they are wanted; a module left out is callable all the same
    from .compact import *  # noqa: F403
    from .conv2d import *  # noqa: F403
    from .conv2d_pool2 import *  # noqa: F403
    from .elementwise import *  # noqa: F403
    from .integer import *  # noqa: F403
    from .kwta import *  # noqa: F403
    from .linear import *  # noqa: F403
    from .pool import *  # noqa: F403


def _functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public functions of all modules by name."""
    for found in iter_modules(__spec__.submodule_search_locations):
        if found.name.startswith("_"):
            continue
        module = import_module(f"{__name__}.{found.name}")
        for name, value in vars(module).items():
            if isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                yield name, value


_FUNCTIONS = dict(_functions())
globals().update(_FUNCTIONS)  # a function takes the place of a module of its name
__all__ = sorted(_FUNCTIONS)


def __getattr__(name: str) -> Any:
    """Say that a name is missing; type checkers read here that names come of themselves."""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
