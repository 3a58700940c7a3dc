"""Collect the lines of all families that translate torch's functions and modules."""

from collections.abc import Mapping
from typing import Any

from sparsenet.exchange.call import FloatArray, Line
from sparsenet.exchange.lines import lines

__all__ = ["functions", "module_line", "numbers"]


def functions() -> Mapping[str, Line]:
    """Return the lines by the name under which torch reports functions; those in place go without their underscore."""
    return lines("TORCH")


def module_line(module: Any) -> tuple[str, Line] | None:
    """Return the line of a module that is one call, whatever it calls inside, and that call's name."""
    for name, (is_one, line) in lines("TORCH_MODULES").items():
        if is_one(module):
            return name, line
    return None


def numbers(tensor: Any) -> FloatArray:
    """Copy a tensor of any layout to an array of float32."""
    import torch

    tensor = tensor.detach()
    dense = tensor if tensor.layout == torch.strided else tensor.to_dense()
    array: FloatArray = dense.cpu().float().numpy().copy()
    return array
