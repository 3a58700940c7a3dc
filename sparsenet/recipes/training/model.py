"""The reference network as a torch module, and as a network for the engine.

1 x 32 x 32 ── conv1 5x5 ── norm ── pool 2 ── winners ── 64 x 14 x 14
            ── conv2 5x5 ── norm ── pool 2 ── winners ── 64 x 5 x 5
            ── linear1 ── norm ── winners ── hidden ── linear2 ── 12
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sparsenet.errors import SparsenetError
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.layers import BatchNorm, Conv2d, Flatten, KWinners, Layer, Linear, MaxPool2d, ReLU
from sparsenet.nn import KWinners as TrainedKWinners
from sparsenet.nn import KWinners2d as TrainedKWinners2d
from sparsenet.nn import MaskedConv2d, MaskedLinear, best_mask
from sparsenet.packing.masks import FAMILIES, Mask
from sparsenet.passes import fold_batchnorm
from sparsenet.recipes.training.recipe import CHANNELS, MaskChoice, Recipe
from sparsenet.speech.dataset import LABELS

__all__ = ["as_module", "as_network", "build_model", "masks_of", "set_active"]

PLACES = 25
"""Positions of the hidden layer's input image, and taps of a filter."""

CONV2_SHAPE = (CHANNELS, CHANNELS, 5, 5)


def masks_of(recipe: Recipe, teacher: Network | None = None) -> dict[str, Mask]:
    """Make the masks of a recipe, by layer: at random from its seed, or from a teacher's largest weights.

    Parameters
    ----------
    recipe : Recipe
    teacher : Network, optional
        Whose weights decide, where the recipe says so.
    """
    scored = _weights_of(teacher) if recipe.masks_from_teacher and teacher is not None else {}
    wanted = {"conv2": (recipe.conv2, CONV2_SHAPE), "linear1": (recipe.linear, (recipe.hidden, CHANNELS * PLACES))}
    return {
        name: _mask(choice, shape, recipe.mask_seed + number, scored.get(name))
        for number, (name, (choice, shape)) in enumerate(wanted.items())
        if choice is not None
    }


def build_model(recipe: Recipe, masks: Mapping[str, Mask]) -> nn.Sequential:
    """Make the module of a recipe, with random weights from its seed.

    Parameters
    ----------
    recipe : Recipe
    masks : mapping of str to Mask
        Of :func:`masks_of`; layers without one keep every weight.

    Returns
    -------
    torch.nn.Sequential
        From (B, 1, 32, 32) features to (B, 12) scores.
    """
    torch.manual_seed(recipe.seed)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv1"] = nn.Conv2d(1, CHANNELS, 5, bias=False)
    layers |= _pooled(recipe, 0)
    layers["conv2"] = _conv2(masks.get("conv2"))
    layers |= _pooled(recipe, 1)
    layers["flatten"] = nn.Flatten()
    layers["linear1"] = _linear1(recipe.hidden, masks.get("linear1"))
    layers["norm3"] = nn.BatchNorm1d(recipe.hidden)
    layers |= _activation(recipe, 2)
    layers["linear2"] = nn.Linear(recipe.hidden, len(LABELS))
    nn.init.normal_(layers["conv1"].weight, 0.0, (2 / 25) ** 0.5)
    nn.init.normal_(layers["linear2"].weight, 0.0, (2 / recipe.hidden) ** 0.5)
    nn.init.zeros_(layers["linear2"].bias)
    return nn.Sequential(layers).to(memory_format=torch.channels_last)


def set_active(model: nn.Sequential, recipe: Recipe, epoch: int) -> None:
    """Set the number of winners in an epoch: it falls from half of the units to the recipe's number."""
    if recipe.active is None:
        return
    left = max(0.0, 1 - epoch / recipe.falling_k_epochs) if recipe.falling_k_epochs else 0.0
    units = (CHANNELS, CHANNELS, recipe.hidden)
    for name, of, wanted in zip(("winners1", "winners2", "winners3"), units, recipe.active, strict=True):
        getattr(model, name).k = round(wanted + max(0, of // 2 - wanted) * left)


def as_network(model: nn.Sequential, details: dict[str, Any] | None = None) -> Network:
    """Turn a trained module into a network, with its batch norms folded.

    Parameters
    ----------
    model : torch.nn.Sequential
        Of :func:`build_model`.
    details : dict, optional
        What should travel with the network.
    """
    layers = {name: _as_layer(module) for name, module in model.named_children()}
    return _chained(layers, details or {})


def _chained(layers: dict[str, Layer], details: dict[str, Any]) -> Network:
    """Chain named layers to a network of spoken digits and fold its batch norms."""
    sources = [INPUT, *layers][: len(layers)]
    nodes = [Node(name, layer, (source,)) for (name, layer), source in zip(layers.items(), sources, strict=True)]
    return fold_batchnorm(Network((1, 32, 32), nodes, list(layers)[-1], LABELS, details))


def as_module(network: Network) -> nn.Sequential:
    """Turn a chain of dense layers back into a module that is not trained: a teacher.

    Raises
    ------
    SparsenetError
        When it has a layer that no teacher has.
    """
    module = nn.Sequential(OrderedDict((node.name, _as_torch(node.layer)) for node in network.nodes))
    # channels last: answers of a batch of 32 took 3 ms in bfloat16 instead of 14
    return module.to(memory_format=torch.channels_last).requires_grad_(False).eval()


def _conv2(mask: Mask | None) -> nn.Module:
    if mask is not None:
        return MaskedConv2d(CHANNELS, CHANNELS, 5, mask, bias=False)
    dense = nn.Conv2d(CHANNELS, CHANNELS, 5, bias=False)
    nn.init.normal_(dense.weight, 0.0, (2 / dense.weight[0].numel()) ** 0.5)
    return dense


def _linear1(hidden: int, mask: Mask | None) -> nn.Module:
    inputs = CHANNELS * PLACES
    if mask is not None:
        return MaskedLinear(inputs, hidden, mask, bias=False)
    dense = nn.Linear(inputs, hidden, bias=False)
    nn.init.normal_(dense.weight, 0.0, (2 / inputs) ** 0.5)
    return dense


def _pooled(recipe: Recipe, index: int) -> OrderedDict[str, nn.Module]:
    """Give what follows a convolution."""
    number = index + 1
    pooled = OrderedDict({f"norm{number}": nn.BatchNorm2d(CHANNELS), f"pool{number}": nn.MaxPool2d(2)})
    return OrderedDict({**pooled, **_activation(recipe, index)})


def _activation(recipe: Recipe, index: int) -> OrderedDict[str, nn.Module]:
    number = index + 1
    if recipe.active is None:
        return OrderedDict({f"relu{number}": nn.ReLU()})
    k = recipe.active[index]
    winners = TrainedKWinners2d(CHANNELS, k) if index < 2 else TrainedKWinners(recipe.hidden, k)
    return OrderedDict({f"winners{number}": winners})


def _mask(choice: MaskChoice, shape: tuple[int, ...], seed: int, scored: NDArray[np.float32] | None) -> Mask:
    """Draw a mask of its family, or find the one that keeps most of the scores."""
    settings: dict[str, Any] = {"channels": CHANNELS} if len(shape) == 2 else {}
    if choice.per_group:
        settings["per_group"] = choice.per_group
    if scored is not None:
        return best_mask(scored, choice.family, choice.density, **settings)
    return FAMILIES[choice.family](shape, choice.density, seed=seed, **settings)


def _weights_of(teacher: Network) -> dict[str, NDArray[np.float32]]:
    return {node.name: node.layer.weight for node in teacher.nodes if isinstance(node.layer, Conv2d | Linear)}


def _as_layer(module: nn.Module) -> Layer:
    """Return the layer that a module of :func:`build_model` stands for."""
    weight, mask = _array(module, "weight"), _array(module, "mask")
    bias = _array(module, "bias")
    match module:
        case nn.Conv2d() | MaskedConv2d():
            return Conv2d(weight, bias, mask=mask)
        case nn.Linear() | MaskedLinear():
            return Linear(weight, bias, mask=mask)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            mean, variance = _array(module, "running_mean"), _array(module, "running_var")
            return BatchNorm(mean, variance, weight, bias, float(module.eps))
        case nn.MaxPool2d():
            return MaxPool2d(2)
        case nn.Flatten():
            return Flatten()
        case nn.ReLU():
            return ReLU()
        case TrainedKWinners2d():
            return KWinners(module.k, "channels")
        case TrainedKWinners():
            return KWinners(module.k)
    raise TypeError(f"expected a module of build_model, got a {type(module).__name__}")


def _array(module: nn.Module, name: str) -> Any:
    value = getattr(module, name, None)
    return None if value is None else value.detach().cpu().numpy()


def _as_torch(layer: Layer) -> nn.Module:
    """Return the module that a layer of a teacher stands for."""
    match layer:
        case Conv2d():
            N, C, kh, kw = layer.weight.shape
            return _filled(nn.Conv2d(C, N, (kh, kw)), layer)
        case Linear():
            return _filled(nn.Linear(layer.weight.shape[1], layer.weight.shape[0]), layer)
        case MaxPool2d():
            return nn.MaxPool2d(2)
        case Flatten():
            return nn.Flatten()
        case ReLU():
            return nn.ReLU()
    raise SparsenetError(
        f"expected a dense teacher of convolutions, linear layers and ReLU, got a {type(layer).__name__}"
    )


def _filled(module: nn.Module, layer: Conv2d | Linear) -> nn.Module:
    bias = np.zeros(len(layer.weight), np.float32) if layer.bias is None else layer.bias
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(layer.weight.copy()))
        module.bias.copy_(torch.from_numpy(bias.copy()))
    return module
