"""Networks as graphs of calls: what each call is, and batch norms folded away."""

from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from sparsenet.nn.kwinners import KWinners2d
from sparsenet.nn.masked import MaskedConv2d, MaskedLinear

__all__ = ["fold_norms", "kind_of", "module_of", "plain_kind", "readers_of"]

PLAIN: dict[str, tuple[type, ...]] = {
    "conv2d": (nn.Conv2d, MaskedConv2d),
    "linear": (nn.Linear, MaskedLinear),
    "norm": (nn.BatchNorm1d, nn.BatchNorm2d),
    "relu": (nn.ReLU,),
    "maxpool": (nn.MaxPool2d,),
    "winners": (KWinners2d,),
    "flatten": (nn.Flatten,),
    "nothing": (
        *(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
        *(nn.AlphaDropout, nn.FeatureAlphaDropout),
    ),
}
"""Modules of a kind: these, and classes that derive from one and compute the same."""

FUNCTIONS = {
    "relu": (functional.relu, torch.relu, "relu"),
    "maxpool": (functional.max_pool2d, torch.max_pool2d),
    "flatten": (torch.flatten, torch.reshape, "flatten", "reshape", "view"),
    "size": ("size", "dim", "numel", "ndimension", "nelement"),
}
SIZES = frozenset(["shape", "ndim", "dtype", "device"])
"""Attributes of a tensor that are the same for all values of one shape."""


def plain_kind(module: Any) -> str:
    """Name a module's kind, or "" where its class, or it itself, computes something else."""
    own = type(module)
    for kind, types in PLAIN.items():
        for base in types:
            methods = [name for name in ("forward", "_conv_forward") if hasattr(base, name)]
            if isinstance(module, base) and all(
                getattr(own, name) is getattr(base, name) and name not in vars(module) for name in methods
            ):
                return kind
    return ""


def readers_of(graph: fx.GraphModule, node: fx.Node) -> list[fx.Node]:
    """Return the calls that read a value, not only its shape."""
    return [reader for reader in node.users if kind_of(graph, reader) != "size"]


def kind_of(graph: fx.GraphModule, node: fx.Node) -> str:
    """Name what a call does: a key of the tables above, "winners" (among channels, not boosted), or ""."""
    if node.op == "call_module":
        return _kind_of_module(module_of(graph, node))
    if node.op not in ("call_function", "call_method"):
        return ""
    if node.target is getattr:
        return "size" if node.args[1] in SIZES else ""
    kind = next((kind for kind, targets in FUNCTIONS.items() if node.target in targets), "")
    indices = node.args[6] if len(node.args) > 6 else node.kwargs.get("return_indices", False)
    return "" if kind == "maxpool" and indices else kind


def _kind_of_module(module: Any) -> str:
    kind = plain_kind(module)
    hooked = module._forward_hooks or module._forward_pre_hooks  # of layers with weights these are refused
    odd = (
        (kind == "winners" and (module.scope != "channels" or module.boosts))
        or (kind == "maxpool" and module.return_indices)
        or (hooked and kind not in ("conv2d", "linear", "norm"))
    )
    return "" if odd else kind


def module_of(graph: fx.GraphModule, node: fx.Node) -> Any:
    """Return the module that a node calls."""
    return graph.get_submodule(node.target)


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
