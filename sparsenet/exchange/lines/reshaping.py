"""Reshaping, concatenation, and functions that change nothing."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from sparsenet.exchange.call import Call, Layers, Line, refuse_dependent
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.layers import Concat, Flatten, Reshape
from sparsenet.ops.shapes import Shape

__all__ = ["ONNX_IN", "ONNX_OUT", "REFUSED", "TORCH"]


def _reshape(call: Call, *settings: Any, **others: Any) -> Layers:
    return _shaped(call, call.result_shape)


def _shaped(call: Call, wanted: Shape) -> Layers:
    """Return what gives a sample another shape of as many elements."""
    if wanted == call.shape:
        return ()
    if not wanted:
        raise unsupported("samples that keep at least one axis", "a single number each")
    return (Flatten(),) if len(wanted) == 1 else (Reshape(wanted),)


def _nothing(call: Call, *settings: Any, **others: Any) -> Layers:
    return ()


def _dropout(call: Call, input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Layers:
    if training and p > 0:
        raise unsupported("dropout that is off in evaluation mode", "training=True; pass training=self.training")
    call.note("left out: dropout does nothing at inference")
    return ()


def _cat(call: Call, tensors: Any, dim: int = 0) -> Layers:
    if dim % (len(call.shape) + 1) != 1:
        raise unsupported("to join along the first axis after the batch, dim=1", f"dim={dim}")
    if not all(call.depends(tensor) for tensor in tensors):
        raise unsupported("to join values that depend on the input", "constants among them")
    return (Concat(),) if len(tensors) > 1 else ()


def _pad(call: Call, input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Layers:
    if not any(pad):
        return ()
    raise unsupported(
        "padding by zeros, given to the convolution or pooling itself (padding=...)",
        f"{mode} padding of {tuple(pad)} before it",
    )


def _onnx_reshape(call: Call, data: Any, shape: Any, *, allowzero: int = 0) -> Layers:
    """Read a reshape as it stands: ``[0, ...]`` keeps the batch, and ``[-1, n]`` is what flattening is written as."""
    refuse_dependent(call, shape)
    first, *rest = _sizes(shape)
    got = f"a shape of {[first, *rest]} for samples of shape {call.shape}"
    if not allowzero:
        rest = [
            call.shape[at] if size == 0 and at < len(call.shape) else size
            for at, size in enumerate(rest)  # 0 keeps an axis
        ]
    whole = first == -1 and prod(rest) == prod(call.shape)
    batch_stays = (first == 0 and not allowzero) or first == call.batch or whole
    if not batch_stays or not rest or not all(-1 <= size <= prod(call.shape) and size for size in rest):
        raise unsupported("a shape that leaves each sample to itself, [0, ...]", got)
    return (Flatten(),) if first != 0 and len(rest) == 1 else (Reshape(tuple(rest)),)


def _sizes(values: Any) -> list[int]:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim > 1 or not array.size:
        raise unsupported("a list of integers", f"{array.dtype} of shape {array.shape}")
    return [int(one) for one in array.ravel()]


def _onnx_flatten(call: Call, input: Any, *, axis: int = 1) -> Layers:
    if axis % (len(call.shape) + 1) != 1:
        raise unsupported("a sample as one vector, axis=1", f"axis={axis}")
    return _shaped(call, (prod(call.shape),))


def _squeeze(call: Call, data: Any, axes: Any = None) -> Layers:
    refuse_dependent(call, axes)
    rank = len(call.shape) + 1
    if axes is None:
        raise unsupported("axes to leave out", "none named, where a batch of one is left out too")
    gone = {axis % rank for axis in _sizes(axes)}
    if 0 in gone or any(call.shape[axis - 1] != 1 for axis in gone):
        raise unsupported("axes of size one behind the batch to leave out", f"axes {_sizes(axes)} of {call.shape}")
    return _shaped(call, tuple(size for at, size in enumerate(call.shape) if at + 1 not in gone))


def _unsqueeze(call: Call, data: Any, axes: Any) -> Layers:
    refuse_dependent(call, axes)
    rank = len(call.shape) + 1 + len(_sizes(axes))
    new = {axis % rank for axis in _sizes(axes)}
    if 0 in new or len(new) != len(_sizes(axes)):
        raise unsupported("new axes behind the batch", f"axes {_sizes(axes)}")
    sizes = iter(call.shape)
    return _shaped(call, tuple(1 if axis in new else next(sizes) for axis in range(1, rank)))


def _transpose(call: Call, data: Any, *, perm: Sequence[int] | None = None) -> Layers:
    """Read a transposition that moves nothing: only axes of size one change places."""
    order = list(range(len(call.shape), -1, -1)) if perm is None else [int(axis) for axis in perm]
    if sorted(order) != list(range(len(call.shape) + 1)):
        raise unsupported(f"an order of {len(call.shape) + 1} axes", f"perm={order}")
    moved = [axis for axis in order if axis == 0 or call.shape[axis - 1] != 1]
    if order[0] != 0 or moved != sorted(moved):
        raise unsupported("a transposition that leaves the elements in their order", f"perm={order} of {call.shape}")
    return _shaped(call, tuple(call.shape[axis - 1] for axis in order[1:]))


def _concat(call: Call, *inputs: Any, axis: int = 1) -> Layers:
    return _cat(call, inputs, axis)


def _onnx_dropout(call: Call, data: Any, ratio: Any = 0.5, training_mode: Any = None, *, seed: int = 0) -> Layers:
    training = training_mode is not None and bool(np.asarray(training_mode).any())
    return _dropout(call, data, float(np.asarray(ratio).reshape(())), training)


def _write_flatten(layer: Flatten, writer: Writer) -> None:
    shape = writer.constant("shape", np.array([-1, *writer.shape], np.int64))
    writer.operator("Reshape", [writer.source, shape])


def _write_reshape(layer: Reshape, writer: Writer) -> None:
    shape = writer.constant("shape", np.array([0, *layer.shape], np.int64))  # 0 keeps the batch axis
    writer.operator("Reshape", [writer.source, shape])


def _write_concat(layer: Concat, writer: Writer) -> None:
    writer.operator("Concat", writer.sources, axis=1)


TORCH = {
    "pad": Line(_pad),
    **dict.fromkeys(("cat", "concat", "concatenate"), Line(_cat, ("Concat",), "several")),
    **dict.fromkeys(
        ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"), Line(_dropout)
    ),
    **dict.fromkeys(
        ("flatten", "reshape", "reshape_as", "squeeze", "unflatten", "unsqueeze", "view", "view_as"),
        Line(_reshape, ("Flatten", "Reshape")),
    ),
    **dict.fromkeys(
        ("clone", "contiguous", "cpu", "data", "detach", "float", "positive", "requires_grad", "to", "type", "type_as"),
        Line(_nothing),
    ),
}
ONNX_IN = {
    "Concat": Line(_concat, ("Concat",), "several"),
    "Dropout": Line(_onnx_dropout),
    "Flatten": Line(_onnx_flatten, ("Flatten",)),
    "Identity": Line(_nothing),
    "Reshape": Line(_onnx_reshape, ("Flatten", "Reshape")),
    "Squeeze": Line(_squeeze, ("Flatten", "Reshape")),
    "Transpose": Line(_transpose, ("Reshape",)),
    "Unsqueeze": Line(_unsqueeze, ("Reshape",)),
}
ONNX_OUT = {"Concat": _write_concat, "Flatten": _write_flatten, "Reshape": _write_reshape}
REFUSED: dict[str, dict[str, str]] = {}
