"""Networks rounded to 8 bits: bytes between layers with weights, int8 weights, sums in int32."""

import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy.typing as npt

from sparsenet.errors import GraphError, QuantizationWarning, SparsenetError
from sparsenet.graph.network import Network, Node
from sparsenet.graph.parts import expect_network, expect_one_to_one
from sparsenet.layers import Conv2d, Dequantize, KWinners, Linear, Quantize, QuantizedConv2d, QuantizedLinear, ReLU
from sparsenet.passes.byte_paths import loses_negatives, tail_of, works_on_bytes
from sparsenet.passes.calibration import observe
from sparsenet.passes.draft import QuantizedDraft, QuantizedValue, append, as_bytes, as_float, leading_to, steps_of
from sparsenet.passes.extents import told_of
from sparsenet.passes.fold_batchnorm import fold_batchnorm
from sparsenet.passes.quant_params import quantized_linear, weights_lost
from sparsenet.passes.search import Wanted, best_conv2d, conv2d_report, relative_error
from sparsenet.progress import tracked

__all__ = ["quantize", "rounded_network"]

ASKED = "it was asked to stay so"

CLAIMS = ("accuracy", "accuracy_of", "speed")
"""Details that were measured, and hold for the network that they were measured on."""


def quantize(
    net: Network,
    calibration: npt.ArrayLike | Iterable[npt.ArrayLike],
    *,
    keep_float32: Collection[str] = (),
    progress: bool | None = None,
) -> Network:
    """Round a network to 8 bits: activations to bytes, weights to int8, with sums in int32.

    Convolutions and linear layers are quantised; max pooling, k-winners among channels, ReLU and flattening between
    convolutions, and ReLU before any of them, are done on bytes. Everything else stays float32, with the layers that
    change between the two where they meet: softmax, additions, means, k-winners among all elements or with ranking
    factors. Batch norms are folded first. Zeros of weights stay zeros, and a kept weight that is rounded to zero keeps
    its place in the mask.

    A convolution whose values go to k-winners or ReLU keeps none below zero: *winners below zero are lost*, and
    ``details["quantization"]`` says how many that were. All its channels share one scale, so that bytes can be
    compared; it is the one, of a few, with the least squared error after pooling and k-winners. A linear layer has a
    scale for each output, and gives float32.

    Bytes cover the range of the calibration data. Of ten samples or more, up to one in 50, or one, may be left out
    where they reach four times as far as all others: their values are clipped, with a warning. A range that leaves
    ordinary values a single step is warned of as well, and so are data of zeros.

    Parameters
    ----------
    net : Network
        In float32.
    calibration : array (B, *input_shape), or iterable of such
        Real inputs, such as the network will be used on: a hundred or more, and not those on which its accuracy will be
        measured. Read once, batch after batch. Labels are to be left out: ``(x for x, label in loader)``.
    keep_float32 : collection of str
        Linear layers that shall stay float32, by name: a small last one behind k-winners may be faster so.
    progress : bool or None
        Whether to show progress where it takes over a second: always, never, or (None) in terminals and notebooks.

    Returns
    -------
    Network
        With the same inputs, outputs and labels. ``details["quantization"]`` says for each layer what was done: scales,
        shift, and, on the calibration data, the share of values that were clipped, of winners that were lost, and the
        error that has come together so far; and under "outliers", which ranges leave samples out.

    Raises
    ------
    SparsenetError
        When there is no calibration data, it has the wrong shape or holds NaN or infinity, the network is quantised, or
        a name of ``keep_float32`` is not that of a linear layer.
    GraphError
        When some input could make a sum of a convolution leave int32.
    TypeError
        When the calibration data are not arrays of numbers.

    Warns
    -----
    QuantizationWarning
        When a linear layer stays float32 since its sums could leave int32, and when samples were left out of a range;
        it names the layers.

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
    rounded, warning = rounded_network(net, calibration, keep_float32, progress)
    if warning:
        warnings.warn(warning, QuantizationWarning, stacklevel=2)
    return rounded


def rounded_network(
    net: Network,
    calibration: npt.ArrayLike | Iterable[npt.ArrayLike],
    keep_float32: Collection[str] = (),
    progress: bool | None = False,
) -> tuple[Network, str]:
    """Do what :func:`quantize` does, and return what it would warn of, or nothing."""
    expect_network(net)
    expect_one_to_one(net, "quantize")
    _refuse_quantized(net)
    _check_kept(net, keep_float32)
    net = fold_batchnorm(net)
    draft = QuantizedDraft(net, observe(net, calibration, progress))
    for node in tracked(net.nodes, "quantising, layers", progress, len(net.nodes)):
        try:
            draft.values[node.name] = _rounded(draft, node, node.name in keep_float32)
        except GraphError as error:
            raise GraphError(f"layer {node.name!r}: {error}; it cannot be quantised") from None
    output = as_float(draft, net.output)
    said: dict[str, Any] = {"samples": draft.observed.count, "layers": draft.report}
    if outliers := _outliers(draft):
        said["outliers"] = outliers
    details = {**_without_claims(net.details), "quantization": said}
    return Network(net.inputs, leading_to(draft.nodes, output), output, net.labels, details), _warning(draft)


def _refuse_quantized(net: Network) -> None:
    for node in net.nodes:
        if isinstance(node.layer, Quantize | QuantizedConv2d | QuantizedLinear | Dequantize):
            raise SparsenetError(
                f"expected a network in float32, got one that is quantised: layer {node.name!r} is a "
                f"{type(node.layer).__name__}"
            )


def _check_kept(net: Network, names: Collection[str]) -> None:
    if isinstance(names, str):
        raise TypeError(f"expected keep_float32 as a collection of names, got the string {names!r}")
    linear = [node.name for node in net.nodes if isinstance(node.layer, Linear)]
    for name in names:
        if name not in linear:
            raise SparsenetError(
                f"expected keep_float32 to name linear layers, got {name!r}; there are {', '.join(linear) or 'none'}"
            )


def _rounded(draft: QuantizedDraft, node: Node, keep: bool) -> QuantizedValue:
    """Add what a layer becomes; where its inputs are bytes, it is done on bytes if it can be."""
    layer, given = node.layer, [draft.values[source] for source in node.inputs]
    steps = given[0].steps
    if isinstance(layer, Conv2d):
        return _round_conv2d(draft, node, layer)
    if isinstance(layer, Linear):
        return _round_linear(draft, node, layer, keep)
    if isinstance(layer, ReLU) and steps is not None and steps.zero == 0:
        return given[0]  # no byte is below zero
    if steps is not None and works_on_bytes(draft.net, node, steps.zero):
        return QuantizedValue(append(draft, node.name, layer, given[0].name), steps)
    sources = [as_float(draft, source) for source in node.inputs]
    if isinstance(layer, ReLU):
        draft.before_relu[node.name] = sources[0]
    return QuantizedValue(append(draft, node.name, layer, *sources))


def _round_linear(draft: QuantizedDraft, node: Node, layer: Linear, keep: bool) -> QuantizedValue:
    (source,) = node.inputs
    reason = ASKED
    try:
        made = None if keep else quantized_linear(layer, steps_of(draft, source))
    except GraphError as error:
        made, reason = None, str(error)
    if made is None:
        draft.report[node.name] = {"arithmetic": "float32", "reason": reason}
        return QuantizedValue(append(draft, node.name, layer, as_float(draft, source)))
    append(draft, node.name, made, as_bytes(draft, source)[0])
    draft.report[node.name] = {
        "arithmetic": "int8",
        "weights_rounded_to_zero": weights_lost(layer, made.weight),
        "relative_error": relative_error(draft.samples[node.name], draft.observed.values[node.name]),
    }
    return QuantizedValue(node.name)


def _round_conv2d(draft: QuantizedDraft, node: Node, layer: Conv2d) -> QuantizedValue:
    source, before = as_bytes(draft, node.inputs[0])
    tail = tail_of(draft.net, node.name)
    last = tail[-1].name if tail else node.name
    unsigned = loses_negatives(draft.net, node.name)
    lowest, highest = draft.range_of(last)
    wanted = Wanted(
        lowest=0.0 if unsigned else lowest,
        highest=highest,
        tail=tuple(one.layer for one in tail),
        values=draft.observed.values[last],
    )
    chosen = best_conv2d(layer, before, wanted, draft.samples[source])
    append(draft, node.name, chosen.layer, source)
    winners = [draft.observed.values[one.name] for one in tail if isinstance(one.layer, KWinners)]
    draft.report[node.name] = conv2d_report(layer, chosen, wanted, draft.samples[source], winners)
    return QuantizedValue(node.name, chosen.after)


def _outliers(draft: QuantizedDraft) -> dict[str, dict[str, Any]]:
    """Say which ranges leave samples out, how many, and how far those reach."""
    extents = {name: draft.observed.extents[name] for name in draft.odd}
    return {
        name: {"samples": one.left_out, "range": [one.lowest, one.highest], "seen": list(one.seen)}
        for name, one in extents.items()
        if one.left_out
    }


def _without_claims(details: Mapping[str, Any]) -> dict[str, Any]:
    """Put what was measured on the float32 network where it is said to be that network's."""
    measured = {name: details[name] for name in CLAIMS if name in details}
    kept = {name: value for name, value in details.items() if name not in CLAIMS}
    return {**kept, "float32": measured} if measured else kept


def _warning(draft: QuantizedDraft) -> str:
    """Say what is not as one would expect of a network in 8 bits; nothing, where all is."""
    kept = {name: said["reason"] for name, said in draft.report.items() if said.get("arithmetic") == "float32"}
    unasked = [f"layer {name!r} stays float32: {reason}" for name, reason in kept.items() if reason != ASKED]
    odd = {name: draft.observed.extents[name] for name in draft.odd}
    silent = draft.observed.ranges[draft.net.input] == (0.0, 0.0)
    told = ["the calibration data are zero, and say nothing of what real inputs are"] * silent
    return "; ".join([*unasked, *told, *told_of(odd, draft.observed.count)])
