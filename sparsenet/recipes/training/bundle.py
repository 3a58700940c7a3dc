"""Make the networks that ship from the study's last runs: their files, and the details that describe them.

spoken-digits.safetensors           final-winners, rounded to 8 bits
spoken-digits-float32.safetensors   final-winners
spoken-digits-dense.safetensors     final-dense, its weights stored as int8
golden.npz                          features of test clips, and what the trainer answered, for tests
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.recipes.prepared import PreparedWords, features_of
from sparsenet.recipes.training.accuracy import Accuracy
from sparsenet.recipes.training.data import measuring_sets
from sparsenet.recipes.training.plan import Run
from sparsenet.recipes.training.recipe import MaskChoice, Recipe
from sparsenet.recipes.training.report import RunResult, read_results
from sparsenet.recipes.training.run_files import FLOAT32_FILE, INT8_FILE, SCORES_FILE
from sparsenet.speech.dataset import LABELS
from sparsenet.speech.front_end import FrontEnd
from sparsenet.storage import from_bytes, load, save, to_bytes

__all__ = ["bundle"]

GOLDEN_CLIPS = 24
TASK = "Which digit, zero to nine, is spoken in one second of sound; or another word, or none"
LICENCE = (
    "Apache-2.0, as the package. The recordings of the Free Spoken Digit Dataset that it learned from are under "
    "CC BY-SA 4.0."
)
DATA = (
    "words from speech synthesizers (espeak-ng, festival, flite, gnuspeech, pico, piper: about 100 voices), generated "
    "noise, and digits spoken by {people} in the Free Spoken Digit Dataset by Zohar Jakobovski and others, which is "
    "under CC BY-SA 4.0 and not part of this package"
)
LIMITS = (
    "English digits only, one to a second of sound. It heard few real people: expect less of a voice or a microphone "
    "unlike theirs, as the spread over held-out people shows. Loud noise, of a tenth of the full scale and more, "
    "misleads it, and other words are often taken for digits. It is not trained on Google Speech Commands; its "
    "accuracies cannot be compared with those published for that data set."
)


def bundle(
    runs: Sequence[Run],
    folder: Path,
    words: PreparedWords,
    to: Path,
    tell: Callable[[str], object] = lambda said: None,
) -> None:
    """Write the networks that ship, and the answers that the tests expect of them.

    Parameters
    ----------
    runs : sequence of Run
        Of the whole study; those of the folds give the accuracy on people who were held out.
    folder : Path
        With a folder for each run.
    words : PreparedWords
    to : Path
        An existing folder for the four files.
    tell : callable
        Is told each file that was written.

    Raises
    ------
    SparsenetError
        When a final run is not finished.
    """
    rows = {row.run.name: row for row in read_results(runs, folder)}
    missing = [name for name in ("final-winners", "final-dense") if name not in rows]
    if missing:
        raise SparsenetError(f"expected finished runs final-winners and final-dense, {missing[0]} is not")
    sparse, dense = rows["final-winners"], rows["final-dense"]
    people = sorted(np.unique(words.speakers[words.splits == "people"]).tolist())
    folds = {group: [row for row in rows.values() if row.run.group == group] for group in ("winners", "dense")}
    exact = load(folder / sparse.run.name / FLOAT32_FILE)
    rounded = load(folder / sparse.run.name / INT8_FILE)
    twin = load(folder / dense.run.name / FLOAT32_FILE)
    float32_card = _card("Spoken digits, sparse twice, float32", sparse, folds["winners"], "float32", people)
    int8_card = _card("Spoken digits, sparse twice, int8", sparse, folds["winners"], "int8", people)
    int8_card |= {"quantization": rounded.details["quantization"], "float32": {"accuracy": float32_card["accuracy"]}}
    dense_card = _card("Spoken digits, dense twin", dense, folds["dense"], "float32", people)
    dense_card |= {"accuracy_of": "the float32 network; this file keeps its weights as int8"}
    clips = features_of(words.images[words.splits == "test", 0])[:, None]
    dense_card |= {"int8_storage": _storage_loss(twin, clips)}
    for name, network, card, weights in (
        ("spoken-digits", rounded, int8_card, "float32"),
        ("spoken-digits-float32", exact, float32_card, "float32"),
        ("spoken-digits-dense", twin, dense_card, "int8"),
    ):
        save(replace(network, details=card), to / f"{name}.safetensors", weights)
        tell(f"wrote {name}.safetensors")
    np.savez(to / "golden.npz", **_golden({"sparse": sparse, "dense": dense}, folder, words))
    tell("wrote golden.npz")


def _card(
    title: str, row: RunResult, folds: Sequence[RunResult], arithmetic: str, people: Sequence[str]
) -> dict[str, Any]:
    """Describe a network: its task, its training, its accuracy, and its limits."""
    data = DATA.format(people=f"{len(people)} people ({', '.join(people)})")
    return {
        "title": title,
        "task": TASK,
        "front_end": FrontEnd().to_dict(),
        "accuracy": [*_voices(row, arithmetic), *_held_out(folds, arithmetic)],
        "provenance": f"Trained for this project. Training data: {data}. {_recipe_text(row.run.recipe)}",
        **_speed(row, arithmetic),
        "limits": LIMITS,
        "licence": LICENCE,
        "recipe": {name: value for name, value in row.run.recipe.to_dict().items() if name != "teachers"},
    }


def _speed(row: RunResult, arithmetic: str) -> dict[str, str]:
    time_us = row.time_us(arithmetic)
    return {} if time_us is None else {"speed": f"{time_us:.1f} µs a word at best, on one core of the training machine"}


def _voices(row: RunResult, arithmetic: str) -> list[dict[str, Any]]:
    texts = {
        "test": "synthetic voices that it never heard: digits, other words, noise",
        "validation": "synthetic voices kept for choosing among trainings: digits, other words, noise",
    }
    found = {name: row.accuracy(name, arithmetic) for name in texts}
    return [{"data": texts[name], **share} for name, share in found.items() if share is not None]


def _held_out(folds: Sequence[RunResult], arithmetic: str) -> list[dict[str, Any]]:
    """Pool the folds and list each: a network of the same kind, tested on a person whose recordings it never saw."""
    shares = {row.run.recipe.held_out[0]: row.accuracy("person", arithmetic) for row in folds}
    known = {who: share for who, share in shares.items() if share is not None}
    if not known:
        return []
    counts = [(round(share["share_right"] * share["samples"]), share["samples"]) for share in known.values()]
    pooled = Accuracy(sum(right for right, _ in counts), sum(samples for _, samples in counts))
    epochs = folds[0].run.recipe.epochs
    said = f"digits of a person never heard: {len(known)} networks like it ({epochs} epochs), each without one person"
    each = [{"data": f"of them, the one that never heard {who}", **share} for who, share in known.items()]
    return [{"data": said, **pooled.to_dict()}, *each]


def _recipe_text(recipe: Recipe) -> str:
    if recipe.active is None:
        return f"Trained for {recipe.epochs} epochs. Batch norms are folded."
    masks = f"{_mask_text(recipe.conv2)} in conv2, {_mask_text(recipe.linear)} in linear1"
    return (
        f"Distilled from the dense twin over {recipe.epochs} epochs, the winners falling from half of the units to "
        f"{', '.join(map(str, recipe.active))} in the first {recipe.falling_k_epochs}; masks: {masks}. Batch norms are "
        "folded."
    )


def _mask_text(choice: MaskChoice | None) -> str:
    return "every weight" if choice is None else f"{choice.family} of {100 * choice.density:.4g} %"


def _storage_loss(network: Network, clips: NDArray[np.float32]) -> dict[str, Any]:
    """Compare a network with what is read back after its weights were stored as int8."""
    stored = from_bytes(to_bytes(network, "int8"))
    exact, rounded = network.reference(clips), stored.reference(clips)
    far = np.abs(exact - rounded)
    return {
        "clips": len(clips),
        "same_answer": int((exact.argmax(1) == rounded.argmax(1)).sum()),
        "largest_logit_difference": round(float(far.max()) + 5e-5, 4),
        "mean_logit_difference": round(float(far.mean()), 4),
        "clips_are": "words of synthetic voices that it never heard",
    }


def _golden(rows: Mapping[str, RunResult], folder: Path, words: PreparedWords) -> dict[str, Any]:
    """Return features of some test clips, and the scores of the modules as they were trained."""
    samples = measuring_sets(words, rows["sparse"].run.recipe)["test"]
    chosen = np.linspace(0, len(samples) - 1, min(GOLDEN_CLIPS, len(samples))).astype(int)
    golden: dict[str, Any] = {
        "features": features_of(samples.images[chosen])[:, None],
        "said": np.array(LABELS)[samples.classes[chosen]],
    }
    for name, row in rows.items():
        with np.load(folder / row.run.name / SCORES_FILE) as scores:
            golden[name] = scores["test"][chosen]
    return golden
