"""Networks as graphs of calls: what each call is, and batch norms folded away."""

import copy
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from sparsenet.errors import SparsenetError
from sparsenet.nn.kwinners import KWinners2d
from sparsenet.nn.masked import MaskedConv2d, MaskedLinear

__all__ = ["folded_graph", "kind_of", "module_of", "readers_of"]

MODULES: dict[str, tuple[type, ...]] = {
    "conv2d": (nn.Conv2d, MaskedConv2d),
    "linear": (nn.Linear, MaskedLinear),
    "norm": (nn.BatchNorm1d, nn.BatchNorm2d),
    "relu": (nn.ReLU,),
    "maxpool": (nn.MaxPool2d,),
    "flatten": (nn.Flatten,),
    "nothing": (nn.Identity, nn.Dropout, nn.Dropout2d),
}
FUNCTIONS = {
    "relu": (functional.relu, torch.relu, "relu"),
    "maxpool": (functional.max_pool2d, torch.max_pool2d),
    "flatten": (torch.flatten, torch.reshape, "flatten", "reshape", "view"),
    "size": (getattr, "size"),
}


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return type(module).__module__.startswith("sparsenet.nn") or bool(super().is_leaf_module(module, name))


def folded_graph(module: nn.Module) -> fx.GraphModule:
    """Copy a module as a graph whose batch norms are folded into the layers before them, with their running statistics.

    Raises
    ------
    SparsenetError
        When the module's forward pass cannot be traced, or uses a layer with weights twice.
    """
    module = copy.deepcopy(module)
    try:
        graph = fx.GraphModule(module, _Tracer().trace(module))
    except Exception as error:  # whatever a forward pass may do with a stand-in for its input
        raise SparsenetError(
            f"expected a module whose forward pass is the same for every input, but tracing it failed: {error}"
        ) from error
    _check_used_once(graph)
    for node in list(graph.graph.nodes):
        if kind_of(graph, node) == "nothing":
            _remove(graph, node)
    for node in list(graph.graph.nodes):
        if kind_of(graph, node) == "norm" and _is_foldable(graph, node.args[0]):
            _fold(module_of(graph, node.args[0]), module_of(graph, node))
            _remove(graph, node)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph.train(module.training)


def _is_foldable(graph: fx.GraphModule, node: fx.Node) -> bool:
    return kind_of(graph, node) in ("conv2d", "linear") and len(readers_of(graph, node)) == 1


def readers_of(graph: fx.GraphModule, node: fx.Node) -> list[fx.Node]:
    """Return the calls that read a value, not only its shape."""
    return [reader for reader in node.users if kind_of(graph, reader) != "size"]


def kind_of(graph: fx.GraphModule, node: fx.Node) -> str:
    """Name what a call does: a key of the tables above, "winners" (among channels, not boosted), or ""."""
    if node.op == "call_module":
        module = module_of(graph, node)
        if isinstance(module, KWinners2d) and module.scope == "channels" and not module.boosts:
            return "winners"
        return next((kind for kind, types in MODULES.items() if isinstance(module, types)), "")
    if node.op not in ("call_function", "call_method"):
        return ""
    return next((kind for kind, targets in FUNCTIONS.items() if node.target in targets), "")


def module_of(graph: fx.GraphModule, node: fx.Node) -> Any:
    """Return the module that a node calls."""
    return graph.get_submodule(node.target)


def _check_used_once(graph: fx.GraphModule) -> None:
    seen: dict[Any, str] = {}
    for node in graph.graph.nodes:
        if kind_of(graph, node) in ("conv2d", "linear", "norm"):
            other = seen.setdefault(module_of(graph, node), node.target)
            if other is not node.target or sum(one.target == other for one in graph.graph.nodes) > 1:
                raise SparsenetError(f"expected every layer to be used once, but {other!r} is used twice")


def _remove(graph: fx.GraphModule, node: fx.Node) -> None:
    node.replace_all_uses_with(node.args[0])
    graph.graph.erase_node(node)


def _fold(layer: Any, norm: Any) -> None:
    """Scale a layer's weights and move its bias so that it gives what the batch norm after it gave."""
    with torch.no_grad():
        scale = torch.rsqrt(norm.running_var + norm.eps)
        scale = scale if norm.weight is None else scale * norm.weight
        offset = 0 if layer.bias is None else layer.bias
        bias = (offset - norm.running_mean) * scale + (0 if norm.bias is None else norm.bias)
        if isinstance(layer, MaskedConv2d | MaskedLinear):
            layer.kept_weight.mul_(scale[layer.positions // max(1, layer.mask[0].numel())])
        else:
            layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.dim() - 1)))
        layer.bias = nn.Parameter(bias.detach().clone())
