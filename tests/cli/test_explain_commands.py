import json

import numpy as np
import pytest

from sparsenet.bench.studies import crossover as crossover_module
from sparsenet.bench.studies import crossover_store
from sparsenet.graph.network import Network
from sparsenet.layers import KWinners, Linear
from sparsenet.packing import uniform


@pytest.fixture
def model(tmp_path):
    weight = np.random.default_rng(0).standard_normal((128, 256)) * uniform((128, 256), 0.05).keep
    net = Network.sequential((256,), [KWinners(25), Linear(weight), KWinners(12), Linear(np.ones((10, 128)))])
    net.save(tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def test_explain_prints_a_table_and_the_verdict(run, model):
    outcome = run("explain", model, "--no-measure")
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("linear1", "kwinners2", "limit", "With dense kernels this network would take"):
        assert expected in outcome.out
    assert "Measured on" not in outcome.out
    assert "Predicted for" in outcome.out


def test_explain_prints_json_of_what_it_measured(run, model):
    record = json.loads(run("explain", model, "--json").out)
    assert [row["layer"] for row in record["layers"]] == ["kwinners1", "linear1", "kwinners2", "linear2"]
    assert record["inputs"] == "the inputs given"
    assert all(row["measured_us"] >= 0 for row in record["layers"])
    assert record["speedup"] == pytest.approx(record["dense_whole_us"] / record["whole_us"])


def test_what_if_prints_a_table_and_json(run, model):
    outcome = run("what-if", model, "--density", "0.1", "--active", "0.2")
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("as it is", "dense kernels", "blocks", "10.0 % of weights kept", "20.0 % active"):
        assert expected in outcome.out
    record = json.loads(run("what-if", model, "--family", "blocks", "--measure", "--json").out)
    assert [row["name"] for row in record["rows"]] == ["as it is", "dense kernels", "blocks"]
    assert all(row["measured_us"] > 0 for row in record["rows"])


def test_crossover_prints_a_table_json_and_a_figure(run, monkeypatch, tmp_path):
    monkeypatch.setattr(crossover_store, "cache_directory", lambda: None)
    question = "crossover", "--sizes", "64", "--densities", "0.1,1", "--active", "0.1", "--batches", "1", "--no-measure"
    outcome = run(*question)
    assert (outcome.code, outcome.err) == (0, "")
    assert "64 x 64, 1 in a call" in outcome.out
    assert "Predicted for" in outcome.out
    assert len(json.loads(run(*question, "--json").out)["cells"]) == 2
    monkeypatch.setattr(crossover_module, "cell_times", lambda cells, measure: ({"dense": 1.0} for _ in cells))
    assert json.loads(run(*question[:-1], "--again", "--json").out)["measured"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["what-if", "spoken-digits", "--density", "5"], "did you pass a percentage"),
        (["what-if", "spoken-digits", "--family", "cubes"], "expected a family of masks"),
        (["crossover", "--sizes", "a"], "expected --sizes as numbers"),
        (["crossover", "--densities", "2", "--no-measure"], "expected densities as fractions"),
        (["explain", "no-such-network"], "no-such-network"),
    ],
)
def test_what_went_wrong_is_one_sentence(run, arguments, said):
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
