"""torch's functions and the layers that they are.

Each translator takes a :class:`~sparsenet.exchange.torch.call.Call` and then the arguments of its function, under
torch's own names, and returns the layers that compute the same, one after the other: none where the function changes
nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sparsenet.exchange.torch.arithmetic import add, div, mul, neg, rsub, sub
from sparsenet.exchange.torch.call import Call, Layers, Tensor, unsupported
from sparsenet.exchange.torch.pooling import adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d, mean
from sparsenet.exchange.torch.weights import batch_norm, conv2d, linear, matmul
from sparsenet.layers import Concat, Flatten, LogSoftmax, ReLU, Reshape, Softmax

__all__ = ["FUNCTIONS", "Function"]


def _relu(call: Call, input: Tensor, inplace: bool = False) -> Layers:
    return (ReLU(),)


def _clamp(call: Call, input: Tensor, min: Any = None, max: Any = None) -> Layers:
    if max is not None or min != 0:
        raise unsupported("a clamp at zero from below, which is a ReLU", f"min={min}, max={max}")
    return (ReLU(),)


def _reshape(call: Call, *settings: Any, **others: Any) -> Layers:
    if call.result_shape == call.shape:
        return ()
    if not call.result_shape:
        raise unsupported("samples that keep at least one axis", "a single number each")
    return (Flatten(),) if len(call.result_shape) == 1 else (Reshape(call.result_shape),)


def _nothing(call: Call, *settings: Any, **others: Any) -> Layers:
    return ()


def _dropout(call: Call, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Layers:
    if training and p > 0:
        raise unsupported("dropout that is off in evaluation mode", "training=True; pass training=self.training")
    call.note("left out: dropout does nothing at inference")
    return ()


def _softmax(
    call: Call,
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: Any = None,
) -> Layers:
    _first_axis(call, dim)
    return (Softmax(),)


def _log_softmax(
    call: Call,
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: Any = None,
) -> Layers:
    _first_axis(call, dim)
    return (LogSoftmax(),)


def _first_axis(call: Call, dim: int | None) -> None:
    """Refuse any axis but the first of a sample; where none is given, torch takes the batch's for three axes."""
    axes = len(call.shape) + 1
    if dim is None:
        dim = 0 if axes == 3 else 1
    if dim % axes != 1:
        raise unsupported("softmax along the first axis after the batch, dim=1", f"dim={dim}")


def _cat(call: Call, tensors: Any, dim: int = 0) -> Layers:
    if dim % (len(call.shape) + 1) != 1:
        raise unsupported("to join along the first axis after the batch, dim=1", f"dim={dim}")
    if not all(call.depends(tensor) for tensor in tensors):
        raise unsupported("to join values that depend on the input", "constants among them")
    return (Concat(),) if len(tensors) > 1 else ()


def _pad(call: Call, input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Layers:
    if not any(pad):
        return ()
    raise unsupported(
        "padding by zeros, given to the convolution or pooling itself (padding=...)",
        f"{mode} padding of {tuple(pad)} before it",
    )


@dataclass(frozen=True)
class Function:
    """How a function is translated, and where its input may stand: first, in either place, or in several at once."""

    translate: Callable[..., Layers]
    place: str = "first"


FUNCTIONS = {
    "add": Function(add, "several"),
    "adaptive_avg_pool2d": Function(adaptive_avg_pool2d),
    "adaptive_max_pool2d": Function(adaptive_max_pool2d),
    "avg_pool2d": Function(avg_pool2d),
    "batch_norm": Function(batch_norm),
    "clamp": Function(_clamp),
    "clamp_min": Function(_clamp),
    "conv2d": Function(conv2d),
    "div": Function(div),
    "linear": Function(linear),
    "log_softmax": Function(_log_softmax),
    "matmul": Function(matmul),
    "max_pool2d": Function(max_pool2d),
    "mean": Function(mean),
    "mm": Function(matmul),
    "mul": Function(mul, "either"),
    "multiply": Function(mul, "either"),
    "neg": Function(neg),
    "pad": Function(_pad),
    "relu": Function(_relu),
    "rsub": Function(rsub),
    "__rsub__": Function(rsub),
    "softmax": Function(_softmax),
    "sub": Function(sub, "either"),
    "true_divide": Function(div),
    **dict.fromkeys(("cat", "concat", "concatenate"), Function(_cat, "several")),
    **dict.fromkeys(
        ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"), Function(_dropout)
    ),
    **dict.fromkeys(
        ("flatten", "reshape", "reshape_as", "squeeze", "unflatten", "unsqueeze", "view", "view_as"), Function(_reshape)
    ),
    **dict.fromkeys(
        ("clone", "contiguous", "cpu", "data", "detach", "float", "positive", "requires_grad", "to", "type", "type_as"),
        Function(_nothing),
    ),
}
"""By the name under which torch reports them; functions in place go without their underscore."""
