import json
import re
from pathlib import Path

import numpy as np
import pytest

import sparsenet
from sparsenet.graph.network import Network
from sparsenet.layers import KWinners, Linear


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
    assert run("roofline", model, "--again").code == 0
    assert run("roofline", model, "--anew").code == 0  # as it was called before
    assert asked == [True, True]


@pytest.fixture
def small_displacements(monkeypatch):
    """Displace little: reading gigabytes is for people who want to know."""
    from sparsenet.bench.studies import residency
    from sparsenet.bench.studies.cache_timing import Condition

    few = Condition("hot", 0, False, "nothing"), Condition("L2 displaced", 2**20, False, "1.0 MiB read")
    monkeypatch.setattr(residency, "here_conditions", lambda: few)


def test_residency_prints_a_table_and_json(run, model, small_displacements):
    outcome = run("residency", model, "--sizes", "32", "--seconds", "0.01")
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("linear 32x32", "displaced", "caches are worth", "Measured on", "NUMA", "With sparsenet"):
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
    for expected in ("batch 1, 1 core", "batch 4", "published", "days/s", "With sparsenet", "Measured on"):
        assert expected in outcome.out
    shown = json.loads(run("energy", model, "--seconds", "0.01", "--batch", "4", "--json").out)
    assert [one["batch"] for one in shown["runs"]] == [1, 4]
    assert {figure["standing"] for figure in shown["published"]} == {"published"}
    assert shown["info"]["versions"]["sparsenet"] == sparsenet.__version__


def test_energy_compares_networks(run, model):
    outcome = run("energy", model, "spoken-digits", "--seconds", "0.01", "--batch", "4")
    assert outcome.code == 0
    assert "beside spoken-digits, batch 1, 1 core" in " ".join(outcome.out.split())


def test_residency_draws_a_figure(run, model, small_displacements, tmp_path):
    assert run("residency", model, "--sizes", "0", "--seconds", "0.01", "--plot", tmp_path / "r.png").code == 0
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def strict(text):
    """Read JSON that holds neither NaN nor infinity."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def names_in(value):
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from names_in(one)


@pytest.mark.parametrize(
    "arguments",
    [
        ("roofline",),
        ("residency", "--sizes", "16", "--seconds", "0.01"),
        ("energy", "--seconds", "0.01", "--batch", "2"),
    ],
    ids=lambda one: one[0],
)
def test_json_is_strict_and_every_name_is_explained(run, model, small_displacements, arguments):
    shown = run(arguments[0], model, *arguments[1:], "--json").out
    value = strict(shown)
    assert strict(json.dumps(value, allow_nan=False)) == value
    page = (Path(__file__).parents[2] / "notebooks" / "machine.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`(\w+)`", page))
    value.pop("info")
    mappings = {"read_bytes_per_s", "level_bytes", "byte_multiply_adds_per_s"}  # whose names are levels and units
    for mapping in mappings & set(value.get("limits", {})):
        value["limits"][mapping] = 0
    assert sorted(set(names_in(value)) - explained) == []


def test_energy_refuses_watts_that_cannot_be(run, model):
    outcome = run("energy", model, "--watts", "0")
    assert outcome.code == 2
    assert "watts" in outcome.err
