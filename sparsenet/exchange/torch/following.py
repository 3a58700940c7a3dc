"""From a call of one of torch's functions to layers of the recording."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import numpy as np

from sparsenet.errors import SparsenetError, UnsupportedLayerError
from sparsenet.exchange.report import Note
from sparsenet.exchange.torch.call import BoolArray, Call, FloatArray, Layers, Tensor, numbers
from sparsenet.exchange.torch.functions import FUNCTIONS, Function
from sparsenet.exchange.torch.kwinners import k_winners_layers
from sparsenet.exchange.torch.masks import declared_mask
from sparsenet.exchange.torch.names import step_name, unused, wrapper_of
from sparsenet.exchange.torch.problems import Problem
from sparsenet.exchange.torch.run import Module, Recording, Value, in_float32, inputs_among, unsupported_here, where
from sparsenet.graph.network import Node
from sparsenet.ops.shapes import Shape, infer_shape

__all__ = ["called", "k_winners_called"]

ABOUT_SHAPES = frozenset(
    [
        "__len__",
        "__hash__",
        "__repr__",
        "__format__",
        "dim",
        "element_size",
        "get_device",
        "is_complex",
        "is_contiguous",
        "is_floating_point",
        "ndimension",
        "nelement",
        "numel",
        "size",
        "storage_offset",
        "stride",
    ]
)
"""Functions whose answer is the same for all values of one shape."""

ABOUT_VALUES = frozenset(
    [
        "__array__",
        "__bool__",
        "__contains__",
        "__float__",
        "__index__",
        "__int__",
        "allclose",
        "equal",
        "is_nonzero",
        "item",
        "numpy",
        "tolist",
    ]
)
"""Functions by which values could decide what is done."""


def called(recording: Recording, function: Any, args: Any, kwargs: Any) -> Any:
    """Do what a function does, and write it down if it depends on the input."""
    name = getattr(function, "__name__", repr(function))
    if recording.paused:
        return function(*args, **kwargs)
    if not inputs_among(recording, args, kwargs):
        return in_float32(name, args, kwargs, function(*args, **kwargs))
    import torch

    if name == "__get__":  # a property: named by its descriptor
        name = function.__self__.__name__
        result = function(*args, **kwargs)
        if not isinstance(result, torch.Tensor):
            return result
    elif name in ABOUT_SHAPES:
        return function(*args, **kwargs)
    elif name in ABOUT_VALUES:
        raise unsupported_here(
            recording,
            f"expected the same work for all inputs, got {name}(), which looks at values; control flow that depends on "
            f"values, and NumPy in between, cannot be imported",
        )
    plain = name[:-1] if name.endswith("_") and not name.endswith("__") else name
    result = function(*args, **kwargs)
    if plain not in FUNCTIONS:
        return _unknown(recording, plain, result)
    return _followed(recording, plain, FUNCTIONS[plain], args, kwargs, result)


def _unknown(recording: Recording, name: str, result: Any) -> Any:
    """Note a function that is no layer here, and go on with its result, so that later ones are met, too."""
    module, called_as = recording.visits[-1].module, name
    of_torch = type(module).__module__.startswith("torch.nn.modules") and not any(module.children())
    if of_torch and type(module).__name__.lower() != name:
        called_as = f"{type(module).__name__} (torch's {name})"
    what = f"expected a function that is a layer here, got {called_as}"
    recording.problems.append(Problem(where(recording), what, called_as))
    return _without_layer(recording, name, result)


def _without_layer(recording: Recording, name: str, result: Any) -> Any:
    """Remember that the tensors of a result depend on the input, though no layer gives them."""
    import torch

    parts = result.values() if isinstance(result, Mapping) else result if isinstance(result, tuple | list) else [result]
    for part in parts:
        if isinstance(part, torch.Tensor):
            step = unused(recording, name)
            recording.shapes[step] = tuple(part.shape[1:])
            recording.unknown.add(step)
            recording.values[id(part)] = Value(part, step)
        elif isinstance(part, tuple | list | Mapping):
            _without_layer(recording, name, part)
    return result


def _followed(recording: Recording, name: str, function: Function, args: Any, kwargs: Any, result: Any) -> Any:
    """Turn a call into layers, and remember whose value its result is."""
    inputs = inputs_among(recording, args, kwargs)
    step = step_name(recording, name)
    try:
        layers = _translated(recording, function, step, inputs, args, kwargs, result)
        last = _append(recording, step, layers, inputs, tuple(result.shape[1:]))
    except SparsenetError as error:
        if not (isinstance(error, _OtherAxesError) and recording.unknown.intersection(inputs)):
            kind = UnsupportedLayerError if isinstance(error, UnsupportedLayerError) else type(error)
            recording.problems.append(Problem(f"{where(recording)}, {name}", str(error), kind=kind))
        return _without_layer(recording, step, result)
    recording.visits[-1].functions += bool(layers)
    if id(result) in recording.values and layers:
        _spoil_views(recording, result)
    recording.values[id(result)] = Value(result, last)
    if recording.unknown.intersection(inputs):
        recording.unknown.add(last)
    return result


class _OtherAxesError(UnsupportedLayerError):
    """A value that is not float32 with the batch first: after a function that is unknown no new problem."""


def _translated(
    recording: Recording, function: Function, step: str, inputs: list[str], args: Any, kwargs: Any, result: Any
) -> Layers:
    import torch

    def depends(value: Any) -> bool:
        return id(value) in recording.values

    def note(text: str) -> None:
        recording.notes.append(Note(step, text))

    def weight(tensor: Tensor) -> tuple[FloatArray, BoolArray | None]:
        return _weight(recording, step, tensor)

    if not isinstance(result, torch.Tensor):
        raise UnsupportedLayerError(f"expected one tensor, got {type(result).__name__}")
    shape, result_shape = recording.shapes[inputs[0]], tuple(result.shape[1:])
    if result.dtype != torch.float32 or result.shape[:1] != (recording.batch,):
        raise _OtherAxesError(
            f"expected float32 values whose first axis is the batch of {recording.batch}, got {result.dtype} of shape "
            f"{tuple(result.shape)}"
        )
    call = Call(shape, result_shape, depends, weight, note)
    try:
        bound = signature(function.translate).bind(call, *args, **kwargs)
    except TypeError as error:
        raise UnsupportedLayerError(f"expected other arguments: {error}") from None
    if len(inputs) > 1 and function.place != "several":
        values = " and ".join(repr(one) for one in inputs)
        raise UnsupportedLayerError(
            f"expected one value that depends on the input, and constants beside it, got {len(inputs)} values that "
            f"depend on it: those of {values}"
        )
    if function.place == "first" and not depends(bound.args[1]):
        raise UnsupportedLayerError(
            "expected the value that depends on the input as the first argument, got a constant there"
        )
    return function.translate(*bound.args, **bound.kwargs)


def _append(recording: Recording, step: str, layers: Layers, inputs: list[str], result_shape: Shape) -> str:
    """Add layers in a chain, the last under the name of the step; return whose value the result is."""
    shape, last = recording.shapes[inputs[0]], inputs[0]
    for layer in layers:
        final = layer is layers[-1]
        name = step if final else unused(recording, f"{step}.{type(layer).__name__.lower()}")
        shape = infer_shape(layer, tuple(recording.shapes[source] for source in inputs))
        recording.steps.append(Node(name, layer, tuple(inputs)))
        recording.shapes[name] = shape
        inputs, last = [name], name
    if shape != result_shape:
        raise UnsupportedLayerError(f"expected a value of shape {shape} for each sample, got {result_shape}")
    return last


def k_winners_called(recording: Recording, module: Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Run a k-winners module as one function, whatever it calls inside."""
    recording.paused = True
    try:
        result = forward(*args, **kwargs)
    finally:
        recording.paused = False

    def translate(call: Call, x: Tensor) -> Layers:
        return k_winners_layers(module, call.shape, call.note)

    if not inputs_among(recording, args, kwargs):
        return result
    return _followed(recording, "kwinners", Function(translate), args, kwargs, result)


def _weight(recording: Recording, step: str, tensor: Tensor) -> tuple[FloatArray, BoolArray | None]:
    """Read a weight, its mask, and say what is odd about either."""
    import torch

    weight = numbers(tensor)
    # a weight that was computed for this call leaves its place in memory to the next
    if isinstance(tensor, torch.nn.Parameter):
        first = recording.readers.setdefault((tensor.data_ptr(), weight.shape), step)
        if first != step:
            recording.notes.append(Note(step, f"shares its weight with {first!r} in torch; here each has its own"))
    module, wrapper = recording.visits[-1].module, wrapper_of(recording)
    mask = declared_mask(module, wrapper, weight.shape)
    if mask is not None and (outside := int(np.count_nonzero(weight[~mask]))):
        recording.notes.append(Note(step, f"{outside} weights outside the mask are not zero: they are kept"))
        mask = mask | (weight != 0)
    return weight, mask


def _spoil_views(recording: Recording, tensor: Tensor) -> None:
    """Mark every other tensor that shares its memory with one that was changed in place."""
    memory = tensor.untyped_storage().data_ptr()
    for key, value in recording.values.items():
        if value.tensor is not tensor and value.tensor.untyped_storage().data_ptr() == memory:
            recording.values[key] = Value(value.tensor, value.step, stale=True)
