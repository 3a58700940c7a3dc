"""What is known of a torch module's run: where it is, which tensors depend on the input, and the layers so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparsenet.errors import UnsupportedLayerError
from sparsenet.exchange.report import Note
from sparsenet.exchange.torch.call import Tensor
from sparsenet.exchange.torch.problems import Problem
from sparsenet.graph.network import Node
from sparsenet.ops.shapes import Shape

__all__ = [
    "Module",
    "Recording",
    "Value",
    "Visit",
    "fresh",
    "in_float32",
    "inputs_among",
    "place",
    "unsupported_here",
    "where",
]

Module = Any


@dataclass(eq=False)
class Visit:
    """One call of a module that has not returned yet."""

    path: str
    module: Module
    functions: int = 0
    """Of the input, called by the module itself so far."""


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the input, kept so that its identity stays its own, and the step whose value it has."""

    tensor: Tensor
    step: str
    stale: bool = False


@dataclass(eq=False)
class Recording:
    """What is known of a run: so far, and at its end."""

    batch: int
    shapes: dict[str, Shape]
    values: dict[int, Value] = field(default_factory=dict)
    visits: list[Visit] = field(default_factory=list)
    readers: dict[tuple[int, Shape], str] = field(default_factory=dict)
    """The first layer that read a weight, by where it lies."""
    paused: bool = False
    failed_at: str = ""
    steps: list[Node] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    """Values that no layer gives: what follows them is looked at all the same."""
    notes: list[Note] = field(default_factory=list)
    output: str = ""


def place(path: str, module: Module) -> str:
    """Say which module is meant."""
    return f"layer {path!r} ({type(module).__name__})" if path else f"the module ({type(module).__name__})"


def where(recording: Recording) -> str:
    """Say where the run is."""
    if not recording.visits:
        return "the module"
    return place(recording.visits[-1].path, recording.visits[-1].module)


def unsupported_here(recording: Recording, message: str) -> UnsupportedLayerError:
    """Return an error that begins with where the run is."""
    return UnsupportedLayerError(f"{where(recording)}: {message}")


def inputs_among(recording: Recording, *arguments: Any) -> list[str]:
    """List the steps that arguments hold, in order, also inside tuples, lists and mappings."""
    found: list[str] = []
    for argument in arguments:
        if isinstance(argument, tuple | list):
            found.extend(inputs_among(recording, *argument))
        elif isinstance(argument, Mapping):
            found.extend(inputs_among(recording, *argument.values()))
        elif (value := recording.values.get(id(argument))) is not None:
            found.append(fresh(recording, value))
    return found


def fresh(recording: Recording, value: Value) -> str:
    """Return whose value a tensor holds, unless it was changed behind its back."""
    if value.stale:
        raise unsupported_here(
            recording,
            f"expected a value that stays as it is, got that of {value.step!r}, which another view of it changed in "
            f"place; leave out inplace=True there",
        )
    return value.step


GIVES_A_DTYPE = frozenset(["double", "to", "type", "type_as"])


def in_float32(name: str, args: Any, kwargs: Any, result: Any) -> Any:
    """Return a new constant in float32 where it only has another dtype since the whole program has another default."""
    import torch

    default = torch.get_default_dtype()
    if not isinstance(result, torch.Tensor) or result.dtype != default or default == torch.float32:
        return result
    asked = name in GIVES_A_DTYPE or kwargs.get("dtype") is not None
    given = [*args, *kwargs.values()]
    if asked or any(isinstance(one, torch.Tensor) and one.is_floating_point() for one in given):
        return result
    return result.float()
