"""Networks in torch: eager, float32, without gradients."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import CompileError
from sparsenet.graph.network import INPUT, Network
from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Linear,
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Reshape,
    Softmax,
    as_pair,
)
from sparsenet.ops.kwinners import factor_per_element
from sparsenet.ops.shapes import Shape

__all__ = ["load_torch", "torch_operations"]

FloatArray = npt.NDArray[np.float32]
Operation = Callable[..., Any]


def load_torch(net: Network, batch: int, threads: int) -> Callable[[FloatArray], FloatArray]:
    """Turn every layer into a call of torch's functions."""
    import torch

    torch.set_num_threads(threads)
    if (found := torch.get_num_threads()) != threads:
        raise CompileError(f"expected torch to use {threads} threads, got {found}")
    forward = torch_operations(net)

    def run(x: FloatArray) -> FloatArray:
        if torch.get_num_threads() != threads:  # a setting of the process, not of the model
            torch.set_num_threads(threads)
        with torch.inference_mode():
            y: FloatArray = forward(torch.from_numpy(x)).numpy()
        return y

    return run


def torch_operations(net: Network) -> Operation:
    """Turn every layer into a call of torch's functions, tensor in, tensor out, on torch's default device."""
    chain = [(node.name, _operation(node.layer, net.shapes[node.name]), node.inputs) for node in net.nodes]

    def forward(x: Any) -> Any:
        values = {INPUT: x}
        for name, operation, inputs in chain:
            values[name] = operation(*(values[source] for source in inputs))
        return values[net.output]

    return forward


def _tensor(array: npt.NDArray[Any] | None) -> Any:
    import torch

    return None if array is None else torch.from_numpy(array.copy()).to(torch.get_default_device())


@singledispatch
def _operation(layer: object, shape: Shape) -> Operation:
    raise CompileError(
        f"expected a float32 network, got a {type(layer).__name__}; compare the network it was made from"
    )


@_operation.register
def _conv2d(layer: Conv2d, shape: Shape) -> Operation:
    from torch.nn.functional import conv2d

    weight, bias = _tensor(layer.weight), _tensor(layer.bias)
    pairs = as_pair(layer.stride), as_pair(layer.padding), as_pair(layer.dilation)
    return lambda x: conv2d(x, weight, bias, *pairs, layer.groups)


@_operation.register
def _linear(layer: Linear, shape: Shape) -> Operation:
    from torch.nn.functional import linear

    weight, bias = _tensor(layer.weight), _tensor(layer.bias)
    return lambda x: linear(x, weight, bias)


@_operation.register
def _max_pool2d(layer: MaxPool2d, shape: Shape) -> Operation:
    from torch.nn.functional import max_pool2d

    return lambda x: max_pool2d(x, as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding))


@_operation.register
def _avg_pool2d(layer: AvgPool2d, shape: Shape) -> Operation:
    from torch.nn.functional import avg_pool2d

    return lambda x: avg_pool2d(x, as_pair(layer.kernel), as_pair(layer.stride), as_pair(layer.padding))


@_operation.register
def _global_avg_pool2d(layer: GlobalAvgPool2d, shape: Shape) -> Operation:
    return lambda x: x.mean((2, 3), keepdim=True)


@_operation.register
def _batch_norm(layer: BatchNorm, shape: Shape) -> Operation:
    from torch.nn.functional import batch_norm

    moments = _tensor(layer.mean), _tensor(layer.variance), _tensor(layer.weight), _tensor(layer.bias)
    return lambda x: batch_norm(x, *moments, eps=layer.epsilon)


@_operation.register
def _k_winners(layer: KWinners, shape: Shape) -> Operation:
    import torch

    by_channel = layer.scope == "channels"
    factor = _tensor(layer.factor if by_channel else factor_per_element(layer, shape))
    if factor is not None and by_channel:
        factor = factor.reshape(-1, *(1 for _ in shape[1:]))

    def keep(x: Any) -> Any:
        values = x if by_channel else x.flatten(1)
        ranked = values if factor is None else values * factor
        winners = ranked.topk(layer.k, dim=1, sorted=False).indices
        kept = torch.zeros_like(values).scatter_(1, winners, values.gather(1, winners))
        return kept.reshape(x.shape)

    return keep


@_operation.register(Flatten)
@_operation.register(Reshape)
def _reshape(layer: Flatten | Reshape, shape: Shape) -> Operation:
    return lambda x: x.reshape(len(x), *shape)


@_operation.register
def _relu(layer: ReLU, shape: Shape) -> Operation:
    return lambda x: x.relu()


@_operation.register
def _add(layer: Add, shape: Shape) -> Operation:
    return lambda first, *others: sum(others, start=first)


@_operation.register
def _concat(layer: Concat, shape: Shape) -> Operation:
    import torch

    return lambda *inputs: torch.cat(inputs, 1)


@_operation.register
def _softmax(layer: Softmax, shape: Shape) -> Operation:
    return lambda x: x.softmax(1)


@_operation.register
def _log_softmax(layer: LogSoftmax, shape: Shape) -> Operation:
    return lambda x: x.log_softmax(1)
