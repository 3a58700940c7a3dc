"""Trace a module's forward pass as a graph that may be rewritten, or list every reason why it cannot be rounded."""

import operator
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.parameter import is_lazy
from torch.nn.utils import prune

from sparsenet.errors import SparsenetError
from sparsenet.exchange.torch.copy import copied, eager
from sparsenet.nn.calls import kind_of, module_of, plain_kind

__all__ = ["traced"]

WITH_WEIGHTS = ("conv2d", "linear", "norm")

DROPOUTS = (
    *(functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d, torch.dropout),
    *(functional.alpha_dropout, functional.feature_alpha_dropout),
)
IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        own = type(module).__module__.startswith("sparsenet.nn")
        return own or bool(plain_kind(module)) or bool(super().is_leaf_module(module, name))


def traced(module: nn.Module) -> fx.GraphModule:
    """Copy a module as a graph of its calls in evaluation mode, without dropout.

    Raises
    ------
    SparsenetError
        When the forward pass cannot be traced, or has parts that cannot be rounded; it names all of them.
    """
    module = eager(module)
    problems = _hooks(module)
    try:
        graph = _graph(copied(module).eval())
    except Exception as error:  # whatever a forward pass may do with a stand-in for its input
        problems.append(
            f"a forward pass that is not the same for every input, or a module that cannot be copied: tracing it "
            f"failed: {error}"
        )
    else:
        _first_arguments(graph)
        problems += _reused(graph) + _layers(graph) + _dropouts(graph) + _read_elsewhere(graph)
    if problems:
        count = "a part that cannot be" if len(problems) == 1 else f"{len(problems)} parts that cannot be"
        raise SparsenetError(f"expected a network that can be rounded, got {count}: {'; '.join(problems)}")
    _read_results_of_changes(graph)
    _leave_out_dropout(graph)
    return graph


def _graph(module: nn.Module) -> fx.GraphModule:
    return fx.GraphModule(module, _Tracer().trace(module))


def _hooks(module: nn.Module) -> list[str]:
    """Name the layers whose hooks would be left out: those that are replaced, and the module itself."""
    found = []
    for path, part in module.named_modules():
        hooks = [*part._forward_pre_hooks.values(), *part._forward_hooks.values()]
        if any(isinstance(hook, prune.BasePruningMethod) for hook in hooks):
            found.append(
                f"layer {path!r}: pruning that is not permanent (torch.nn.utils.prune.remove makes it so, and "
                f"sparsenet.nn.masked(layer, layer.weight != 0) keeps its zeros)"
            )
        elif hooks and (part is module or plain_kind(part) in WITH_WEIGHTS):
            found.append(f"{f'layer {path!r}' if path else 'the module'}: hooks, which would be left out; remove them")
    return found


def _first_arguments(graph: fx.GraphModule) -> None:
    """Have every call take its input as its first argument, also where it was given by name."""
    for node in graph.graph.nodes:
        name = next((name for name in ("input", "x") if name in node.kwargs), None)
        if kind_of(graph, node) and not node.args and name is not None:
            node.args = (node.kwargs[name],)
            node.kwargs = {key: value for key, value in node.kwargs.items() if key != name}


def _reused(graph: fx.GraphModule) -> list[str]:
    calls: dict[Any, list[str]] = {}
    for node in graph.graph.nodes:
        if kind_of(graph, node) in WITH_WEIGHTS:
            calls.setdefault(module_of(graph, node), []).append(node.target)
    return [
        f"layer {names[0]!r}: it is used twice, and would be rounded for one use"
        for names in calls.values()
        if names[1:]
    ]


def _read_elsewhere(graph: fx.GraphModule) -> list[str]:
    """Name the layers whose weights the forward pass reads by itself: those of their rounded forms are others."""
    replaced = {node.target for node in graph.graph.nodes if kind_of(graph, node) in WITH_WEIGHTS}
    read = [node.target for node in graph.graph.nodes if node.op == "get_attr"]
    layers = [name.rpartition(".")[0] for name in read]
    return [
        f"layer {layer!r}: its {name.rpartition('.')[2]} is read outside of it, and would not be what is rounded"
        for name, layer in dict(zip(read, layers, strict=True)).items()
        if layer in replaced
    ]


def _layers(graph: fx.GraphModule) -> list[str]:
    found = []
    for node in graph.graph.nodes:
        kind = kind_of(graph, node)
        if kind in WITH_WEIGHTS:
            layer = module_of(graph, node)
            found += [f"layer {node.target!r} ({type(layer).__name__}): {what}" for what in _odd(layer, kind)]
    return list(dict.fromkeys(found))


def _odd(layer: Any, kind: str) -> list[str]:
    """Name the settings of a layer that rounding does not support."""
    found = []
    if any(is_lazy(one) or one.is_meta for one in layer.parameters()):
        return ["weights that are not there yet; run the module once, or load them"]
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        found.append(f"padding_mode={layer.padding_mode!r}; pad with zeros")
    if kind == "norm" and layer.running_mean is None:
        found.append("statistics of the batch itself (track_running_stats=False)")
    tensors = [*layer.parameters(), *(one for one in layer.buffers() if one.is_floating_point())]
    kinds = {str(one.dtype).removeprefix("torch.") for one in tensors} - {"float32", "float64"}
    if kinds:
        found.append(f"numbers in {', '.join(sorted(kinds))}; train in float32, module.float()")
    elif not all(bool(one.isfinite().all()) for one in tensors):
        found.append("numbers that are NaN or infinite")
    return found


def _dropouts(graph: fx.GraphModule) -> list[str]:
    on = [
        node.name for node in graph.graph.nodes if node.op == "call_function" and node.target in DROPOUTS and _on(node)
    ]
    return [f"{name!r}: dropout that is always on; pass training=self.training" for name in on]


def _on(node: fx.Node) -> bool:
    """Say whether a call of dropout, traced in evaluation mode, drops anything."""
    given = {**dict(zip(("input", "p", "training"), node.args, strict=False)), **node.kwargs}
    return given.get("p", 0.5) != 0 and bool(given.get("training", given.get("train", True)))


def _read_results_of_changes(graph: fx.GraphModule) -> None:
    """Have what reads a value after it was changed in place read the result of the change, which is the same tensor."""
    place = {node: index for index, node in enumerate(graph.graph.nodes)}
    for node in graph.graph.nodes:
        if _changes_its_input(graph, node):
            for reader in list(node.args[0].users):
                if place[reader] > place[node]:
                    reader.replace_input_with(node.args[0], node)


def _changes_its_input(graph: fx.GraphModule, node: fx.Node) -> bool:
    if not node.args or not isinstance(node.args[0], fx.Node):
        return False
    if node.op == "call_module":
        return bool(getattr(module_of(graph, node), "inplace", False))
    name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
    if node.op not in ("call_function", "call_method") or node.target is getattr:
        return False
    inplace = bool(node.kwargs.get("inplace", False)) or (node.target is functional.relu and True in node.args[1:2])
    return inplace or node.target in IN_PLACE or (name.endswith("_") and not name.endswith("__"))


def _leave_out_dropout(graph: fx.GraphModule) -> None:
    for node in list(graph.graph.nodes):
        if kind_of(graph, node) == "nothing" or (node.op == "call_function" and node.target in DROPOUTS):
            node.replace_all_uses_with(node.args[0] if node.args else node.kwargs["input"])
            graph.graph.erase_node(node)
