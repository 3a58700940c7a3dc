"""Networks rounded to 8 bits: bytes between convolutions, int8 weights, sums in int32."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import GraphError, SparsenetError
from sparsenet.layers import (
    Conv2d,
    Dequantize,
    KWinners,
    Layer,
    Linear,
    Quantize,
    QuantizedConv2d,
    QuantizedLinear,
    ReLU,
)
from sparsenet.meaning import evaluate_layer
from sparsenet.network import INPUT, Network, Node
from sparsenet.network_parts import expect_network
from sparsenet.passes.byte_paths import loses_negatives, tail_of, works_on_bytes
from sparsenet.passes.calibration import Observed, observe
from sparsenet.passes.fold_batchnorm import fold_batchnorm
from sparsenet.passes.search import Wanted, best_conv2d, conv2d_report, relative_error
from sparsenet.passes.steps import Steps, quantized_linear, steps_for, weights_lost
from sparsenet.progress import tracked

__all__ = ["quantize"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Value:
    """A value of the network that grows: the node that gives it and, of bytes, what they stand for."""

    name: str
    steps: Steps | None = None


@dataclass(frozen=True, eq=False)
class _Draft:
    """The quantised network as it grows along the float32 one, with its values for the samples that were kept."""

    net: Network
    observed: Observed
    nodes: list[Node] = field(default_factory=list)
    samples: dict[str, Array] = field(default_factory=dict)
    values: dict[str, _Value] = field(default_factory=dict)
    to_float: dict[str, str] = field(default_factory=dict)
    to_bytes: dict[str, tuple[str, Steps]] = field(default_factory=dict)
    report: dict[str, dict[str, Any]] = field(default_factory=dict)
    next_numbers: dict[str, int] = field(default_factory=dict)


def quantize(
    net: Network, calibration: npt.ArrayLike | Iterable[npt.ArrayLike], *, progress: bool | None = None
) -> Network:
    """Round a network to 8 bits: activations to bytes, weights to int8, with sums in int32.

    Convolutions, and linear layers that follow them, are quantised; max pooling, k-winners among channels, ReLU and
    flattening between them are done on bytes. Everything else stays float32, with the layers that change between the
    two where they meet: the last linear layers, softmax, additions, means, k-winners among all elements or with ranking
    factors. Batch norms are folded first. Zeros of weights stay zeros, and a kept weight that is rounded to zero keeps
    its place in the mask.

    A convolution whose values go to k-winners or ReLU keeps none below zero: *winners below zero are lost*, and
    ``details["quantization"]`` says how many that were. All its channels share one scale, so that bytes can be
    compared; it is the one, of a few, with the least squared error after pooling and k-winners.

    Parameters
    ----------
    net : Network
        In float32.
    calibration : array (B, *input_shape), or iterable of such
        Real inputs, such as the network will be used on: a hundred or more, and not those on which its accuracy will be
        measured. Read once, batch after batch.
    progress : bool or None
        Whether to show progress where it takes over a second: always, never, or (None) in terminals and notebooks.

    Returns
    -------
    Network
        With the same inputs, outputs and labels. ``details["quantization"]`` says for each layer what was done: scales,
        shift, and, on the calibration data, the share of values that were clipped, of winners that were lost, and the
        error that has come together so far.

    Raises
    ------
    SparsenetError
        When there is no calibration data, it has the wrong shape or holds NaN or infinity, or the network is quantised.
    GraphError
        When some input could make a sum of a layer leave int32.
    TypeError
        When the calibration data are not arrays of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> layers = [sn.Conv2d(np.ones((2, 1, 3, 3))), sn.ReLU(), sn.Flatten(), sn.Linear(np.ones((4, 8)))]
    >>> net = sn.Network.sequential((1, 4, 4), layers)
    >>> quantized = quantize(net, np.linspace(-1, 1, 160).reshape(10, 1, 4, 4))
    >>> [type(node.layer).__name__ for node in quantized.nodes]
    ['Quantize', 'QuantizedConv2d', 'Flatten', 'QuantizedLinear']
    """
    expect_network(net)
    _refuse_quantized(net)
    net = fold_batchnorm(net)
    observed = observe(net, calibration, progress)
    draft = _Draft(net, observed, samples={INPUT: observed.values[INPUT]}, values={INPUT: _Value(INPUT)})
    for node in tracked(net.nodes, "quantising, layers", progress, len(net.nodes)):
        try:
            draft.values[node.name] = _rounded(draft, node)
        except GraphError as error:
            raise GraphError(f"layer {node.name!r}: {error}; it cannot be quantised") from None
    output = _as_float(draft, net.output)
    details = {**net.details, "quantization": {"samples": observed.count, "layers": draft.report}}
    return Network(net.input_shape, draft.nodes, output, net.labels, details)


def _refuse_quantized(net: Network) -> None:
    for node in net.nodes:
        if isinstance(node.layer, Quantize | QuantizedConv2d | QuantizedLinear | Dequantize):
            raise SparsenetError(
                f"expected a network in float32, got one that is quantised: layer {node.name!r} is a "
                f"{type(node.layer).__name__}"
            )


def _rounded(draft: _Draft, node: Node) -> _Value:
    """Add what a layer becomes; where its inputs are bytes, it is done on bytes if it can be."""
    layer, given = node.layer, [draft.values[source] for source in node.inputs]
    steps = given[0].steps
    if isinstance(layer, Conv2d):
        return _round_conv2d(draft, node, layer)
    if isinstance(layer, Linear) and steps is not None:
        return _round_linear(draft, node, layer, given[0].name, steps)
    if isinstance(layer, ReLU) and steps is not None and steps.zero == 0:
        return given[0]  # no byte is below zero
    if steps is not None and works_on_bytes(draft.net, node, steps.zero):
        return _Value(_append(draft, node.name, layer, given[0].name), steps)
    sources = [_as_float(draft, source) for source in node.inputs]
    if isinstance(layer, Linear):
        draft.report[node.name] = {"arithmetic": "float32"}
    return _Value(_append(draft, node.name, layer, *sources))


def _append(draft: _Draft, name: str, layer: Layer, *sources: str) -> str:
    draft.nodes.append(Node(name, layer, sources))
    draft.samples[name] = evaluate_layer(layer, *(draft.samples[source] for source in sources))
    return name


def _new_name(draft: _Draft, word: str) -> str:
    for n in count(draft.next_numbers.get(word, 1)):
        name = f"{word}{n}"
        if name not in draft.net.shapes and name not in draft.samples:
            draft.next_numbers[word] = n + 1
            return name
    raise AssertionError("there are numbers enough")


def _as_float(draft: _Draft, source: str) -> str:
    """Return the node that gives a value in float32, made the first time that it is asked for."""
    value = draft.values[source]
    if value.steps is None:
        return value.name
    if value.name not in draft.to_float:
        layer = Dequantize(value.steps.scale, value.steps.zero)
        draft.to_float[value.name] = _append(draft, _new_name(draft, "dequantize"), layer, value.name)
    return draft.to_float[value.name]


def _as_bytes(draft: _Draft, source: str) -> tuple[str, Steps]:
    """Return the node that gives a value in bytes, made the first time that it is asked for."""
    value = draft.values[source]
    if value.steps is not None:
        return value.name, value.steps
    if value.name not in draft.to_bytes:
        steps = steps_for(*draft.observed.ranges[source])
        name = _append(draft, _new_name(draft, "quantize"), Quantize(steps.scale, steps.zero), value.name)
        draft.to_bytes[value.name] = name, steps
        draft.report[name] = {"scale": steps.scale, "zero": steps.zero}
    return draft.to_bytes[value.name]


def _round_linear(draft: _Draft, node: Node, layer: Linear, source: str, before: Steps) -> _Value:
    made = quantized_linear(layer, before)
    _append(draft, node.name, made, source)
    draft.report[node.name] = {
        "arithmetic": "int8",
        "weights_rounded_to_zero": weights_lost(layer, made.weight),
        "relative_error": relative_error(draft.samples[node.name], draft.observed.values[node.name]),
    }
    return _Value(node.name)


def _round_conv2d(draft: _Draft, node: Node, layer: Conv2d) -> _Value:
    source, before = _as_bytes(draft, node.inputs[0])
    tail = tail_of(draft.net, node.name)
    unsigned = loses_negatives(draft.net, node.name)
    lowest, highest = draft.observed.ranges[tail[-1].name if tail else node.name]
    wanted = Wanted(
        lowest=0.0 if unsigned else lowest,
        highest=highest,
        tail=tuple(one.layer for one in tail),
        values=draft.observed.values[tail[-1].name if tail else node.name],
    )
    chosen = best_conv2d(layer, before, wanted, draft.samples[source])
    _append(draft, node.name, chosen.layer, source)
    winners = [draft.observed.values[one.name] for one in tail if isinstance(one.layer, KWinners)]
    draft.report[node.name] = conv2d_report(layer, chosen, wanted, draft.samples[source], winners)
    return _Value(node.name, chosen.after)
