import json

import numpy as np
import pytest

import sparsenet
from sparsenet.layers import KWinners, Linear
from sparsenet.network import Network


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    weight = np.random.default_rng(2).standard_normal((16, 24))
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    Network.sequential((24,), [Linear(weight), KWinners(3), Linear(weight[:4, :16])]).save(path)
    return path


@pytest.mark.parametrize("command", ["roofline", "residency", "energy"])
def test_help_shows_an_example(run, command):
    outcome = run(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Example: sparsenet {command}" in outcome.out


def test_roofline_prints_tables_json_and_a_figure(run, model, tmp_path):
    outcome = run("roofline", model)
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("reading L1", "multiply-adds of bytes", "linear2", "Measured on"):
        assert expected in outcome.out
    shown = json.loads(run("roofline", model, "--json").out)
    assert {"limits", "steps", "memory", "info"} <= set(shown)
    assert run("roofline", model, "--plot", tmp_path / "roof.png").code == 0
    assert (tmp_path / "roof.png").read_bytes().startswith(b"\x89PNG")


def test_roofline_measures_again_when_asked(run, model, monkeypatch):
    from sparsenet.commands import roofline_command

    asked = []
    monkeypatch.setattr(roofline_command, "limits_anew", lambda: asked.append(True))
    assert run("roofline", model).code == 0
    assert not asked
    assert run("roofline", model, "--anew").code == 0
    assert asked == [True]


@pytest.fixture
def small_displacements(monkeypatch):
    """Displace little: reading gigabytes is for people who want to know."""
    from sparsenet.insight import residency
    from sparsenet.insight.cold import Condition

    few = Condition("hot", 0, False, "nothing"), Condition("L2 displaced", 2**20, False, "1.0 MiB read")
    monkeypatch.setattr(residency, "here_conditions", lambda: few)


def test_residency_prints_a_table_and_json(run, model, small_displacements):
    outcome = run("residency", model, "--sizes", "32", "--seconds", "0.01")
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("linear 32x32", "L2 displaced", "caches are worth a factor", "Measured on", "NUMA"):
        assert expected in " ".join(outcome.out.split())
    shown = json.loads(run("residency", model, "--sizes", "0", "--seconds", "0.01", "--json").out)
    assert {row["kind"] for row in shown["rows"]} == {"network"}


@pytest.mark.parametrize("sizes", ["", "32,", "big", "-1"])
def test_residency_says_what_sizes_are(run, model, sizes):
    outcome = run("residency", model, f"--sizes={sizes}")
    assert outcome.code == 2
    assert "expected --sizes" in outcome.err


def test_energy_prints_a_table_and_json(run, model):
    outcome = run("energy", model, "--watts", "7", "--seconds", "0.01", "--batch", "4")
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("here, batch 1", "here, batch 4", "recalled", "days/s", "Measured on"):
        assert expected in outcome.out
    shown = json.loads(run("energy", model, "--seconds", "0.01", "--batch", "4", "--json").out)
    assert [one["batch"] for one in shown["runs"]] == [1, 4]
    assert {figure["standing"] for figure in shown["published"]} == {"published", "recalled"}
    assert shown["info"]["versions"]["sparsenet"] == sparsenet.__version__


def test_energy_refuses_watts_that_cannot_be(run, model):
    outcome = run("energy", model, "--watts", "0")
    assert outcome.code == 2
    assert "watts" in outcome.err
