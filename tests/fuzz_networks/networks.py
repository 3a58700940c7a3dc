"""A seed becomes a network, how to compile it, inputs, and where a batch of them is split."""

from dataclasses import dataclass
from math import prod

import numpy as np
from strategies import Value, _append, _extend, is_exact

import sparsenet as sn
from fuzz_networks.layers import (
    CALM,
    WILD,
    Style,
    chance,
    k_winners,
    layer_for,
    layer_on_bytes,
    linear,
    maybe,
    numbers,
    pick,
    quantized_linear,
    same_conv2d,
    size_up_to,
    winners_on_bytes,
)
from sparsenet.graph.network import INPUT

MOST_SAMPLES = 70
"""More than the largest chunks, of 16 and 64 samples, with a remainder."""

ADDED_UP_TO = 800
"""Values of up to so many elements are branched."""


@dataclass(frozen=True, eq=False)
class Case:
    """What is tried for one seed; ``chooser`` makes the choices that depend on what the first engine offers."""

    net: sn.Network
    exact: bool
    settings: dict
    x: np.ndarray
    cuts: list[int]
    chooser: np.random.Generator


def case_of(seed):
    """Draw a case: with odd seeds numbers may leave float32, with even ones none does, and most are exact."""
    r = np.random.default_rng(seed)
    how = "wild" if seed % 2 else pick(r, ["exact", "exact", "calm"])
    style = Style(how == "exact", CALM if how == "calm" else WILD)
    net = network(r, style)
    count = int(r.integers(1, MOST_SAMPLES + 1)) if chance(r, 0.4) else int(r.integers(0, 6))
    if prod(net.input_shape) > 1000:
        count = min(count, 20)
    cuts = sorted(r.integers(0, count + 1, int(r.integers(0, 4))).tolist())
    batch = max(1, count + int(r.integers(0, 3)) * int(r.integers(0, 30)))
    settings = {"batch": batch, "threads": pick(r, [1, 1, 2]), "planner": "predict"}
    x = numbers(r, (count, *net.input_shape), style, 4.0)
    return Case(net, style.exact, settings, x, cuts, r)


def network(r, style):
    """Draw a legal network with branches, parts of it on bytes."""
    shape = input_shape(r)
    value = Value(INPUT, shape, 4.0, 0.25)
    nodes = []
    on_bytes_share = pick(r, [0.0, 0.3, 0.7])
    for _ in range(int(r.integers(1, 9))):
        if chance(r, on_bytes_share):
            value = part_on_bytes(r, nodes, value, style)
        elif chance(r, 0.15) and prod(value.shape) <= ADDED_UP_TO:
            value = (branch if chance(r, 0.7) else product)(r, nodes, value, style)
        else:
            value = _extend(nodes, layer_for(r, value.shape, style), value, style.exact)
    if not nodes:  # every layer was refused as inexact
        value = _append(nodes, sn.ReLU(), value)
    return sn.Network(shape, nodes, value.name)


def input_shape(r):
    """Draw (D,), (C, H, W) or, seldom, anything else."""
    if chance(r, 0.3):
        return (size_up_to(r, 300),)
    if chance(r, 0.05):
        return tuple(int(size) for size in r.integers(1, 5, int(r.integers(2, 5))))
    channels = pick(r, [1, 1, 2, 3, size_up_to(r, 130)])
    side = 20 if channels < 16 else 9
    return channels, size_up_to(r, side), size_up_to(r, side)


def branch(r, nodes, value, style):
    """Lead two or three chains away from a value and join them; a chain without layers is a skip connection."""
    added, before, ends = chance(r, 0.5), len(nodes), []
    for _ in range(int(r.integers(2, 4))):
        end = value
        for _ in range(int(r.integers(0, 3))):
            end = _extend(nodes, keeping(r, end.shape, style, added), end, style.exact)
        ends.append(end)
    largest = sum(end.largest for end in ends) if added else max(end.largest for end in ends)
    grain = min(end.grain for end in ends)
    if style.exact and not is_exact(largest, grain):
        del nodes[before:]
        return value
    return _append(nodes, sn.Add() if added else sn.Concat(), *ends, largest=largest, grain=grain)


def product(r, nodes, value, style):
    """Multiply a value by itself, as a matrix and as another one of the same numbers."""
    total, rows = prod(value.shape), pick(r, [value.shape[0], 1])
    largest, grain = value.largest**2 * (total // rows), value.grain**2
    if (style.exact and not is_exact(largest, grain)) or largest > 1e12 or rows**2 > ADDED_UP_TO:
        return value
    left = _append(nodes, sn.Reshape((rows, -1)), value)
    right = _append(nodes, sn.Reshape((-1, rows)), value)
    return _append(nodes, sn.MatMul(), left, right, largest=largest, grain=grain)


def keeping(r, shape, style, channels):
    """Draw a layer that keeps the shape, or at least, without ``channels``, all of it but the first axis."""
    if len(shape) in (1, 3) and chance(r, 0.5):
        make = linear if len(shape) == 1 else same_conv2d
        return make(r, shape, style, shape[0] if channels else None)
    return k_winners(r, shape, style) if chance(r, 0.6) else sn.ReLU()


def part_on_bytes(r, nodes, value, style):
    """Add layers on bytes between a Quantize and what leads back to float32."""
    value = _append(nodes, sn.Quantize(steps(r, style), int(r.integers(0, 256))), value, largest=255, grain=1)
    for _ in range(int(r.integers(0, 5))):
        if chance(r, 0.15) and prod(value.shape) <= ADDED_UP_TO:
            value = _append(nodes, sn.Concat(), value, _append(nodes, winners_on_bytes(r, value.shape), value))
        else:
            value = _append(nodes, layer_on_bytes(r, value.shape), value)
    layer = maybe(r, lambda: quantized_linear(r, value.shape, style)) if len(value.shape) == 1 else None
    if layer is not None:
        weights = np.abs(layer.weight.astype(int)).sum(1)
        largest = float((255 * weights * layer.scale.astype(float) + np.abs(layer.bias)).max())
        grain = min(float(layer.scale.min()), 0.25)
        if not style.exact or is_exact(largest, grain):
            return _append(nodes, layer, value, largest=largest, grain=grain)
    scale = steps(r, style)
    return _append(nodes, sn.Dequantize(scale, int(r.integers(0, 256))), value, largest=255 * scale, grain=scale)


def steps(r, style):
    if style.exact:
        return pick(r, [2.0**-5, 2.0**-4, 2.0**-3])
    return float(r.uniform(0.01, 0.5)) * min(pick(r, style.magnitudes), 1e36)
