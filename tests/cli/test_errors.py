"""Whatever is wrong is one sentence on the standard error and exit code 2, never a traceback."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import sparsenet
from sparsenet.cli import app
from sparsenet.speech import audio
from sparsenet.speech.recordings import recordings

ONE = recordings()[1].path


def assert_sorry(outcome, *said):
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("sparsenet: ")
    assert outcome.err.endswith("\n")
    assert outcome.err.count("\n") == 1
    assert "Traceback" not in outcome.err
    for part in said:
        assert part in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("recognize", "no-such-file.wav"), "no-such-file.wav"),
        (("recognize", ONE, "--model", "nobody"), "spoken-digits"),
        (("recognize",), "FILE|DIR"),
        (("recognize", ONE, "--nonsense"), "--nonsense"),
        (("inspect", "nobody"), "expected the path of a network or one of spoken-digits"),
        (("inspect", "a", "b"), "b"),
        (("demo", "--rounds", "0"), "rounds"),
        (("demo", "--rounds", "many"), "rounds"),
        (("nonsense",), "nonsense"),
        (("--nonsense",), "--nonsense"),
    ],
)
@pytest.mark.parametrize("json", [False, True])
def test_wrong_arguments(run, arguments, said, json):
    assert_sorry(run(*arguments, *(["--json"] if json and len(arguments) > 1 else [])), said)


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt, 130, "stopped"),
        (MemoryError("9 GiB"), 2, "there is not enough memory: 9 GiB"),
        (OSError(28, "No space left on device", "x.json"), 2, "No space left on device: x.json"),
    ],
)
def test_what_ends_a_command_early(run, monkeypatch, raised, code, said):
    def broken(*_):
        raise raised

    monkeypatch.setattr("sparsenet.commands.info_command.show_info", broken)
    outcome = run("info")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", f"sparsenet: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bench", "--plot", "race.xyz"), "ends with .png, .svg or .pdf"),
        (("roofline", "--plot", "no-such-folder/roof.svg"), "a folder that exists"),
        (("crossover", "--plot", "."), ".png, .svg or .pdf"),
        (("bench", "--record", "."), "a folder that exists"),
        (("gpu-study", "--record", "no-such-folder/gpu.json"), "a folder that exists"),
    ],
)
def test_where_nothing_can_be_written_is_said_at_once(run, arguments, said):
    assert_sorry(run(*arguments), said)


@pytest.mark.parametrize("data", [b"", b"not sound", b"RIFF\x00\x00\x00\x00WAVE", b"\x00" * 4096])
def test_files_that_are_not_sound(run, by_meaning, tmp_path, data):
    pytest.importorskip("soundfile", reason="needs the extra speech")
    (tmp_path / "wrong.wav").write_bytes(data)
    assert_sorry(run("recognize", tmp_path / "wrong.wav"), "wrong.wav")


def test_a_folder_without_sound(run, by_meaning, tmp_path):
    assert_sorry(run("recognize", tmp_path), "found none")


@pytest.mark.parametrize("data", [b"", b"garbage", b"\xff" * 64, np.int64(2).tobytes() + b"{}", b"\x00" * 4096])
@pytest.mark.parametrize("command", ["inspect", "recognize"])
def test_files_that_are_not_networks(run, tmp_path, data, command):
    (tmp_path / "wrong.safetensors").write_bytes(data)
    arguments = ("inspect",) if command == "inspect" else ("recognize", ONE, "--model")
    assert_sorry(run(*arguments, tmp_path / "wrong.safetensors"), "expected")


def test_the_terminal_is_not_steered_by_a_name(run):
    outcome = run("inspect", "a\x1b[2J\nb")
    assert_sorry(outcome, "[2J")
    assert "\x1b" not in outcome.err


def test_a_folder_is_no_network(run, tmp_path):
    assert_sorry(run("inspect", tmp_path))


def test_a_network_that_was_not_made_for_sound(run, tmp_path):
    from sparsenet.graph.network import Network
    from sparsenet.layers import ReLU

    Network.sequential((3,), [ReLU()]).save(tmp_path / "small.safetensors")
    assert_sorry(run("recognize", ONE, "--model", tmp_path / "small.safetensors"), "front_end")


def test_soundfile_that_is_not_installed(run, by_meaning, monkeypatch):
    def missing():
        raise ModuleNotFoundError('reading sound files needs soundfile; pip install "sparsenet[speech]"')

    monkeypatch.setattr(audio, "_soundfile", missing)
    assert_sorry(run("recognize", ONE), 'pip install "sparsenet[speech]"')


def test_a_mistake_of_ours_stays_a_traceback(monkeypatch):
    """Only what the user can mend becomes a sentence."""

    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(sparsenet, "compile", broken)
    result = CliRunner().invoke(app, ["recognize", str(ONE)])
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize("arguments", [["inspect", "spoken-digits"], ["info"], ["info", "--json"]])
def test_typers_own_runner(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 0


def sparsenet_process(*arguments, **environment):
    command = [sys.executable, "-m", "sparsenet", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"} | environment,
    )


def test_a_process_of_its_own():
    done = sparsenet_process("inspect", "spoken-digits")
    assert (done.returncode, done.stderr) == (0, "")
    assert "13,912,400" in done.stdout
    assert "\x1b" not in done.stdout  # a pipe gets no colours


def test_a_process_of_its_own_compiles_and_hears():
    pytest.importorskip("soundfile", reason="needs the extra speech")
    done = sparsenet_process("recognize", ONE, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [answer["heard"] for answer in json.loads(done.stdout)] == ["one"]


def test_a_process_of_its_own_that_fails():
    done = sparsenet_process("inspect", "nobody")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_terminal_that_knows_only_ascii():
    done = sparsenet_process("recognize", "--help", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_line_starts_without_anything_heavy():
    heavy = ("soundfile", "torch", "onnx", "onnxruntime", "scipy.signal", "sparsenet.bench", "sparsenet.speech")
    code = f"import sys, sparsenet.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
