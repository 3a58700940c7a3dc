"""Turn a torch module into a network: run it twice and record what it calls."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from sparsenet.errors import GraphError, UnsupportedLayerError
from sparsenet.exchange.builder import finished
from sparsenet.exchange.torch.copy import copied, eager, make_parts_eager, plain_tensors_in_float32, refuse_opaque
from sparsenet.exchange.torch.recording import recorded, same_step
from sparsenet.exchange.torch.run import Trace
from sparsenet.graph.network import Network

__all__ = ["from_torch"]

BATCHES = (2, 3)
"""Samples of the two runs: they differ, so that a batch size written into a module shows."""


def from_torch(module: Any, example: Any, *, labels: Sequence[str] = ()) -> Network:
    """Turn a torch module, as it is in evaluation mode, into a network.

    A copy of the module runs on samples like ``example`` while torch reports each function that it calls: modules and
    functions, residual and branching graphs, masks, pruning and parametrisations all come down to these. What depends
    only on weights is computed once, so that a pruned or masked weight arrives with its zeros. The copy runs a second
    time, on other samples, and must call the same functions with the same numbers.

    Understood are convolutions in two dimensions, linear layers, batch norm, ReLU, max and average pooling (also
    adaptive, where all windows are of one size), sums, concatenation, softmax, reshaping, shifts and scales that are
    constant for each channel, dropout (which does nothing), and k-winners: the modules of :mod:`sparsenet.nn`, and
    ``KWinners`` and ``KWinners2d`` as nupic.torch has them, recognised by name and attributes.

    Parameters
    ----------
    module : torch.nn.Module
        On any device, in any mode; it is left as it is. Weights become float32.
    example : tensor or array (B, *input_shape)
        One input or several; their values do not matter, as long as the module accepts them.
    labels : sequence of str
        Names of the classes, as many as outputs, or none.

    Returns
    -------
    Network
        Its layers are named after the modules they come from ("features.0"), functions after the module that calls
        them ("block1.add"); a second use ends in ":2". ``details["import"]`` lists what was decided or differs; see
        :func:`sparsenet.import_report`.

    Raises
    ------
    UnsupportedLayerError
        When the module computes something that no layer here can, or not always the same; the message names each
        layer and function that cannot be imported, and how often it is met.
    GraphError
        When the module does not accept the example, or a weight is not finite.
    TypeError
        When ``module`` is not a torch module, or ``example`` neither tensor nor array.
    ModuleNotFoundError
        When torch is not installed (the extra ``train``).

    Examples
    --------
    >>> import sparsenet as sn
    >>> from torch import nn, zeros
    >>> net = sn.from_torch(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), zeros(1, 4))
    >>> [node.name for node in net.nodes]
    ['0', '1']
    """
    torch = _torch()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"expected a torch.nn.Module, got {type(module).__name__}")
    samples = _samples(example)
    made, converted = _prepared(module)
    first, second = (recorded(made, inputs, converted) for inputs in _two_inputs(samples))
    _refuse_differences(first, second)
    return finished(first.builder, [first.output], labels)


def _torch() -> Any:
    """Import torch, or say how to get it."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'importing torch modules needs the package torch ({error}); pip install "sparsenet[train]"', name="torch"
        ) from error
    return torch


def _samples(example: Any) -> Any:
    """Return the example as a tensor of float32, with at least one sample."""
    import torch

    if isinstance(example, np.ndarray) and example.dtype.kind in "fiub":
        with np.errstate(over="ignore"):
            example = torch.from_numpy(np.array(example, np.float32, order="C"))
    if not isinstance(example, torch.Tensor):
        hint = "; modules of several inputs are not supported" if isinstance(example, tuple | list) else ""
        kind = f"{type(example).__name__} of {example.dtype}" if hasattr(example, "dtype") else type(example).__name__
        raise TypeError(f"expected the example as a tensor or array of real numbers, got {kind}{hint}")
    if example.is_complex():
        raise TypeError(f"expected real numbers in the example, got {example.dtype}")
    if example.dim() < 2 or 0 in example.shape[1:]:
        raise GraphError(f"expected an example of shape (B, ...), none of it empty, got {tuple(example.shape)}")
    example = example.detach().cpu().float()
    return example if len(example) else torch.zeros_like(example).sum(0, keepdim=True)


def _two_inputs(samples: Any) -> list[Any]:
    """Make the inputs of the two runs: the example, repeated, and other numbers in its range."""
    import torch

    places = torch.arange(BATCHES[0], device="cpu") % len(samples)
    least, most = float(samples.min()), float(samples.max())
    generator = torch.Generator("cpu").manual_seed(0)
    shape = BATCHES[1], *samples.shape[1:]
    other = torch.rand(shape, generator=generator, device="cpu", dtype=torch.float32)
    return [samples[places].clone(), least + other * ((most - least) or 1.0)]


def _prepared(module: Any) -> tuple[Any, dict[str, str]]:
    """Copy a module to the processor, in evaluation mode and float32; say what was converted, by module."""
    made = copied(eager(module))
    make_parts_eager(made)
    refuse_opaque(made)
    converted = {}
    for path, part in made.named_modules():
        kinds = {str(tensor.dtype) for tensor in part.parameters(recurse=False) if tensor.is_floating_point()}
        if kinds := kinds - {"torch.float32"}:
            converted[path] = ", ".join(sorted(kind.removeprefix("torch.") for kind in kinds))
    plain_tensors_in_float32(made)
    return made.cpu().float().eval(), converted


def _refuse_differences(first: Trace, second: Trace) -> None:
    """Refuse a module that did not do the same in both runs."""
    for one, other in zip_longest(first.builder.nodes, second.builder.nodes):
        if one is None or other is None or not same_step(one, other):
            raise UnsupportedLayerError(
                f"layer {(one or other).name!r}: expected the same functions and numbers for every input, got others "
                f"in a second run on {BATCHES[1]} other samples; is it random, does it branch on values or on the "
                f"size of the batch, or is something computed outside torch's functions?"
            )
