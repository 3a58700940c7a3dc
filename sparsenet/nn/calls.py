"""What each call of a graph that torch.fx made is, as far as rounding treats it differently."""

from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from sparsenet.nn.kwinners import KWinners2d
from sparsenet.nn.masked import MaskedConv2d, MaskedLinear

__all__ = ["kind_of", "module_of", "plain_kind", "readers_of"]

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
