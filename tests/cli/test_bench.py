"""``sparsenet bench`` and ``sparsenet profile``, with small networks."""

import json

import numpy as np
import pytest

from sparsenet.bench import contenders
from sparsenet.commands import bench_command
from sparsenet.graph.network import Network
from sparsenet.layers import KWinners, Linear


@pytest.fixture
def model(tmp_path):
    random = np.random.default_rng(0)
    weight = random.standard_normal((16, 32)) * (random.random((16, 32)) < 0.3)
    path = tmp_path / "small.safetensors"
    Network.sequential((32,), [KWinners(8), Linear(weight), KWinners(3)]).save(path)
    return path


@pytest.fixture
def no_peers(monkeypatch):
    monkeypatch.setattr(contenders, "PEERS", ())


QUICK = ("--rounds", 1, "--seconds", 0.01)


def test_bench_prints_a_table_with_its_footnotes(run, model, no_peers):
    outcome = run("bench", model, "--batch", "1,3", "--threads", "1", *QUICK)
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("as given", "dense twin", "sparsenet float32", "Not equal:", "Measured on", "ratio", "GHz"):
        assert expected in outcome.out


def test_bench_prints_json_only(run, model, no_peers):
    shown = json.loads(run("bench", model, "--batch", "2", "--threads", "1,N", *QUICK, "--json").out)
    assert {row["engine"] for row in shown["rows"]} == {"sparsenet"}
    assert all(row["batch"] == 2 and row["same_answer"] == row["of"] for row in shown["rows"])
    assert shown["info"]["versions"]["numpy"] == np.__version__


def test_bench_writes_json_beside_the_table(run, model, no_peers, tmp_path):
    target = tmp_path / "bench.json"
    outcome = run("bench", model, "--batch", "1", "--threads", "1", *QUICK, "--record", target)
    assert "sparsenet float32" in outcome.out
    assert json.loads(target.read_text(encoding="utf-8"))["model"] == str(model)


def test_bench_draws_a_figure(run, model, no_peers, tmp_path):
    run("bench", model, "--batch", "1,2", "--threads", "1", *QUICK, "--plot", tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_bench_of_layers(run, tmp_path):
    (tmp_path / "shapes.txt").write_text("linear 24 32  # small\n", encoding="utf-8")
    settings = ("--layers", "--density", "0.25,0.5", "--active", "0.25", "--seconds", 0.05)
    outcome = run("bench", tmp_path / "shapes.txt", *settings)
    assert (outcome.code, outcome.err) == (0, "")
    assert sum(line.lstrip().startswith("linear 24x32") for line in outcome.out.splitlines()) == 2 * 2 * 2
    for expected in ("numpy", "scipy", "only", "both", "Measured on"):
        assert expected in outcome.out
    shown = json.loads(run("bench", tmp_path / "shapes.txt", *settings, "--json").out)
    assert {row["density"] for row in shown["rows"]} == {0.25, 0.5}
    assert {row["batch"] for row in shown["rows"]} == {1, 16}
    assert {row["mask"] for row in shown["rows"]} == {"blocks", "scattered"}


def test_bench_by_mlperfs_rules(run, model, monkeypatch):
    real = bench_command.bench_mlperf
    monkeypatch.setattr(bench_command, "bench_mlperf", lambda model, wishes: real(model, wishes, least_s=0.01))
    shown = json.loads(run("bench", model, "--mlperf", "--batch", "64", "--threads", "1", "--json").out)
    assert shown["single_stream"]["queries"] >= 1024
    assert shown["offline"]["samples"] >= 24_576
    assert not shown["offline"]["by_the_rules"]  # it lasted less than a minute
    assert "no submission" in run("bench", model, "--mlperf", "--batch", "64", "--threads", "1").out


def test_profile(run, model):
    outcome = run("profile", model)
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("kwinners1", "linear1", "parts", "GHz"):
        assert expected in outcome.out
    shown = json.loads(run("profile", model, "--batch", 2, "--json").out)
    assert shown["samples"] == 2
    assert [step["layer"] for step in shown["steps"]][-1] == "kwinners2"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bench", "nobody"), "nobody"),
        (("bench", "--batch", "0"), "--batch"),
        (("bench", "--batch", "1,,2"), "--batch"),
        (("bench", "--batch", "N"), "--batch"),
        (("bench", "--threads", "x"), "--threads"),
        (("bench", "--rounds", "0"), "rounds"),
        (("bench", "--layers", "--mlperf"), "got both"),
        (("bench", "--layers", "nobody"), "resnet50"),
        (("bench", "--layers", "--density", "5"), "percentage"),
        (("bench", "--layers", "--active", "few"), "--active"),
        (("bench", "--layers", "--mask", "round"), "blocks, scattered"),
        (("profile", "nobody"), "nobody"),
        (("profile", "spoken-digits", "--batch", "0"), "batch"),
    ],
)
def test_wrong_arguments(run, arguments, said):
    outcome = run(*arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert said in outcome.err
