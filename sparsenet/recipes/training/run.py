"""Run one training from data to files: a folder with the network in float32 and int8, and its measured results.

    folder/checkpoint.pt              while it is trained, and afterwards
    folder/network.safetensors        float32, batch norms folded
    folder/network-int8.safetensors
    folder/scores.npz                 of the module, for all that measured it
    folder/results.json               written last: where it is, the training is finished

A training that was cut off goes on from the checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sparsenet.recipes.prepared import PreparedWords
from sparsenet.recipes.training.data import measuring_sets, training_data
from sparsenet.recipes.training.evaluate import measure
from sparsenet.recipes.training.fit import Epoch, fit, fit_rounded
from sparsenet.recipes.training.model import as_network
from sparsenet.recipes.training.recipe import Recipe
from sparsenet.recipes.training.run_files import FLOAT32_FILE, INT8_FILE, RESULTS_FILE, SCORES_FILE
from sparsenet.speech.front_end import FrontEnd
from sparsenet.storage import load
from sparsenet.whole_files import write_whole

__all__ = ["train"]


def train(
    recipe: Recipe,
    words: PreparedWords,
    folder: Path,
    recordings: Path | None = None,
    tell: Callable[[Epoch], object] = lambda epoch: None,
) -> dict[str, Any]:
    """Train a network, export it, round it to 8 bits, measure all three, and write them to a folder.

    Parameters
    ----------
    recipe : Recipe
    words : PreparedWords
    folder : Path
        Made if it is missing; a training that was cut off there is continued.
    recordings : Path, optional
        Folder of ``<digit>_<speaker>_<take>.wav``, for the noise sweep on the people who were held out.
    tell : callable
        Is given each epoch when it is done.

    Returns
    -------
    dict
        What ``results.json`` holds.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = training_data(words, recipe)
    teachers = tuple(load(path) for path in recipe.teachers)
    trained = fit_rounded(fit(recipe, data, folder, teachers, tell), recipe, data, teachers, tell)
    network = as_network(trained.model, _details(recipe))
    measured = measure(trained.model, network, measuring_sets(words, recipe), data, recipe, recordings)
    network.save(folder / FLOAT32_FILE)
    measured.quantized.save(folder / INT8_FILE)
    scores: dict[str, Any] = measured.scores
    np.savez(folder / SCORES_FILE, **scores)
    results = {
        "recipe": recipe.to_dict(),
        "history": [vars(epoch) for epoch in trained.history],
        "trained_s": sum(epoch.time_s for epoch in trained.history),
        **measured.results,
    }
    _write(folder / RESULTS_FILE, results)
    return results


def _details(recipe: Recipe) -> dict[str, Any]:
    return {"front_end": FrontEnd().to_dict(), "recipe": recipe.to_dict()}


def _write(path: Path, results: dict[str, Any]) -> None:
    write_whole(path, json.dumps(results, indent=1) + "\n")
