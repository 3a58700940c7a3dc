"""Random layers for a shape, drawn from a NumPy generator: small and odd sizes on purpose, all legal settings."""

from dataclasses import dataclass
from math import prod

import numpy as np

import sparsenet.layers as sn
from sparsenet.ops.shapes import infer_shape

MOST_NUMBERS = 3000
"""A layer gives no more than this, and has no more than ten times as many weights: the reference is slow."""

CALM = (1.0, 1.0, 1.0, 0.1, 8.0)
WILD = (1.0, 1.0, 1e-30, 1e10, 1e19, 1e25, 1e37, 3e38)
"""Sizes of the largest weights and inputs. Wild ones make sums that leave float32, or come near."""

POWERS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Style:
    """How numbers are drawn: exact ones (small multiples of 1/4), or any, as large as one of the magnitudes."""

    exact: bool
    magnitudes: tuple[float, ...]


def chance(r, share):
    return r.random() < share


def pick(r, options):
    return options[int(r.integers(len(options)))]


def numbers(r, shape, style, largest=1.0):
    """Draw float32: of any size, full of ties, mostly zero or all zero; zeros may be negative."""
    how = pick(r, ["any", "any", "any", "ties", "few", "zero"])
    if style.exact or how == "ties":
        x = r.integers(-int(4 * largest), int(4 * largest) + 1, shape) / 4
        x = np.sign(x) * largest / 2 if how == "ties" else x
    else:
        x = r.uniform(-largest, largest, shape)
    if how in ("few", "zero"):
        x = x * (r.random(shape) < (0.1 if how == "few" else 0.0))
    scale = 1.0 if style.exact else pick(r, style.magnitudes)
    return np.clip(x * scale, -3.4e38, 3.4e38).astype(np.float32)


def maybe(r, make):
    return make() if chance(r, 0.5) else None


def weight_and_mask(r, shape, style):
    weight = numbers(r, shape, style)
    if weight.ndim > 1 and chance(r, 0.3):  # whole rows of inputs for 16 outputs: blocks that are full
        kept = np.repeat(r.random((-(-shape[0] // 16), *shape[1:])) < 0.2, 16, axis=0)[: shape[0]]
    else:
        kept = r.random(shape) < pick(r, [0.0, 0.04, 0.1, 0.3, 0.6, 1.0, 1.0])
    return np.where(kept, weight, np.float32(0)), kept if chance(r, 0.4) else None


def linear(r, shape, style, outputs=None):
    most = max(1, min(130, 10 * MOST_NUMBERS // shape[0]))
    outputs = outputs or size_up_to(r, most)
    weight, mask = weight_and_mask(r, (outputs, shape[0]), style)
    return sn.Linear(weight, maybe(r, lambda: numbers(r, outputs, style)), mask)


def size_up_to(r, most):
    """Draw a size: mostly small, sometimes at or beside a multiple of 16."""
    if chance(r, 0.3) and most > 17:
        return min(most, 16 * int(r.integers(1, most // 16 + 1)) + int(r.integers(-1, 2)))
    return int(r.integers(1, min(most, 12) + 1)) if chance(r, 0.6) else int(r.integers(1, most + 1))


def window(r, size, most_kernel=7):
    """Draw kernel, stride, padding and dilation that fit along an axis."""
    padding = int(r.integers(0, 4)) if chance(r, 0.4) else 0
    dilation = pick(r, [1, 1, 1, 2, 3, max(1, size - 1)])
    largest = (size + 2 * padding - 1) // dilation + 1
    kernel = int(r.integers(1, min(most_kernel, largest) + 1))
    return kernel, pick(r, [1, 1, 1, 2, 3, 9, 2**15]), padding, dilation


def conv2d(r, shape, style, outputs=None):
    """Draw a convolution whose outputs and weights are few enough."""
    channels = shape[0]
    groups = 1 if outputs or chance(r, 0.6) else pick(r, [n for n in range(1, channels + 1) if channels % n == 0])
    for most in (9, 5, 2, 1):
        kernel, stride, padding, dilation = zip(*(window(r, size, min(most, 9)) for size in shape[1:]), strict=True)
        wanted = outputs or groups * size_up_to(r, max(1, min(70, 8 * most) // groups))
        dimensions = wanted, channels // groups, *kernel
        zeros = sn.Conv2d(np.zeros(dimensions), None, stride, padding, dilation, groups=groups)
        small = prod(infer_shape(zeros, (shape,))) <= MOST_NUMBERS and prod(dimensions) <= 10 * MOST_NUMBERS
        if small or most == 1:
            break
    weight, mask = weight_and_mask(r, dimensions, style)
    bias = maybe(r, lambda: numbers(r, wanted, style))
    return sn.Conv2d(weight, bias, stride, padding, dilation, groups=groups, mask=mask)


def same_conv2d(r, shape, style, outputs=None):
    """Draw a convolution that keeps height and width."""
    kernel, outputs = pick(r, [1, 3, 5]), outputs or size_up_to(r, 9)
    weight, mask = weight_and_mask(r, (outputs, shape[0], kernel, kernel), style)
    return sn.Conv2d(weight, maybe(r, lambda: numbers(r, outputs, style)), padding=kernel // 2, mask=mask)


def k_winners(r, shape, style):
    scope = pick(r, ["all", "channels"])
    n = prod(shape) if scope == "all" else shape[0]
    k = pick(r, [0, 1, n, max(n - 1, 0)]) if chance(r, 0.3) else int(r.integers(0, n + 1))
    size = pick(r, [shape[0], n])
    factor = r.choice(POWERS, size) if style.exact else r.uniform(0.1, 3, size)
    return sn.KWinners(k, scope, factor if chance(r, 0.4) else None)


def batch_norm(r, shape, style):
    channels = shape[:1]
    variance = r.choice([0.25, 1.0, 4.0], channels) if style.exact else r.uniform(0, 4, channels)
    affine = [maybe(r, lambda: numbers(r, channels, style)) for _ in range(2)]
    return sn.BatchNorm(numbers(r, channels, style), variance, *affine, epsilon=0.0 if style.exact else 1e-3)


def pool(r, shape, style, kind=None):
    """Draw max pooling, more often 2 x 2 than any other, or the mean of a window."""
    kind = kind or pick(r, [sn.MaxPool2d, sn.MaxPool2d, sn.AvgPool2d])
    if kind is sn.MaxPool2d and min(shape[1:]) >= 2 and chance(r, 0.5):
        return kind(2)
    sizes = (1, 2, 4) if style.exact else (1, 2, 3, 4, 7)
    sides = []
    for size in shape[1:]:
        kernel = pick(r, [n for n in sizes if n <= size])
        sides.append((kernel, int(r.integers(1, 4)), int(r.integers(0, kernel // 2 + 1))))
    kernel, stride, padding = zip(*sides, strict=True)
    return kind(kernel, stride if chance(r, 0.5) else None, padding)


def reshape(r, shape, style):
    total = prod(shape)
    first = pick(r, [n for n in range(1, total + 1) if total % n == 0])
    second = pick(r, [n for n in range(1, total // first + 1) if total // first % n == 0])
    sizes = pick(r, [(total,), (first, total // first), (first, second, total // first // second)])
    free = pick(r, [None, *range(len(sizes))])
    return sn.Reshape(tuple(-1 if axis == free else size for axis, size in enumerate(sizes)))


def simple(kind):
    return lambda r, shape, style: kind()


def shares(r, shape, style):
    return sn.ReLU() if style.exact else pick(r, [sn.Softmax, sn.LogSoftmax])()


def means(r, shape, style):
    many = prod(shape[1:])
    return sn.ReLU() if style.exact and many & (many - 1) else sn.GlobalAvgPool2d()


def quantized_conv2d(r, shape):
    layer = conv2d(r, shape, Style(False, (1.0,)))
    shift = int(r.integers(0, 13))
    return sn.QuantizedConv2d(
        np.rint(layer.weight * 127).astype(np.int8),
        r.integers(-100 << shift, 200 << shift, len(layer.weight)),
        shift,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        zero=int(r.integers(0, 256)),
        mask=layer.mask,
    )


def quantized_linear(r, shape, style):
    layer = linear(r, shape, Style(False, (1.0,)))
    outputs = len(layer.weight)
    weight = np.rint(layer.weight * (3 if style.exact else 127)).astype(np.int8)
    largest = 1.0 if style.exact else pick(r, style.magnitudes)
    scale = r.choice([2.0**-8, 2.0**-6, 2.0**-4], outputs) if style.exact else r.uniform(1e-4, 1e-2, outputs) * largest
    bias = numbers(r, outputs, style)
    return sn.QuantizedLinear(weight, bias, np.maximum(scale, 1e-37), layer.mask)


def winners_on_bytes(r, shape):
    layer = k_winners(r, shape, Style(True, ()))
    return sn.KWinners(layer.k, layer.scope, layer.factor if chance(r, 0.2) else None)


def leaky_relu(r, shape, style):
    """Slopes with few bits keep exact what is exact."""
    return sn.LeakyReLU(pick(r, [0.25, 0.5, 0.0, -1.0, 2.0]) if style.exact else float(r.uniform(-3, 3)))


def layer_norm(r, shape, style):
    """No exact one: its roots are rounded."""
    if style.exact:
        return sn.ReLU()
    axes = int(r.integers(1, len(shape) + 1))
    size = (prod(shape[-axes:]),)
    affine = (maybe(r, lambda: numbers(r, size, style)), maybe(r, lambda: numbers(r, size, style)))
    return sn.LayerNorm(*affine, float(10.0 ** r.uniform(-6, 0)), axes)


ANY = [layer_norm, simple(sn.Flatten), simple(sn.ReLU), leaky_relu, k_winners, batch_norm, reshape, shares]
VECTOR = [linear] * 4 + [k_winners] * 2 + [simple(sn.ReLU), leaky_relu, batch_norm, reshape, shares]
IMAGE = [conv2d] * 4 + [pool] * 2 + [means, k_winners, k_winners, *ANY]


def layer_for(r, shape, style):
    """Draw a layer of floats for a value of this shape."""
    kinds = IMAGE if len(shape) == 3 else VECTOR if len(shape) == 1 else ANY
    return pick(r, kinds)(r, shape, style)


def layer_on_bytes(r, shape):
    """Draw a layer between bytes."""
    kinds = ["winners", "flatten", "reshape"] + (["conv2d"] * 3 + ["pool"] if len(shape) == 3 else [])
    kind = pick(r, kinds)
    if kind == "conv2d":
        return quantized_conv2d(r, shape)
    if kind == "pool":
        return pool(r, shape, Style(True, ()), sn.MaxPool2d)
    if kind == "winners":
        return winners_on_bytes(r, shape)
    return sn.Flatten() if kind == "flatten" else reshape(r, shape, None)
