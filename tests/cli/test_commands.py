import json
import re

import pytest

import sparsenet
from sparsenet.bench import spoken_digits
from sparsenet.bench.spoken_digits import NAMES, accuracy_text
from sparsenet.models import BUNDLED, load
from sparsenet.speech.recordings import recordings

pytest.importorskip("soundfile", reason="needs the extra speech")

ONE = recordings()[1].path
FOLDER = ONE.parent


def test_help_lists_the_commands(run):
    for arguments in ((), ("--help",)):
        outcome = run(*arguments)
        assert outcome.code == 0
        listed = re.findall(r"│ ([\w-]+) {2,}", outcome.out)
        for command in ("demo", "recognize", "inspect", "bench", "gpu-study", "profile", "roofline", "residency"):
            assert command in listed
        for command in ("energy", "explain", "what-if", "crossover", "kernels", "info"):
            assert command in listed


def test_inspect_shows_accuracy_before_and_after_rounding(run):
    shown = " ".join(run("inspect", "spoken-digits").out.split())
    details = load("spoken-digits").details
    for entry in (details["accuracy"][0], details["float32"]["accuracy"][0]):
        assert f"{entry['share_right'] * 100:.1f} % right of {entry['samples']}" in shown


def test_version(run):
    outcome = run("--version")
    assert (outcome.code, outcome.out) == (0, f"sparsenet {sparsenet.__version__}\n")


def test_recognize_prints_a_table(run, by_meaning):
    outcome = run("recognize", ONE)
    assert outcome.code == 0
    assert outcome.err == ""
    assert re.search(r"one_allison.flac +one +\d+\.\d%", outcome.out)


def test_recognize_prints_exactly_the_promised_json(run, by_meaning):
    outcome = run("recognize", FOLDER, "--json", "--model", "spoken-digits")
    answers = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (0, "")
    assert len(answers) == len(recordings())
    for answer in answers:
        assert set(answer) == {"file", "heard", "confidence", "time_us", "at_s"}
        assert 0 < answer["confidence"] <= 1
        assert answer["time_us"] > 0
    by_file = {answer["file"]: answer["heard"] for answer in answers}
    right = [by_file[str(one.path)] == one.label for one in recordings()]
    assert sum(right) >= 16


def test_recognize_takes_a_path_as_model(run, by_meaning, tmp_path):
    load("spoken-digits").save(tmp_path / "mine.safetensors")
    answers = json.loads(run("recognize", ONE, "--model", tmp_path / "mine.safetensors", "--json").out)
    assert [answer["heard"] for answer in answers] == ["one"]


@pytest.mark.parametrize("model", BUNDLED)
def test_inspect_prints_card_layers_and_work(run, model):
    outcome = run("inspect", model)
    assert (outcome.code, outcome.err) == (0, "")
    for expected in ("Spoken digits", "accuracy", "provenance", "licence", "64x28x28", "13,912,400", "conv2"):
        assert expected in outcome.out


def test_inspect_prints_json(run):
    shown = json.loads(run("inspect", "spoken-digits", "--json").out)
    assert shown["labels"][:3] == ["silence", "unknown", "zero"]
    assert shown["total"]["dense"] == sum(layer["dense"] for layer in shown["layers"]) == 13_912_400
    assert shown["total"]["twice"] < shown["total"]["weight_sparse"] < shown["total"]["dense"]
    assert shown["total"]["twice_ratio"] == shown["total"]["dense"] / shown["total"]["twice"]
    assert shown["details"]["front_end"]["bands"] == 32
    assert [layer["kind"] for layer in shown["layers"]][-2:] == ["KWinners", "Linear"]


def test_inspect_of_a_network_that_says_nothing_of_itself(run, tmp_path):
    from sparsenet.graph.network import Network
    from sparsenet.layers import ReLU

    Network.sequential((3,), [ReLU()]).save(tmp_path / "bare.safetensors")
    outcome = run("inspect", tmp_path / "bare.safetensors")
    assert outcome.code == 0
    assert "No multiplication is left." in outcome.out
    assert json.loads(run("inspect", tmp_path / "bare.safetensors", "--json").out)["total"]["twice_ratio"] is None


def test_inspect_shows_details_of_any_shape_without_being_steered(run, tmp_path):
    from sparsenet.graph.network import Network
    from sparsenet.layers import ReLU

    details = {"title": "\x1b[2J", "accuracy": {"a": 0.5}, "licence": ["x", {"y": "[red]"}], "task": 5}
    Network.sequential((3,), [ReLU()], details=details).save(tmp_path / "odd.safetensors")
    outcome = run("inspect", tmp_path / "odd.safetensors")
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
    for expected in ("a: 0.5", "y: [red]", "5"):
        assert expected in outcome.out


def test_info(run):
    assert "threading layer" in run("info").out
    about = json.loads(run("info", "--json").out)
    assert about["usable_cores"] >= 1


@pytest.fixture
def few_samples(monkeypatch):
    """Race with one batch instead of four: by meaning each sample takes a while."""
    monkeypatch.setattr(spoken_digits, "SAMPLES", 64)


@pytest.mark.usefixtures("by_meaning", "few_samples")
def test_demo_prints_what_is_heard_and_the_race(run):
    outcome = run("demo", "--rounds", "1")
    assert (outcome.code, outcome.err) == (0, "")
    for recording in recordings():
        assert recording.file in outcome.out
    assert re.search(r"\d+ of 10 digits spoken by a person are right", outcome.out)
    names = "|".join(NAMES.values())
    assert len(re.findall(rf"^ +(?:1|64) +(?:{names}), sparsenet", outcome.out, re.MULTILINE)) == 2 * len(NAMES)
    for expected in (
        "Not equal:",
        "Measured on",
        "numba",
        "/18 ",
        accuracy_text(load("spoken-digits").details).partition(" of")[0],
    ):
        assert expected in outcome.out


@pytest.mark.usefixtures("by_meaning", "few_samples")
def test_demo_prints_json(run):
    shown = json.loads(run("demo", "--rounds", "1", "--json").out)
    assert set(shown) == {"recordings", "human_digits", "comparison", "info"}
    assert shown["human_digits"]["of"] == 10
    assert shown["human_digits"]["right"] >= 8
    rows = shown["comparison"]["rows"]
    here = [(row["network"], row["batch"]) for row in rows if row["engine"] == "sparsenet"]
    assert here == [(name, batch) for batch in (1, 64) for name in NAMES.values()]
    for row in rows:
        assert row["of"] == 18
        assert row["timing"]["minimum_us"] <= row["timing"]["median_us"] <= row["timing"]["p99_us"]
    for name in NAMES.values():
        right = {row["right"] for row in rows if row["network"] == name}
        assert len(right) == 1  # one function, whatever the engine and the batch
