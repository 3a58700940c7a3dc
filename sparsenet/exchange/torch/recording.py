"""Record what a torch module does while it runs.

torch reports every call of its functions to a listener. Values are followed by the identity of the tensor objects
that hold them: a function of the input becomes a layer, a function of weights alone just gives another constant.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sparsenet.errors import GraphError, SparsenetError, UnsupportedLayerError
from sparsenet.exchange.builder import begun, note
from sparsenet.exchange.problems import Problem, refusal
from sparsenet.exchange.torch.following import called, module_called
from sparsenet.exchange.torch.functions import module_line
from sparsenet.exchange.torch.run import Module, Tensor, Trace, Visit, follow, fresh, place
from sparsenet.graph.network import INPUT, Input, Node

__all__ = ["recorded", "same_step"]


def recorded(module: Module, x: Tensor, converted: Mapping[str, str]) -> Trace:
    """Run a module and write down what it does.

    Parameters
    ----------
    module : nn.Module
        A copy that may be changed: afterwards its modules no longer announce themselves to this recording.
    x : Tensor (B, *input_shape)
    converted : mapping of str to str
        By module, which other dtypes its weights had.

    Raises
    ------
    UnsupportedLayerError, GraphError
        See :func:`sparsenet.from_torch`.
    """
    import torch

    recording = Trace(len(x), begun({INPUT: Input(tuple(x.shape[1:]))}))
    for path, kinds in converted.items():
        note(recording.builder, path, f"{kinds} weights became float32")
    follow(recording, x, INPUT)
    forwards = {path: part.forward for path, part in module.named_modules()}
    for path, part in module.named_modules():
        part.forward = _announced(recording, path, part, forwards[path])
    try:
        with torch.no_grad(), torch.device("cpu"), _listener(recording, module):
            result = module(x)
        recording.output = _output(recording, result)
    except Exception as error:  # whatever the module raises
        raise _failure(recording, error) from (None if isinstance(error, SparsenetError) else error)
    finally:
        for path, part in module.named_modules():
            part.forward = forwards[path]
    if recording.builder.problems:
        raise refusal(recording.builder.problems)
    return recording


def _failure(recording: Trace, error: Exception) -> SparsenetError:
    """Return what ended a run, after the problems that were met before it."""
    if not isinstance(error, SparsenetError):
        where = recording.failed_at or "the module"
        hint = "does the example have the shape (B, ...) that the module takes?"
        if isinstance(error, RecursionError):
            hint = "the module is nested too deeply: raise sys.setrecursionlimit"
        error = GraphError(
            f"{where}: expected to run on samples of shape {recording.builder.shapes[INPUT]}, got "
            f"{type(error).__name__}: {error}; {hint}"
        )
    if not recording.builder.problems:
        return error
    place, _, what = str(error).partition(": ")
    return refusal([*recording.builder.problems, Problem(place, what, kind=type(error))])


def same_step(a: Node, b: Node) -> bool:
    """Say whether two steps are called, read and compute the same."""
    if (a.name, a.inputs, type(a.layer)) != (b.name, b.inputs, type(b.layer)):
        return False
    fields, others = vars(a.layer), vars(b.layer)
    return all(np.array_equal(fields[name], others[name]) for name in fields)


def _listener(recording: Trace, module: Module) -> Any:
    """Make the object that torch tells of each call of its functions. torch asks for this base class."""
    from torch.overrides import TorchFunctionMode

    def heard(self: Any, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if recording.visits:
            return called(recording, function, args, kwargs or {})
        recording.visits.append(Visit("", module))  # a hook of the whole module, before its forward or behind it
        try:
            return called(recording, function, args, kwargs or {})
        finally:
            recording.visits.pop()

    return type("Listener", (TorchFunctionMode,), {"__torch_function__": heard})()


def _announced(recording: Trace, path: str, module: Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a module's forward, so that the recording knows where it is."""

    def announced(*args: Any, **kwargs: Any) -> Any:
        if recording.paused:
            return forward(*args, **kwargs)
        recording.visits.append(Visit(path, module))
        try:
            if (known := module_line(module)) is not None:
                return module_called(recording, module, known, forward, args, kwargs)
            return forward(*args, **kwargs)
        except Exception:
            recording.failed_at = recording.failed_at or place(path, module)
            raise
        finally:
            recording.visits.pop()

    return announced


def _output(recording: Trace, result: Any) -> str:
    import torch

    if not isinstance(result, torch.Tensor):
        raise UnsupportedLayerError(
            f"expected a module that returns one tensor, got {type(result).__name__}; wrap it in a module that returns "
            f"the one you want"
        )
    if id(result) in recording.builder.values:
        return fresh(recording, result)
    if recording.builder.problems:
        return ""
    raise UnsupportedLayerError(
        "expected an output that depends on the input by torch's functions, got one that does not; is something "
        "computed by scripted code, or by another library?"
    )
