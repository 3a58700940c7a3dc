"""How far float32 may lie from what a network means: a bound for each output, derived, not guessed.

A sum of n products in float32, fused or not and in any order, lies within gamma(n + 1) times the sum of the absolute
terms, where gamma(n) = n * eps / (1 - n * eps) and eps = 2**-24 (Higham, Accuracy and Stability of Numerical
Algorithms, section 3.1). Errors of the inputs pass through each layer by its own Lipschitz constant. k-winners is not
continuous: where a winner and a loser are closer than their errors, nothing can be said, and the sample is left out.
"""

from dataclasses import dataclass, replace

import numpy as np

import sparsenet as sn
from sparsenet.graph.reference import evaluate_layer
from sparsenet.ops.kwinners import factor_per_element
from sparsenet.ops.normalization import batch_norm_affine

EPS = 2.0**-24
SMALLEST = 1e-36
"""Products below the normal range lose bits: far more than all of them can, and far less than anything of interest."""


@dataclass(frozen=True)
class Bounded:
    """A value (B, …), how far float32 may be from it, the sum of absolute terms it is made of, which samples hold."""

    value: np.ndarray
    error: np.ndarray
    terms: np.ndarray
    decided: np.ndarray


def gamma(n):
    return n * EPS / (1 - n * EPS)


def bounded_output(net, x):
    """Return the network's meaning with its error bound, and which samples it holds for."""
    return bounded_outputs(net, {net.input: x})[net.output]


def bounded_outputs(net, given):
    """Return what several outputs mean, by name, for inputs by name."""
    values = {}
    for name, array in given.items():
        x = np.asarray(array, np.float64)
        values[name] = Bounded(x, np.zeros_like(x), np.abs(x), np.ones(len(x), bool))
    for node in net.nodes:
        sources = [values[name] for name in node.inputs]
        result = _bounded(node.layer, sources)
        decided = np.logical_and.reduce([result.decided, *(source.decided for source in sources)])
        tiny = 0.0 if node.name in net.byte_valued else SMALLEST
        values[node.name] = replace(result, error=result.error + tiny, decided=decided)
    return {name: values[name] for name in net.outputs}


def _bounded(layer, sources):
    value = evaluate_layer(layer, *(source.value for source in sources))
    decided = np.ones(len(value), bool)
    first = sources[0]
    if isinstance(layer, sn.KWinners):
        return _winners(layer, first, value)
    if isinstance(layer, sn.Conv2d | sn.Linear):
        terms, passed = _weighted(layer, first)
        return Bounded(value, gamma(layer.weight[0].size + 2) * terms + passed, terms, decided)
    if isinstance(layer, sn.Quantize | sn.QuantizedConv2d):
        # bytes are exact, as long as what was rounded to them was
        exact = (first.error.reshape(len(value), -1) == 0).all(axis=1) if len(value) else decided
        return Bounded(value, np.zeros_like(value), np.abs(value), exact)
    if isinstance(layer, sn.QuantizedLinear | sn.Dequantize):
        # a whole number to float32, a product, a sum: at most three roundings
        besides = np.abs(layer.bias) if isinstance(layer, sn.QuantizedLinear) else 0.0
        terms = np.abs(value) + 2 * besides
        return Bounded(value, gamma(3) * terms, terms, decided)
    if isinstance(layer, sn.BatchNorm):
        return _normalised(layer, first, value)
    if isinstance(layer, sn.LayerNorm):
        return _rows_normalised(layer, first, value)
    if isinstance(layer, sn.LeakyReLU):
        error = max(1.0, abs(layer.slope)) * first.error + gamma(2) * np.abs(value)
        return Bounded(value, error, np.abs(value) + error, decided)
    if isinstance(layer, sn.AvgPool2d | sn.GlobalAvgPool2d):
        window = layer.kernel if isinstance(layer, sn.AvgPool2d) else first.value.shape[2:]
        terms = evaluate_layer(layer, np.abs(first.value) + first.error)
        return Bounded(value, gamma(np.prod(window) + 2) * terms + evaluate_layer(layer, first.error), terms, decided)
    if isinstance(layer, sn.Cast):
        return Bounded(value, EPS * np.abs(value), np.abs(value), decided)
    if isinstance(layer, sn.Softmax | sn.LogSoftmax):
        return _shares(layer, first, value)
    if isinstance(layer, sn.MatMul):
        return _products(*sources, value)
    if isinstance(layer, sn.Add):
        terms = sum(np.abs(source.value) + source.error for source in sources)
        error = gamma(len(sources)) * terms + sum(source.error for source in sources)
        return Bounded(value, error, terms, decided)
    # relu, max pooling, reshaping and joining move values: no value changes by more than one of its sources
    moved = evaluate_layer(layer, *(source.error for source in sources))
    return Bounded(value, moved, np.abs(value) + moved, decided)


def _weighted(layer, source):
    """Return the sum of absolute terms, and the errors of the inputs after the layer."""
    magnitude = replace_weights(layer, np.abs(layer.weight), None if layer.bias is None else np.abs(layer.bias))
    terms = evaluate_layer(magnitude, np.abs(source.value) + source.error)
    return terms, evaluate_layer(replace_weights(magnitude, magnitude.weight, None), source.error)


def replace_weights(layer, weight, bias):
    return replace(layer, weight=weight, bias=bias, mask=None)


def _normalised(layer, source, value):
    """Bound a batch norm, whether it runs by itself or was folded into the weights before it."""
    scale, shift = (part.reshape(-1, *[1] * (value.ndim - 2)) for part in batch_norm_affine(layer))
    terms = np.abs(scale) * (source.terms + source.error) + np.abs(shift)
    return Bounded(value, np.abs(scale) * source.error + gamma(6) * terms, terms, np.ones(len(value), bool))


def layer_norm_roundings(x, values, weight, bias, epsilon):
    """Bound the error of rows that are normalised in float32, for inputs without one.

    What a number's distance from the mean may be off by: the rounding of the mean is taken away again, but for the
    error of the mean of what is left (a sum of as many terms as the row has, twice), and the subtractions round. That
    error goes into the output directly, and through the root of the mean square; the rest are roundings of products.
    """
    x = np.asarray(x, np.float64)
    distances = np.abs(x - x.mean(-1, keepdims=True))
    mean_square = (distances**2).mean(-1, keepdims=True)
    share = 1 / np.sqrt(mean_square + epsilon)
    terms = gamma(x.shape[-1] + 8)
    of_mean = terms * distances.mean(-1, keepdims=True) + terms**2 * np.abs(x).max(-1, keepdims=True, initial=0.0)
    through_root = share**2 * np.sqrt(mean_square) * (of_mean + gamma(3) * np.sqrt(mean_square))
    error = np.abs(weight) * share * (of_mean + distances * (terms + gamma(8) + through_root))
    return error + gamma(2) * (np.abs(values) + np.abs(bias)) + 2.0**-140


def _products(left, right, value):
    """Bound sums of products of two values, each with its error."""
    x, y = np.abs(left.value), np.abs(right.value)
    terms = np.matmul(x + left.error, y + right.error)
    error = gamma(left.value.shape[-1] + 2) * terms + (terms - np.matmul(x, y)) * (1 + 1e-9)
    return Bounded(value, error, terms, np.ones(len(value), bool))


def _rows_normalised(layer, source, value):
    """Bound a layer norm.

    With distances d from the mean that are off by e, and s = 1 / sqrt(mean square + epsilon), which is off by no more
    than s * t * rms(e) where t bounds what s may be then: the error is at most t * e + d * s * t * rms(e).
    """
    rows = (*value.shape[: value.ndim - layer.axes], np.prod(value.shape[value.ndim - layer.axes :], dtype=int))
    x, error, y = (array.reshape(rows) for array in (source.value, source.error, value))
    weight, bias = (np.float64(0) if one is None else one.astype(np.float64) for one in (layer.weight, layer.bias))
    weight = weight if layer.weight is not None else np.float64(1)
    distances = np.abs(x - x.mean(-1, keepdims=True))
    off = error + error.mean(-1, keepdims=True)
    spread = np.sqrt((distances**2).mean(-1, keepdims=True) + layer.epsilon)
    rms = np.sqrt((off**2).mean(-1, keepdims=True))
    most = 1 / np.maximum(spread - rms, np.sqrt(layer.epsilon))
    passed = np.abs(weight) * most * (off + distances / spread * rms)
    largest = x + np.where(x < 0, -error, error)
    roundings = layer_norm_roundings(largest, y, weight, bias, layer.epsilon) + gamma(x.shape[-1] + 20) * passed
    total = (passed + roundings + gamma(2) * np.abs(y)).reshape(value.shape)
    return Bounded(value, total, np.abs(value) + total, np.ones(len(value), bool))


def _shares(layer, source, value):
    reach = np.exp(2 * source.error.max(axis=1, keepdims=True, initial=0)) - 1
    error = value * reach if isinstance(layer, sn.Softmax) else np.log1p(reach)
    error = error + gamma(4) * (np.abs(value) + 1)
    return Bounded(value, error, np.abs(value), np.ones(len(value), bool))


def _winners(layer, source, value):
    """Keep the errors of the winners; a sample holds when no error can swap a winner and a loser."""
    chosen = _choice(layer, source.value)
    factor = 1.0 if layer.factor is None else _spread_factor(layer, source.value.shape)
    rank, doubt = source.value * factor, np.abs(source.value * factor) * 2 * EPS + source.error * factor
    doubt = np.where((source.error == 0) & (factor == np.float64(1.0)), 0.0, doubt)
    axes = (1,) if layer.scope == "channels" else tuple(range(1, value.ndim))
    weakest = np.where(chosen, rank - doubt, np.inf).min(axis=axes, initial=np.inf, keepdims=True)
    strongest = np.where(chosen, -np.inf, rank + doubt).max(axis=axes, initial=-np.inf, keepdims=True)
    certain = np.where(chosen, doubt, 0).max(axis=axes, initial=0, keepdims=True) == 0
    certain &= np.where(chosen, 0, doubt).max(axis=axes, initial=0, keepdims=True) == 0
    decided = ((weakest > strongest) | certain).reshape(len(value), -1 if len(value) else 1).all(axis=1)
    error = np.where(chosen, source.error, 0.0)
    return Bounded(value, error, np.abs(value) + error, decided)


def _choice(layer, x):
    """Mark the winners, those of value zero too: rank the ranks' positions, which are never equal."""
    factor = 1.0 if layer.factor is None else _spread_factor(layer, x.shape)
    rank = x * factor + 0.0
    rows = (
        np.moveaxis(rank, 1, -1) if layer.scope == "channels" else rank.reshape(len(x), np.prod(x.shape[1:], dtype=int))
    )
    order = np.argsort(-rows, axis=-1, kind="stable")
    chosen = np.zeros(rows.shape, bool)
    np.put_along_axis(chosen, order[..., : layer.k], True, axis=-1)
    return np.moveaxis(chosen, -1, 1) if layer.scope == "channels" else chosen.reshape(x.shape)


def _spread_factor(layer, shape):
    if layer.scope == "channels":
        return layer.factor.astype(np.float64).reshape(-1, *[1] * (len(shape) - 2))
    return factor_per_element(layer, shape[1:]).astype(np.float64).reshape(shape[1:])
