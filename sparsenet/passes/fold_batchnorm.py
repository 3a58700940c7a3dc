"""Batch norms folded into the convolution or matrix before them."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import GraphError
from sparsenet.graph.network import Network, Node
from sparsenet.graph.parts import expect_network
from sparsenet.layers import BatchNorm, Weighted
from sparsenet.ops.normalization import batch_norm_affine

__all__ = ["fold_batchnorm", "loses_digits"]

Array64 = npt.NDArray[np.float64]

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


def fold_batchnorm(net: Network) -> Network:
    """Fold each batch norm into the convolution or linear layer whose only reader it is.

    A batch norm scales and shifts each output: the scale goes into the weights, the shift into the bias. Zeros stay
    zeros and masks stay as they are. Batch norms that stand elsewhere stay, and those whose scale would take weights
    out of float32, or so near its small end that they lose digits.

    Parameters
    ----------
    net : Network

    Returns
    -------
    Network
        The same function, to float32 rounding; the folded layer keeps its name.

    Examples
    --------
    >>> import sparsenet as sn
    >>> net = sn.Network.sequential((2,), [sn.Linear([[1.0, 2.0]]), sn.BatchNorm(mean=[1.0], variance=[4.0])])
    >>> [type(node.layer).__name__ for node in fold_batchnorm(net).nodes]
    ['Linear']
    """
    expect_network(net)
    readers = Counter(source for node in net.nodes for source in node.inputs)
    readers.update(net.outputs)
    kept: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in net.nodes:
        node = Node(node.name, node.layer, tuple(renamed.get(source, source) for source in node.inputs))
        before = kept.get(node.inputs[0]) if len(node.inputs) == 1 else None
        folded = None
        if before is not None and readers[before.name] == 1 and isinstance(node.layer, BatchNorm):
            folded = _fold(before, node.layer)
        if folded is None:
            kept[node.name] = node
        else:
            kept[folded.name] = folded
            renamed[node.name] = folded.name
            readers[folded.name] = readers[node.name]
    outputs = [renamed.get(output, output) for output in net.outputs]
    return Network(net.inputs, tuple(kept.values()), outputs, net.labels, net.details)


def _gamma_of(norm: BatchNorm) -> npt.NDArray[np.float32]:
    """Return the weights of a batch norm; ones, where it has none."""
    return np.ones_like(norm.variance) if norm.weight is None else norm.weight


def loses_digits(values: Array64, minded: npt.NDArray[np.bool_] | bool = True) -> bool:
    """Tell whether float32 would keep fewer digits of any of these numbers, as far as minded, than of ordinary ones."""
    small = values[(np.abs(values) < SMALLEST_NORMAL) & (values != 0) & minded]
    return bool((small.astype(np.float32) != small).any())


def _fold(before: Node, norm: BatchNorm) -> Node | None:
    layer = before.layer
    if not isinstance(layer, Weighted) or layer.weight.dtype != np.float32:
        return None
    scale, shift = batch_norm_affine(norm)
    per_output = scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
    scaled = layer.weight * per_output
    alive = _is_normal(layer.weight) & _is_normal(_gamma_of(norm).reshape(per_output.shape))
    if loses_digits(scaled, alive):  # what decay has made denormal has no digits left to lose
        return None
    with np.errstate(over="ignore"):
        bias = (shift if layer.bias is None else layer.bias * scale + shift).astype(np.float32)
        weight = scaled.astype(np.float32)
    # a product that is too small for float32 would turn a weight into a zero: keep what was kept
    mask = layer.mask if layer.mask is not None or _same_zeros(layer.weight, weight) else layer.weight != 0
    try:
        return replace(before, layer=replace(layer, weight=weight, bias=bias, mask=mask))
    except GraphError:  # the scaled weights overflow float32; applied after the sum they may not
        return None


def _is_normal(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.bool_]:
    normal: npt.NDArray[np.bool_] = np.abs(values) >= SMALLEST_NORMAL
    return normal


def _same_zeros(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> bool:
    return bool(np.array_equal(a != 0, b != 0))
