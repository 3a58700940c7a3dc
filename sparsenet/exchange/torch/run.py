"""The state of a torch module's run: the current module, the tensors that depend on the input, the network so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparsenet.errors import UnsupportedLayerError
from sparsenet.exchange.builder import GraphBuilder
from sparsenet.ops.shapes import Shape

__all__ = [
    "Module",
    "Tensor",
    "Trace",
    "Visit",
    "follow",
    "fresh",
    "in_float32",
    "inputs_among",
    "place",
    "unsupported_here",
    "where",
]

Module = Any
Tensor = Any


@dataclass(eq=False)
class Visit:
    """One call of a module that has not returned yet."""

    path: str
    module: Module
    functions: int = 0
    """Of the input, called by the module itself so far."""


@dataclass(eq=False)
class Trace:
    """What is known of a run: so far, and at its end.

    The builder knows tensors that depend on the input by their identity.
    """

    batch: int
    builder: GraphBuilder
    tensors: dict[int, Tensor] = field(default_factory=dict)
    """Those tensors, kept so that their identities stay their own."""
    stale: set[int] = field(default_factory=set)
    """Of those that another view of their memory changed."""
    visits: list[Visit] = field(default_factory=list)
    readers: dict[tuple[int, Shape], str] = field(default_factory=dict)
    """The first layer that read a weight, by where it lies."""
    paused: bool = False
    failed_at: str = ""
    output: str = ""


def follow(recording: Trace, tensor: Tensor, name: str) -> None:
    """Remember which layer's value a tensor holds."""
    recording.tensors[id(tensor)] = tensor
    recording.builder.values[id(tensor)] = name
    recording.stale.discard(id(tensor))


def place(path: str, module: Module) -> str:
    """Say which module is meant."""
    return f"layer {path!r} ({type(module).__name__})" if path else f"the module ({type(module).__name__})"


def where(recording: Trace) -> str:
    """Say where the run is."""
    if not recording.visits:
        return "the module"
    return place(recording.visits[-1].path, recording.visits[-1].module)


def unsupported_here(recording: Trace, message: str) -> UnsupportedLayerError:
    """Return an error that begins with where the run is."""
    return UnsupportedLayerError(f"{where(recording)}: {message}")


def inputs_among(recording: Trace, *arguments: Any) -> list[str]:
    """List the steps that arguments hold, in order, also inside tuples, lists and mappings."""
    found: list[str] = []
    for argument in arguments:
        if isinstance(argument, tuple | list):
            found.extend(inputs_among(recording, *argument))
        elif isinstance(argument, Mapping):
            found.extend(inputs_among(recording, *argument.values()))
        elif id(argument) in recording.builder.values:
            found.append(fresh(recording, argument))
    return found


def fresh(recording: Trace, tensor: Tensor) -> str:
    """Return whose value a tensor holds, unless it was changed behind its back."""
    name = recording.builder.values[id(tensor)]
    if id(tensor) in recording.stale:
        raise unsupported_here(
            recording,
            f"expected a value that stays as it is, got that of {name!r}, which another view of it changed in "
            f"place; leave out inplace=True there",
        )
    return name


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
