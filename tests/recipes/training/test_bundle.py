import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch, the extra train")

from recipes.training.toy import toy_recipe, toy_words

from sparsenet.errors import SparsenetError
from sparsenet.models import load
from sparsenet.recipes.training.accuracy import Accuracy
from sparsenet.recipes.training.bundle import bundle
from sparsenet.recipes.training.plan import Run
from sparsenet.recipes.training.run import train


@pytest.fixture
def finished(tmp_path):
    """Two small final runs, and the results of two folds, made up."""
    words = toy_words()
    dense = toy_recipe(epochs=1, active=None, conv2=None, linear=None, held_out=())
    runs = [Run("final-dense", dense), Run("final-winners", toy_recipe(epochs=1, held_out=()))]
    for run in runs:
        train(run.recipe, words, tmp_path / run.name)
    for number, who in enumerate(("ann", "bob")):
        runs.append(Run(f"winners-without-{who}", toy_recipe(held_out=(who,))))
        right = {key: Accuracy(40 + number, 50).to_dict() for key in ("float32", "int8")}
        (tmp_path / runs[-1].name).mkdir()
        (tmp_path / runs[-1].name / "results.json").write_text(json.dumps({"accuracy": {who: right}}))
    return runs, tmp_path, words


def test_bundled_networks_say_what_they_are_and_answer_as_trained(finished, tmp_path):
    runs, folder, words = finished
    to = tmp_path / "models"
    to.mkdir()
    bundle(runs, folder, words, to)
    with np.load(to / "golden.npz") as golden:
        logits = load(to / "spoken-digits-float32.safetensors").reference(golden["features"])
        assert logits == pytest.approx(golden["sparse"], abs=1e-3)  # float32 sums of 1,600 terms of order one
        dense = load(to / "spoken-digits-dense.safetensors")
        far = np.abs(dense.reference(golden["features"]) - golden["dense"]).max()
        assert far <= dense.details["int8_storage"]["largest_logit_difference"] + 1e-3
    int8 = load(to / "spoken-digits.safetensors")
    assert int8.byte_valued
    assert "quantization" in int8.details
    pooled = [row for row in int8.details["accuracy"] if row["data"].startswith("digits of a person never heard")]
    assert [(row["share_right"], row["samples"]) for row in pooled] == [(0.81, 100)]


def test_unfinished_runs_are_named(finished, tmp_path):
    runs, folder, words = finished
    (folder / "final-dense" / "results.json").unlink()
    with pytest.raises(SparsenetError, match="final-dense is not"):
        bundle(runs, folder, words, tmp_path)
