"""What all commands have in common: help with an example, and ``--json`` that prints strict JSON and nothing else."""

import json
import re

import numpy as np
import pytest
import typer

from sparsenet.bench import __main__ as bench_main
from sparsenet.bench import contenders, masks
from sparsenet.cli import app
from sparsenet.graph.network import Input, Network, Node
from sparsenet.layers import Add, Cast, KWinners, Linear
from sparsenet.packing import __main__ as packing_main
from sparsenet.packing import comparison
from sparsenet.recipes import study, train
from sparsenet.speech.recordings import recordings

COMMANDS = tuple(sorted(typer.main.get_command(app).commands))
MODULES = (bench_main, masks, packing_main, study, train)
ON_A_MODEL = {
    "bench": ("--batch", "2", "--threads", "1", "--rounds", "1", "--seconds", "0.01"),
    "energy": ("--seconds", "0.01", "--batch", "2"),
    "explain": ("--no-measure",),
    "inspect": (),
    "profile": (),
    "residency": ("--sizes", "0", "--seconds", "0.01"),
    "roofline": (),
    "what-if": ("--density", "0.5"),
}
ALONE = {
    "crossover": ("--sizes", "64", "--batches", "1", "--densities", "0.1", "--active", "0.1", "--no-measure"),
    "info": (),
    "kernels": (),
    "recognize": (recordings()[1].path,),
}
ELSEWHERE = {"demo", "gpu-study"}
"""Slow, or in need of a GPU: their JSON is looked at in tests of their own."""


@pytest.fixture
def model(tmp_path):
    random = np.random.default_rng(0)
    weight = random.standard_normal((16, 32)) * (random.random((16, 32)) < 0.3)
    path = tmp_path / "small.safetensors"
    Network.sequential((32,), [KWinners(8), Linear(weight), KWinners(3)]).save(path)
    return path


def strictly(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_every_command_is_run_here():
    assert {*ON_A_MODEL, *ALONE, *ELSEWHERE} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [60, 120])
def test_help_of_each_command_shows_an_example_and_json(run, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = run(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Example: sparsenet {command}" in " ".join(outcome.out.split())
    assert re.search(r"--json +(<bool> +)?Print JSON", " ".join(outcome.out.replace("│", " ").split()))


@pytest.mark.parametrize("command", sorted({*ON_A_MODEL, *ALONE}))
def test_json_is_strict_and_alone_on_the_standard_output(run, model, monkeypatch, request, command):
    monkeypatch.setattr(contenders, "PEERS", ())
    if command == "recognize":
        pytest.importorskip("soundfile", reason="needs the extra speech")
        request.getfixturevalue("by_meaning")
    arguments = (model, *ON_A_MODEL[command]) if command in ON_A_MODEL else ALONE[command]
    outcome = run(command, *arguments, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.isascii()
    assert isinstance(strictly(outcome.out), dict | list)


@pytest.mark.parametrize("command", sorted({*ON_A_MODEL} - {"energy", "residency"} | {"info", "kernels"}))
def test_no_cell_is_cut_in_a_narrow_terminal(run, model, monkeypatch, command):
    monkeypatch.setattr(contenders, "PEERS", ())
    monkeypatch.setenv("COLUMNS", "80")
    arguments = (model, *ON_A_MODEL[command]) if command in ON_A_MODEL else ()
    outcome = run(command, *arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert "…" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


@pytest.fixture
def general(tmp_path):
    """A network of two inputs and two outputs."""
    inputs = {"x": Input((16,)), "ids": Input((16,), "int32")}
    nodes = [
        *(Node("c", Cast(), ("ids",)), Node("s", Add(), ("x", "c"))),
        Node("l", Linear(np.random.default_rng(0).standard_normal((64, 16))), ("s",)),
    ]
    path = tmp_path / "general.safetensors"
    Network(inputs, nodes, ("l", "s")).save(path)
    return path


@pytest.mark.parametrize("command", sorted({*ON_A_MODEL} - {"bench", "energy", "residency"}))
def test_networks_of_several_inputs_and_outputs(run, general, command):
    outcome = run(command, general, *ON_A_MODEL[command])
    assert (outcome.code, outcome.err) == (0, "")
    assert isinstance(strictly(run(command, general, *ON_A_MODEL[command], "--json").out), dict)


@pytest.mark.parametrize("command", [["explain"], ["what-if", "--density", "0.5", "--measure"]])
def test_networks_of_several_inputs_and_outputs_are_measured(run, general, command):
    outcome = run(command[0], general, *command[1:])
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("command", [["bench"], ["bench", "--mlperf"], ["energy"], ["residency"]])
def test_who_cannot_measure_several_inputs_says_so(run, general, command):
    outcome = run(command[0], general, *command[1:])
    assert outcome.code == 2
    assert outcome.err == (
        "sparsenet: this measurement works on networks with one input, float32, and one output; "
        "this one has the inputs x (float32), ids (int32) and the outputs l, s\n"
    )


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_modules_that_are_commands_have_help_and_say_what_is_wrong(capsys, module):
    for arguments, code in ((["--help"], 0), (["--nonsense"], 2)):
        with pytest.raises(SystemExit) as left:
            module.main(arguments)
        assert left.value.code == code
        captured = capsys.readouterr()
        assert ("--help" in captured.out) == (code == 0)
        assert captured.err.count("\n") == (code != 0)


def test_packings_as_table_and_json(capsys, monkeypatch):
    layers = (comparison.LayerToPack("small", (32, 64), 0.1),)
    monkeypatch.setattr(packing_main, "LAYERS", layers)
    monkeypatch.setattr(packing_main, "compare", lambda: comparison.compare(layers))
    for arguments in ([], ["--json"]):
        with pytest.raises(SystemExit) as left:
            packing_main.main(arguments)
        assert left.value.code == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        if arguments:
            shown = strictly(captured.out)
            assert len(shown["packings"]) == packing_main.WAYS
            assert set(shown["chance_to_share_nothing"]) == {"small"}
        else:
            assert "| built in sets |" in captured.out


def test_masks_as_json(capsys, monkeypatch):
    timing = masks.Timing(2.0, 1.0, 3.0, 4.0, 5)
    monkeypatch.setattr(masks, "time_masks", lambda tell: {1: {"dense": timing}})
    with pytest.raises(SystemExit) as left:
        masks.main(["--json"])
    assert left.value.code == 0
    (row,) = strictly(capsys.readouterr().out)["rows"]
    assert (row["batch"], row["masks"], row["timing_of_a_call"]["minimum_us"]) == (1, "dense", 1.0)
