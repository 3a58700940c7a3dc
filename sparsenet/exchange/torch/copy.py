"""Copy a torch module so that the copy may be changed: on the CPU, not compiled, with dense weights."""

import copy
from collections.abc import Iterator
from typing import Any

from sparsenet.errors import UnsupportedLayerError
from sparsenet.exchange.torch.run import Module, place

__all__ = ["copied", "eager", "make_parts_eager", "plain_tensors_in_float32", "refuse_opaque"]


def copied(module: Module) -> Module:
    """Copy a module; what torch does not copy is replaced first.

    Tensors with a history, which pruning leaves in place of weights, lose it; weights in sparse layouts become dense.
    """
    import torch

    copies: dict[int, Any] = {}
    for part in module.modules():
        for value in vars(part).values():
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                copies[id(value)] = value.detach().clone()
        for weight in part.parameters(recurse=False):
            if weight.layout != torch.strided:
                copies[id(weight)] = torch.nn.Parameter(weight.detach().to_dense(), requires_grad=False)
        for buffer in part.buffers(recurse=False):
            if buffer.layout != torch.strided:
                copies[id(buffer)] = buffer.detach().to_dense()
    memo = dict(copies)
    try:
        for part in reversed(list(module.modules())):  # the innermost first: no copy goes deeper than one module
            made = copy.deepcopy(part, memo)
        return made
    except Exception as error:  # whatever a module's own copying raises
        raise UnsupportedLayerError(
            f"{_first_uncopied(module, copies)}: expected a module that can be copied, since the import leaves yours "
            f"as it is, got {type(error).__name__}: {error}; leave that out while importing"
        ) from error


def _first_uncopied(module: Module, copies: dict[int, Any]) -> str:
    """Say which attribute of which part cannot be copied."""
    for path, part in module.named_modules():
        for name, value in _attributes(part):
            try:
                copy.deepcopy(value, dict(copies))
            except Exception:
                return f"{place(path, part)}, attribute {name!r}"
    return place("", module)


def _attributes(part: Module) -> Iterator[tuple[str, Any]]:
    yield from part._parameters.items()
    yield from part._buffers.items()
    yield from (
        (name, value) for name, value in vars(part).items() if name not in ("_modules", "_parameters", "_buffers")
    )


def eager(module: Module) -> Module:
    """Take a module out of what torch.compile put around it: compiled code reports no functions."""
    return eager(module._orig_mod) if hasattr(module, "_orig_mod") else module


def make_parts_eager(module: Module) -> None:
    """Do the same to all parts of a module."""
    for part in module.modules():
        for name, child in part._modules.items():  # named_children() leaves out second names
            part._modules[name] = eager(child)


def plain_tensors_in_float32(module: Module) -> None:
    """Move tensors that are neither parameters nor buffers where ``module.cpu().float()`` moves those."""
    import torch

    for part in module.modules():
        for name, value in vars(part).items():
            if isinstance(value, torch.Tensor) and not value.is_meta:
                vars(part)[name] = value.cpu().float() if value.is_floating_point() else value.cpu()


def refuse_opaque(module: Module) -> None:
    """Refuse parameters without values and parts that hide their calls; report all of them at once."""
    told = [message for path, part in module.named_modules() if (message := _opaque(path, part))]
    if told:
        raise UnsupportedLayerError("; ".join(told))


def _opaque(path: str, part: Module) -> str:
    import torch
    from torch.nn.parameter import is_lazy

    if isinstance(part, torch.jit.ScriptModule):
        return (
            f"{place(path, part)}: expected a module in Python, got a scripted or traced one, which hides its layers; "
            f"import the module it was made from"
        )
    if any(is_lazy(one) or one.is_meta for one in part.parameters(recurse=False)):
        return (
            f"{place(path, part)}: expected a module with weights, got a lazy one or one on the meta device; run it "
            f"once, or load its weights, first"
        )
    return ""
