"""Batch norms of a graph folded into the layers before them."""

from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils import parametrize

from sparsenet.nn.calls import kind_of, module_of, readers_of
from sparsenet.nn.masked import MaskedConv2d, MaskedLinear

__all__ = ["fold_norms"]


def fold_norms(graph: fx.GraphModule, ranks: dict[str, int]) -> None:
    """Fold batch norms into the layers before them, with their running statistics, where that computes the same.

    Parameters
    ----------
    graph : GraphModule
        Changed in place.
    ranks : dict of str to int
        How many axes the value of a node has, by its name: a batch norm is along the second axis, as the outputs of
        convolutions of images are, and of linear layers of vectors, but not of sequences.
    """
    for node in list(graph.graph.nodes):
        if kind_of(graph, node) == "norm" and _is_foldable(graph, node.args[0], module_of(graph, node), ranks):
            _fold(module_of(graph, node.args[0]), module_of(graph, node))
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)


def _is_foldable(graph: fx.GraphModule, node: fx.Node, norm: Any, ranks: dict[str, int]) -> bool:
    """Say whether only a batch norm reads a layer, whose weights are its own and no function of others."""
    rank = {"conv2d": 4, "linear": 2}.get(kind_of(graph, node))
    if rank is None or ranks[node.name] != rank or len(readers_of(graph, node)) != 1:
        return False
    layer = module_of(graph, node)
    return not (_is_computed(layer) or _is_computed(norm) or _is_shared(graph, layer))


def _is_computed(layer: Any) -> bool:
    if isinstance(layer, MaskedConv2d | MaskedLinear):
        return bool(parametrize.is_parametrized(layer))
    return "weight" not in layer._parameters or "bias" not in layer._parameters


def _is_shared(graph: fx.GraphModule, layer: Any) -> bool:
    own = {id(one) for one in layer.parameters()}
    others = (part for part in graph.modules() if part is not layer)
    return any(id(one) in own for part in others for one in part._parameters.values())


def _fold(layer: Any, norm: Any) -> None:
    """Scale a layer's weights and move its bias so that it gives what the batch norm after it gave."""
    with torch.no_grad():
        scale = torch.rsqrt(norm.running_var + norm.eps)
        scale = scale if norm.weight is None else scale * norm.weight
        offset = 0 if layer.bias is None else layer.bias
        bias = (offset - norm.running_mean) * scale + (0 if norm.bias is None else norm.bias)
        if isinstance(layer, MaskedConv2d | MaskedLinear):
            weight = layer.kept_weight
            weight.mul_(scale[layer.positions // max(1, layer.mask[0].numel())])
        else:
            weight = layer.weight
            weight.mul_(scale.view(-1, *[1] * (weight.dim() - 1)))
        trained = next((one for one in (layer.bias, norm.bias) if one is not None), weight).requires_grad
        layer.bias = nn.Parameter(bias.detach().to(weight.dtype).clone(), requires_grad=trained)
