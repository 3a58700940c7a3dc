"""Turn calls of torch's functions into layers."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sparsenet.errors import SparsenetError, UnsupportedLayerError
from sparsenet.exchange.builder import add_layers, add_unknown, note
from sparsenet.exchange.call import BoolArray, Call, FloatArray, Layers, Line, translated
from sparsenet.exchange.problems import Problem
from sparsenet.exchange.torch.functions import functions, numbers
from sparsenet.exchange.torch.masks import declared_mask
from sparsenet.exchange.torch.names import step_name, wrapper_of
from sparsenet.exchange.torch.run import (
    Module,
    Tensor,
    Trace,
    follow,
    in_float32,
    inputs_among,
    unsupported_here,
    where,
)

__all__ = ["called", "module_called"]

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


def called(recording: Trace, function: Any, args: Any, kwargs: Any) -> Any:
    """Run a function, and record it if it depends on the input."""
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
    line = functions().get(plain)
    if line is None:
        return _unknown(recording, plain, result)
    return _followed(recording, plain, line, args, kwargs, result)


def _unknown(recording: Trace, name: str, result: Any) -> Any:
    """Note an unsupported function and continue with its result, so that later ones are found, too."""
    module, called_as = recording.visits[-1].module, name
    of_torch = type(module).__module__.startswith("torch.nn.modules") and not any(module.children())
    if of_torch and type(module).__name__.lower() != name:
        called_as = f"{type(module).__name__} (torch's {name})"
    what = f"expected a function that is a layer here, got {called_as}"
    recording.builder.problems.append(Problem(where(recording), what, called_as))
    return _without_layer(recording, name, result)


def _without_layer(recording: Trace, name: str, result: Any) -> Any:
    """Remember that the tensors of a result depend on the input, though no layer gives them."""
    import torch

    parts = result.values() if isinstance(result, Mapping) else result if isinstance(result, tuple | list) else [result]
    for part in parts:
        if isinstance(part, torch.Tensor):
            follow(recording, part, add_unknown(recording.builder, name, tuple(part.shape[1:])))
        elif isinstance(part, tuple | list | Mapping):
            _without_layer(recording, name, part)
    return result


def _followed(recording: Trace, name: str, line: Line, args: Any, kwargs: Any, result: Any) -> Any:
    """Turn a call into layers, and remember whose value its result is."""
    builder, inputs = recording.builder, inputs_among(recording, args, kwargs)
    step = step_name(recording, name)
    try:
        layers = _layers(recording, line, step, inputs, args, kwargs, result)
        last = add_layers(builder, step, layers, inputs)
        expected, got = builder.shapes[last], tuple(result.shape[1:])
        if expected != got:
            raise UnsupportedLayerError(f"expected a value of shape {expected} for each sample, got {got}")
    except SparsenetError as error:
        if not (isinstance(error, _OtherAxesError) and builder.unknown.intersection(inputs)):
            kind = UnsupportedLayerError if isinstance(error, UnsupportedLayerError) else type(error)
            builder.problems.append(Problem(f"{where(recording)}, {name}", str(error), kind=kind))
        return _without_layer(recording, step, result)
    recording.visits[-1].functions += bool(layers)
    if id(result) in builder.values and layers:
        _spoil_views(recording, result)
    follow(recording, result, last)
    if builder.unknown.intersection(inputs):
        builder.unknown.add(last)
    return result


class _OtherAxesError(UnsupportedLayerError):
    """A value that is not float32 with the batch first: after a function that is unknown no new problem."""


def _layers(recording: Trace, line: Line, step: str, inputs: list[str], args: Any, kwargs: Any, result: Any) -> Layers:
    import torch

    builder = recording.builder

    def depends(value: Any) -> bool:
        return id(value) in builder.values

    def noted(text: str, kind: str = "decided") -> None:
        note(builder, step, text, kind)

    def weight(tensor: Tensor) -> tuple[FloatArray, BoolArray | None]:
        return _weight(recording, step, tensor)

    if not isinstance(result, torch.Tensor):
        raise UnsupportedLayerError(f"expected one tensor, got {type(result).__name__}")
    if result.dtype != torch.float32 or result.shape[:1] != (recording.batch,):
        raise _OtherAxesError(
            f"expected float32 values whose first axis is the batch of {recording.batch}, got {result.dtype} of shape "
            f"{tuple(result.shape)}"
        )
    shapes = tuple(builder.shapes[name] for name in inputs)
    dtypes = tuple(builder.dtypes[name] for name in inputs)
    call = Call(shapes, dtypes, depends, numbers, weight, noted, tuple(result.shape[1:]), recording.batch)
    return translated(line, call, inputs, args, kwargs)


def module_called(
    recording: Trace,
    module: Module,
    known: tuple[str, Line],
    forward: Callable[..., Any],
    args: Any,
    kwargs: Any,
) -> Any:
    """Run a module as one function, whatever it calls inside."""
    recording.paused = True
    try:
        result = forward(*args, **kwargs)
    finally:
        recording.paused = False
    if not inputs_among(recording, args, kwargs):
        return result
    name, line = known
    bound = Line(lambda call, x: line.translate(call, x, module), line.gives, line.place)
    return _followed(recording, name, bound, args, kwargs, result)


def _weight(recording: Trace, step: str, tensor: Tensor) -> tuple[FloatArray, BoolArray | None]:
    """Read a weight, its mask, and say what is odd about either."""
    import torch

    weight = numbers(tensor)
    # a weight that was computed for this call leaves its place in memory to the next
    if isinstance(tensor, torch.nn.Parameter):
        first = recording.readers.setdefault((tensor.data_ptr(), weight.shape), step)
        if first != step:
            note(recording.builder, step, f"shares its weight with {first!r} in torch; here each has its own")
    module, wrapper = recording.visits[-1].module, wrapper_of(recording)
    mask = declared_mask(module, wrapper, weight.shape)
    if mask is not None and (outside := int(np.count_nonzero(weight[~mask]))):
        note(recording.builder, step, f"{outside} weights outside the mask are not zero: they are kept")
        mask = mask | (weight != 0)
    return weight, mask


def _spoil_views(recording: Trace, tensor: Tensor) -> None:
    """Mark every other tensor that shares its memory with one that was changed in place."""
    memory = tensor.untyped_storage().data_ptr()
    for key, other in recording.tensors.items():
        if other is not tensor and other.untyped_storage().data_ptr() == memory:
            recording.stale.add(key)
