"""Measure a trained network: as a torch module, as an exported network, and rounded to 8 bits in the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sparsenet.engine.compiling import compile as compile_network
from sparsenet.engine.engine import Engine
from sparsenet.graph.network import Network
from sparsenet.layers import Weighted, kept_count
from sparsenet.passes import quantize
from sparsenet.recipes.prepared import features_of
from sparsenet.recipes.training.accuracy import accuracy
from sparsenet.recipes.training.data import Samples, TrainingData, calibration_of
from sparsenet.recipes.training.noise import noisy_features, people_waveforms
from sparsenet.recipes.training.recipe import Recipe

__all__ = ["Measured", "kept_weights", "measure"]

Floats = NDArray[np.float32]
Run = Callable[[Floats], Floats]

BATCH = 64


@dataclass(frozen=True, eq=False)
class Measured:
    """A network rounded to 8 bits, with its measured accuracies.

    Attributes
    ----------
    quantized : Network
    results : dict
        Plain values: ``accuracy[set][arithmetic]``, ``noise[arithmetic][level]``, kept weights, formats and their fill,
        and the largest difference between the scores of the module and of the exported network.
    scores : dict of str to array (n, 12), float32
        Of the module, by set.
    """

    quantized: Network
    results: dict[str, Any]
    scores: dict[str, Floats]


def measure(
    model: nn.Sequential,
    network: Network,
    sets: Mapping[str, Samples],
    data: TrainingData,
    recipe: Recipe,
    recordings: Path | None = None,
) -> Measured:
    """Measure a trained module and the network that was made of it.

    Parameters
    ----------
    model : torch.nn.Sequential
    network : Network
        Exported, in float32.
    sets : mapping of str to Samples
    data : TrainingData
        Of which a part calibrates the rounding.
    recipe : Recipe
    recordings : Path, optional
        Folder of the recordings of the held-out people, for the noise sweep; no sweep when left out.
    """
    quantized = quantize(network, _features(calibration_of(data, recipe)), progress=False)
    float32, int8 = _engine(network), _engine(quantized)
    runs: dict[str, Run] = {"torch": _module_run(model), "float32": _engine_run(float32), "int8": _engine_run(int8)}
    scores = {name: {key: run(_features(samples)) for key, run in runs.items()} for name, samples in sets.items()}
    results: dict[str, Any] = {
        "accuracy": {
            name: {key: accuracy(by.argmax(1), sets[name].classes).to_dict() for key, by in of_set.items()}
            for name, of_set in scores.items()
        },
        "export_difference": max(float(np.abs(by["torch"] - by["float32"]).max()) for by in scores.values()),
        "kept_weights": kept_weights(network),
        "formats": {
            key: {choice.layer: {"format": choice.format, "fill": choice.fill} for choice in engine.plan}
            for key, engine in (("float32", float32), ("int8", int8))
        },
    }
    if recordings is not None and recipe.held_out:
        results["noise"] = _noise_sweep({key: runs[key] for key in ("float32", "int8")}, recordings, recipe)
    return Measured(quantized, results, {name: by["torch"] for name, by in scores.items()})


def kept_weights(network: Network) -> int:
    """Count the weights that a network keeps, without biases."""
    return sum(kept_count(node.layer) for node in network.nodes if isinstance(node.layer, Weighted))


def _features(samples: Samples) -> Floats:
    return features_of(samples.images)[:, None]


def _engine(network: Network) -> Engine:
    """Compile without timing kernels: only answers are measured here, and other trainings keep the machine busy."""
    return compile_network(network, batch=BATCH, threads=1, planner="predict", progress=False)


def _engine_run(engine: Engine) -> Run:
    def run(x: Floats) -> Floats:
        return np.concatenate([engine(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])

    return run


def _module_run(model: nn.Sequential) -> Run:
    def run(x: Floats) -> Floats:
        with torch.no_grad():
            parts = [model(torch.from_numpy(x[i : i + BATCH])).numpy() for i in range(0, len(x), BATCH)]
        return np.concatenate(parts)

    model.eval()
    return run


def _noise_sweep(runs: Mapping[str, Run], recordings: Path, recipe: Recipe) -> dict[str, Any]:
    waveforms, classes = people_waveforms(recordings, recipe.held_out)
    found: dict[str, Any] = {key: {} for key in runs}
    for level, features in noisy_features(waveforms, recipe.seed):
        for key, run in runs.items():
            found[key][f"{level:.2f}"] = accuracy(run(features).argmax(1), classes).to_dict()
    return found
