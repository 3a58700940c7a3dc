"""Hypothesis strategies for legal networks and their inputs: ``from strategies import inputs, networks``.

With ``exact=True`` every number is a small multiple of a power of two, and every sum that a layer can form fits in the
24 bits of a float32, whatever the order of its terms: kernels must then agree with the reference to the last bit.
"""

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from hypothesis import strategies as st

import sparsenet.layers as sn
from sparsenet.graph.network import INPUT, Input, Network, Node
from sparsenet.ops.shapes import infer_shape

LARGEST_INPUT = 4.0
"""Inputs lie in [-4, 4]; exact ones are multiples of 1/4."""

MOST_ELEMENTS = 600
"""Convolutions give no more than this, and what is larger than a third of it is not branched: the reference is slow."""

POWERS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Value:
    """A node that others can read: its name, its shape, and how exact it is.

    All its elements are multiples of ``grain``, none larger than ``largest``.
    """

    name: str
    shape: tuple[int, ...]
    largest: float
    grain: float


def is_exact(largest, grain):
    """Say whether sums up to ``largest`` of multiples of ``grain`` are exact in float32, with a bit to spare."""
    return largest < 2**20 and largest / grain < 2**23 and grain > 2**-60


@st.composite
def networks(draw, exact=False, max_layers=6, quantized=False):
    """Draw a legal network of any kinds of layer, with branches; ``exact`` as above.

    Without ``exact`` there are also Softmax, LogSoftmax, any BatchNorm and any AvgPool2d. With ``quantized`` some parts
    are done on bytes; without ``exact`` only parts that begin at the input, since a rounding error may change a byte.
    """
    input_shape = draw(input_shapes())
    value = Value(INPUT, input_shape, LARGEST_INPUT, 0.25)
    nodes = []
    for _ in range(draw(st.integers(1, max_layers))):
        on_bytes = quantized and (exact or value.name == INPUT) and draw(st.booleans())
        value = draw(_step_on_bytes(nodes, value, exact) if on_bytes else _step(nodes, value, exact))
    if not nodes:  # every step was refused as inexact
        value = _append(nodes, sn.ReLU(), value)
    labels = [f"label {i}" for i in range(value.shape[0])] if len(value.shape) == 1 and draw(st.booleans()) else []
    return Network(input_shape, draw(st.permutations(nodes)), value.name, labels, draw(details()))


@st.composite
def general_networks(draw, max_layers=5):
    """Draw a network of one to three inputs of any dtype, and of any outputs; see :func:`inputs_by_name`."""
    shape = draw(input_shapes())
    names = draw(st.lists(st.sampled_from([INPUT, "x", "ids", "mask"]), min_size=1, max_size=3, unique=True))
    given = {name: Input(shape, draw(st.sampled_from(["float32", "int32", "bool"]))) for name in names}
    nodes, values = [], []
    for name, one in given.items():
        value = Value(name, shape, LARGEST_INPUT, 0.25)
        values.append(value if one.dtype == "float32" else _append(nodes, sn.Cast(), value))
    if len(values) > 1:
        values = [*values, _append(nodes, draw(st.sampled_from([sn.Add(), sn.Concat()])), *values)]
    for _ in range(draw(st.integers(1, max_layers))):
        values.append(draw(_step(nodes, draw(st.sampled_from(values)), False)))
    read = {source for node in nodes for source in node.inputs}
    for name in names:  # of one input alone, what is drawn may read only what its Cast gives
        assert name in read
    ends = [node.name for node in nodes if node.name not in read]
    others = [node.name for node in nodes if node.name in read]
    more = draw(st.lists(st.sampled_from(others), max_size=2, unique=True)) if others else []
    return Network(given, draw(st.permutations(nodes)), draw(st.permutations([*ends, *more])), (), draw(details()))


@st.composite
def inputs_by_name(draw, net, batch=None):
    """Draw all inputs of a network, each of its dtype, by name."""
    count = draw(st.integers(0, 5)) if batch is None else batch
    r = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    drawn = {}
    for name, one in net.inputs.items():
        shape = (count, *one.shape)
        if one.dtype == "float32":
            drawn[name] = draw(_numbers(shape, LARGEST_INPUT, False))
        elif one.dtype == "int32":
            drawn[name] = r.integers(-9, 10, shape).astype(draw(st.sampled_from(["i1", "i4", "i8", ">i4"])))
        else:
            drawn[name] = r.random(shape) < 0.5
        drawn[name] = draw(_laid_out(drawn[name]))
    return drawn


def input_shapes():
    """Draw (D,) or (C, H, W)."""
    vectors = st.tuples(st.integers(1, 40))
    images = st.tuples(st.integers(1, 5), st.integers(1, 10), st.integers(1, 10))
    return st.sampled_from([images, images, vectors]).flatmap(lambda shapes: shapes)


def details():
    """Draw what JSON can hold."""
    leaves = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
    leaves |= st.text(max_size=5)
    values = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
    return st.dictionaries(st.text(max_size=5), values, max_size=2)


@st.composite
def inputs(draw, net, exact=False, batch=None):
    """Draw float32 inputs (batch, *input_shape) for ``net``; ``batch`` from 0 to 5 when left out.

    Any of them may be all zero, mostly zero, full of ties, read-only or not contiguous; zeros may be negative.
    """
    count = draw(st.integers(0, 5)) if batch is None else batch
    shape = (count, *net.input_shape)
    x = draw(_numbers(shape, LARGEST_INPUT, exact))
    return draw(_laid_out(x))


@st.composite
def _laid_out(draw, x):
    how = draw(st.sampled_from(["contiguous", "read-only", "reversed", "fortran", "every second"]))
    if how == "reversed":
        return np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    if how == "every second":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    x = np.asfortranarray(x) if how == "fortran" else x
    x.setflags(write=how != "read-only")
    return x


@st.composite
def _numbers(draw, shape, largest, exact):
    """Draw a float32 array; large ones by a seed, since drawing each number would leave no room for structure."""
    r = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    how = draw(st.sampled_from(["any", "any", "ties", "mostly zero", "zero"]))
    quarters = int(largest * 4)
    if exact or how == "ties":
        x = r.integers(-quarters, quarters + 1, shape) / 4
        x = np.sign(x) * largest / 2 if how == "ties" else x
    else:
        x = r.uniform(-largest, largest, shape)
    if how in ("mostly zero", "zero"):
        x = x * (r.random(shape) < (0.1 if how == "mostly zero" else 0))  # negative numbers times 0 are -0.0
    return x.astype(np.float32)


def _append(nodes, layer, *sources, largest=None, grain=None):
    shape = infer_shape(layer, tuple(source.shape for source in sources))
    name = f"{type(layer).__name__.lower()}{len(nodes) + 1}"
    nodes.append(Node(name, layer, tuple(source.name for source in sources)))
    return Value(
        name,
        shape,
        max(source.largest for source in sources) if largest is None else largest,
        min(source.grain for source in sources) if grain is None else grain,
    )


@st.composite
def _step(draw, nodes, value, exact):
    """Add a layer or a branch; return what it gives, or ``value`` itself when it would not be exact."""
    if draw(st.integers(0, 5)) == 0 and prod(value.shape) <= MOST_ELEMENTS // 3:
        return draw(_branch(nodes, value, exact)) if draw(st.booleans()) else draw(_product(nodes, value, exact))
    kinds = _IMAGE_KINDS if len(value.shape) == 3 else _VECTOR_KINDS if len(value.shape) == 1 else _ANY_KINDS
    layer = draw(draw(st.sampled_from(kinds))(value.shape, exact))
    return _extend(nodes, layer, value, exact)


def _extend(nodes, layer, value, exact):
    largest, grain = _bound(layer, value)
    if exact and not is_exact(largest, grain):
        return value
    if isinstance(layer, sn.GlobalAvgPool2d | sn.AvgPool2d):  # the bound is that of the sum before the division
        largest = value.largest
    return _append(nodes, layer, value, largest=largest, grain=grain)


def _bound(layer, value):
    """Bound every sum that the layer can form, and find of what all its terms are multiples."""
    largest, grain = value.largest, value.grain
    if isinstance(layer, sn.Conv2d | sn.Linear):
        weights = np.abs(layer.weight, dtype=np.float64).reshape(len(layer.weight), -1).sum(1)
        bias = 0 if layer.bias is None else np.abs(layer.bias)
        return float((weights * largest + bias).max()), min(grain, 1) / 4
    if isinstance(layer, sn.BatchNorm):
        scale = float(1 / np.sqrt(layer.variance.min() + layer.epsilon)) * _size(layer.weight, 1.0)
        return (largest + _size(layer.mean, 0.0)) * max(scale, 1.0) + _size(layer.bias, 0.0), min(grain, 1) / 16
    if isinstance(layer, sn.AvgPool2d | sn.GlobalAvgPool2d):
        window = prod(sn.as_pair(layer.kernel)) if isinstance(layer, sn.AvgPool2d) else prod(value.shape[1:])
        return largest * window, grain / window
    if isinstance(layer, sn.LeakyReLU):
        return largest * max(1.0, abs(layer.slope)), grain * min(1.0, abs(layer.slope) or 1.0)
    if isinstance(layer, sn.LayerNorm):
        return 1e3, 2.0**-60
    if isinstance(layer, sn.Softmax | sn.LogSoftmax):
        return 1e4, 2.0**-60
    return largest, grain


def _size(array, default):
    return default if array is None else float(np.abs(array).max())


@st.composite
def _branch(draw, nodes, value, exact):
    """Lead two or three chains away from a value and join them; a chain without layers is a skip connection."""
    added = draw(st.booleans())
    before = len(nodes)
    ends = []
    for _ in range(draw(st.integers(2, 3))):
        end = value
        for _ in range(draw(st.integers(0, 2))):
            end = _extend(nodes, draw(_same_shape(end.shape, exact, channels=added)), end, exact)
        ends.append(end)
    largest = sum(end.largest for end in ends) if added else max(end.largest for end in ends)
    grain = min(end.grain for end in ends)
    if exact and not is_exact(largest, grain):
        del nodes[before:]
        return value
    return _append(nodes, sn.Add() if added else sn.Concat(), *ends, largest=largest, grain=grain)


@st.composite
def _product(draw, nodes, value, exact):
    """Multiply a value by itself, as a matrix and as another one of the same numbers."""
    total, rows = prod(value.shape), draw(st.sampled_from([value.shape[0], 1, prod(value.shape)]))
    largest, grain = value.largest**2 * (total // rows), value.grain**2
    if exact and not is_exact(largest, grain):
        return value
    if largest > 1e12 or rows**2 > MOST_ELEMENTS:
        return _append(nodes, sn.ReLU(), value)
    left = _append(nodes, sn.Reshape((rows, -1)), value)
    right = _append(nodes, sn.Reshape((-1, rows)), value)
    return _append(nodes, sn.MatMul(), left, right, largest=largest, grain=grain)


def _same_shape(shape, exact, channels):
    """Draw a layer that keeps the shape, or at least, without ``channels``, all of it but the first axis."""
    if len(shape) == 1:
        return st.one_of(_linear(shape, exact, outputs=shape[0] if channels else None), *_elementwise(shape, exact))
    if len(shape) == 3:
        return st.one_of(_same_convolution(shape, exact, channels), *_elementwise(shape, exact))
    return st.one_of(*_elementwise(shape, exact))


def _elementwise(shape, exact):
    return [_k_winners(shape, exact), st.just(sn.ReLU()), _leaky_relu(shape, exact), _batch_norm(shape, exact)]


def _leaky_relu(shape, exact):
    slopes = st.sampled_from([0.25, 0.5, -1.0, 0.0, 2.0]) if exact else st.floats(-2.0, 2.0)
    return slopes.map(sn.LeakyReLU)


@st.composite
def _weight(draw, shape, exact):
    """Draw a weight of any density, sometimes with its mask."""
    weight = draw(_numbers(shape, 1.0, exact))
    density = draw(st.sampled_from([0.0, 0.04, 0.1, 0.3, 0.5, 0.9, 1.0, 1.0]))
    mask = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random(shape) < density
    weight = np.where(mask, weight, np.float32(0))  # sometimes with -0.0 among the kept
    return weight, mask if draw(st.booleans()) else None


def _maybe(strategy):
    return st.none() | strategy


@st.composite
def _linear(draw, shape, exact, outputs=None):
    outputs = draw(st.integers(1, 40)) if outputs is None else outputs
    weight, mask = draw(_weight((outputs, shape[0]), exact))
    return sn.Linear(weight, draw(_maybe(_numbers((outputs,), 1.0, exact))), mask)


@st.composite
def _convolution(draw, shape, exact):
    groups = draw(st.sampled_from([n for n in range(1, shape[0] + 1) if shape[0] % n == 0]))
    outputs = groups * draw(st.integers(1, max(1, 8 // groups)))
    window = [draw(_window(size)) for size in shape[1:]]
    kernel, stride, padding, dilation = zip(*window, strict=True)
    weight, mask = draw(_weight((outputs, shape[0] // groups, *kernel), exact))
    layer = sn.Conv2d(
        weight, draw(_maybe(_numbers((outputs,), 1.0, exact))), stride, padding, dilation, groups=groups, mask=mask
    )
    return layer if prod(infer_shape(layer, (shape,))) <= MOST_ELEMENTS else replace(layer, stride=(4, 4))


@st.composite
def _window(draw, size):
    """Draw kernel, stride, padding and dilation that fit along an axis."""
    padding = draw(st.integers(0, 2))
    dilation = draw(st.integers(1, 2))
    largest = (size + 2 * padding - 1) // dilation + 1
    return draw(st.integers(1, min(5, largest))), draw(st.integers(1, 3)), padding, dilation


@st.composite
def _same_convolution(draw, shape, exact, channels):
    kernel = draw(st.sampled_from([1, 3]))
    outputs = shape[0] if channels else draw(st.integers(1, 5))
    weight, mask = draw(_weight((outputs, shape[0], kernel, kernel), exact))
    return sn.Conv2d(weight, draw(_maybe(_numbers((outputs,), 1.0, exact))), padding=kernel // 2, mask=mask)


@st.composite
def _k_winners(draw, shape, exact):
    scope = draw(st.sampled_from(["all", "channels"]))
    n = prod(shape) if scope == "all" else shape[0]
    k = draw(st.one_of(st.integers(0, n), st.sampled_from([0, 1, n])))
    size = draw(st.sampled_from([shape[0], n]))
    r = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    factor = r.choice(POWERS, size) if exact else r.uniform(0.1, 3, size)
    return sn.KWinners(k, scope, draw(_maybe(st.just(factor))))


@st.composite
def _batch_norm(draw, shape, exact):
    channels = (shape[0],)
    r = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    variance = r.choice([0.25, 1.0, 4.0], channels) if exact else r.uniform(0, 4, channels)
    affine = [draw(_maybe(_numbers(channels, 2.0, exact))) for _ in range(2)]
    return sn.BatchNorm(draw(_numbers(channels, 2.0, exact)), variance, *affine, epsilon=0.0 if exact else 1e-3)


@st.composite
def _pool(draw, shape, exact, kind, sizes):
    pairs = []
    for size in shape[1:]:
        padding = draw(st.integers(0, 1))
        kernel = draw(st.sampled_from([n for n in sizes if max(1, 2 * padding) <= n <= size + 2 * padding] or [1]))
        pairs.append((kernel, draw(st.integers(1, 3)), padding if kernel > 1 else 0))
    kernel, stride, padding = zip(*pairs, strict=True)
    return kind(kernel, draw(st.sampled_from([None, stride])), padding)


def _max_pool(shape, exact):
    return _pool(shape, exact, sn.MaxPool2d, (1, 2, 3, 4))


def _avg_pool(shape, exact):
    return _pool(shape, exact, sn.AvgPool2d, (1, 2, 4) if exact else (1, 2, 3, 4))


def _global_pool(shape, exact):
    window = prod(shape[1:])
    return st.just(sn.ReLU() if exact and window & (window - 1) else sn.GlobalAvgPool2d())


@st.composite
def _reshape(draw, shape, exact):
    total = prod(shape)
    first = draw(st.sampled_from([n for n in range(1, total + 1) if total % n == 0]))
    second = draw(st.sampled_from([n for n in range(1, total // first + 1) if total // first % n == 0]))
    sizes = draw(st.sampled_from([(total,), (first, total // first), (first, second, total // first // second)]))
    free = draw(st.none() | st.integers(0, len(sizes) - 1))
    return sn.Reshape(tuple(-1 if axis == free else size for axis, size in enumerate(sizes)))


@st.composite
def _step_on_bytes(draw, nodes, value, exact):
    """Add layers on bytes between a Quantize and what leads back to float32."""
    value = _append(nodes, sn.Quantize(draw(_scale(exact)), draw(st.integers(0, 255))), value, largest=255, grain=1)
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.integers(0, 5)) == 0 and prod(value.shape) <= MOST_ELEMENTS // 3:
            value = _append(nodes, sn.Concat(), value, _append(nodes, draw(_k_winners_on_bytes(value.shape)), value))
        else:
            value = _append(nodes, draw(_layer_on_bytes(value.shape)), value)
    if len(value.shape) == 1 and draw(st.booleans()):
        layer = draw(_quantized_linear(value.shape, exact))
        weights = np.abs(layer.weight.astype(int)).sum(1)
        largest = float((255 * weights * layer.scale + np.abs(layer.bias)).max())
        grain = min(float(layer.scale.min()), 0.25)
        if not exact or is_exact(largest, grain):
            return _append(nodes, layer, value, largest=largest, grain=grain)
    scale = draw(_scale(exact))
    return _append(nodes, sn.Dequantize(scale, draw(st.integers(0, 255))), value, largest=255 * scale, grain=scale)


def _scale(exact):
    return st.sampled_from([2.0**-5, 2.0**-4, 2.0**-3]) if exact else st.floats(0.01, 0.5)


@st.composite
def _layer_on_bytes(draw, shape):
    kinds = [_k_winners_on_bytes(shape), st.just(sn.Flatten()), _reshape(shape, True)]
    if len(shape) == 3:
        kinds += [_quantized_convolution(shape)] * 3 + [_max_pool(shape, True)]
    return draw(draw(st.sampled_from(kinds)))


def _k_winners_on_bytes(shape):
    return _k_winners(shape, True).map(lambda layer: replace(layer, factor=None))


@st.composite
def _quantized_convolution(draw, shape):
    layer, shift = draw(_convolution(shape, False)), draw(st.integers(0, 12))
    r = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return sn.QuantizedConv2d(
        np.rint(layer.weight * 127).astype(np.int8),
        r.integers(-100 << shift, 200 << shift, len(layer.weight)),
        shift,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        zero=draw(st.integers(0, 255)),
        mask=layer.mask,
    )


@st.composite
def _quantized_linear(draw, shape, exact):
    layer = draw(_linear(shape, False))
    outputs = len(layer.weight)
    weight = np.rint(layer.weight * (3 if exact else 127)).astype(np.int8)
    r = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = r.choice([2.0**-8, 2.0**-6, 2.0**-4], outputs) if exact else r.uniform(1e-4, 1e-2, outputs)
    return sn.QuantizedLinear(weight, draw(_numbers((outputs,), 1.0, exact)), scale, layer.mask)


def _flatten(shape, exact):
    return st.just(sn.Flatten())


def _relu(shape, exact):
    return st.just(sn.ReLU())


def _softmax(shape, exact):
    return st.just(sn.ReLU()) if exact else st.sampled_from([sn.Softmax(), sn.LogSoftmax()])


@st.composite
def _layer_norm(draw, shape, exact):
    if exact:
        return sn.ReLU()
    axes = draw(st.integers(1, len(shape)))
    size = (prod(shape[-axes:]),)
    affine = [draw(_maybe(_numbers(size, 2.0, exact))) for _ in range(2)]
    return sn.LayerNorm(*affine, draw(st.floats(1e-3, 1.0)), axes)


_ANY_KINDS = [_layer_norm, _flatten, _relu, _leaky_relu, _k_winners, _batch_norm, _reshape, _softmax]
_VECTOR_KINDS = [_linear] * 3 + [_k_winners] * 2 + [_relu, _leaky_relu, _layer_norm, _batch_norm, _reshape, _softmax]
_IMAGE_KINDS = [_convolution] * 3 + [_max_pool, _avg_pool, _global_pool, _k_winners, *_ANY_KINDS]
