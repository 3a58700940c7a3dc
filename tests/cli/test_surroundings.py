"""Closed streams, full disks, readers that go, terminals of no width: a sentence at most, and the right code."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from sparsenet import command_line
from sparsenet.cli import app, main
from sparsenet.graph.network import Network
from sparsenet.layers import KWinners, Linear
from sparsenet.speech.recordings import recordings

COMMANDS = tuple(sorted(typer.main.get_command(app).commands))
ONE = recordings()[1].path
QUICK = {
    "crossover": ("--sizes", "64", "--batches", "1", "--densities", "0.1", "--active", "0.1", "--no-measure"),
    "explain": ("MODEL", "--no-measure"),
    "info": (),
    "inspect": ("MODEL",),
    "kernels": (),
    "recognize": (ONE,),
    "what-if": ("MODEL", "--density", "0.5"),
}
"""Commands that measure nothing."""

linux = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")


@pytest.fixture
def arguments(tmp_path, request):
    """Give the arguments of a quick command."""
    path = tmp_path / "small.safetensors"
    Network.sequential((8,), [KWinners(2), Linear([[1.0] * 7 + [0.0]] * 4)]).save(path)

    def arguments(command):
        if command == "recognize":
            pytest.importorskip("soundfile", reason="needs the extra speech")
            request.getfixturevalue("by_meaning")
        return [command, *(str(path) if one == "MODEL" else str(one) for one in QUICK[command])]

    return arguments


@pytest.fixture
def leave(monkeypatch):
    """Run the command line with streams of its own, and give its exit code."""

    def leave(arguments, stdout, stderr):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stdout)
            patched.setattr(sys, "stderr", stderr)
            with pytest.raises(SystemExit) as left:
                main(arguments)
        return left.value.code

    return leave


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("command", QUICK)
def test_closed_streams(leave, arguments, command, as_json):
    everything = [*arguments(command), *["--json"] * as_json]
    out, err = io.StringIO(), io.StringIO()
    assert leave(everything, None, err) == 0
    assert err.getvalue() == ""
    assert leave(everything, out, None) == 0
    assert out.getvalue()
    assert leave(everything, None, None) == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_wrong_is_not_printed_where_results_are(leave, command):
    out = io.StringIO()
    assert leave([command, "--nonsense"], out, None) == 2
    assert out.getvalue() == ""
    assert leave([command, "-h"], out, None) == 0
    assert leave([command, "--help"], None, None) == 0


class Refusing(io.StringIO):
    """A stream that takes something and then no more, as a full disk or a pipe that nobody reads."""

    def __init__(self, error, room):
        super().__init__()
        self.error, self.room = error, room

    def write(self, text):
        self.room -= len(text)
        if self.room < 0:
            raise self.error
        return len(text)

    def flush(self):
        if self.room < 0:
            raise self.error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BrokenPipeError(32, "Broken pipe"), command_line.PIPE_CLOSED, ""),
        (OSError(28, "No space left on device"), 2, "sparsenet: No space left on device\n"),
    ],
)
@pytest.mark.parametrize(("as_json", "room"), [(False, 0), (False, 99), (True, 50)])
@pytest.mark.parametrize("command", QUICK)
def test_a_reader_that_goes_and_a_disk_that_is_full(leave, arguments, command, as_json, room, error, code, said):
    err = io.StringIO()
    assert leave([*arguments(command), *["--json"] * as_json], Refusing(error, room), err) == code
    assert err.getvalue() == said


def test_an_error_that_cannot_be_said(leave):
    assert leave(["inspect", "nobody"], io.StringIO(), Refusing(OSError(28, "No space left on device"), 0)) == 2


@linux
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("info > /dev/full", 2, "sparsenet: No space left on device\n"),
        ("inspect spoken-digits --json > /dev/full", 2, "sparsenet: No space left on device\n"),
        ("inspect spoken-digits-dense >&-", 0, ""),
        ("inspect nobody 2>&- >&- <&-", 2, ""),
        ("inspect spoken-digits --json | true; exit ${PIPESTATUS[0]}", None, ""),
    ],
)
def test_a_process_with_real_streams(line, code, said):
    command = f"{sys.executable} -m sparsenet {line}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", said)
    # who reads may go before or after everything is written
    assert done.returncode in ((0, command_line.PIPE_CLOSED) if code is None else (code,))


@pytest.mark.parametrize("columns", ["0", "-5", "", "1e3", "²", "00", "99999999999999999999", " 80 "])
@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
def test_sizes_that_no_terminal_has_are_as_if_not_set(run, monkeypatch, name, columns):
    monkeypatch.delenv("COLUMNS")
    expected = [run("info").out, run("bench", "-h").out]
    for argument, text in (("info", expected[0]), ("bench", expected[1])):
        monkeypatch.setenv(name, columns)
        outcome = run(argument, *["-h"] * (argument == "bench"))
        assert (outcome.code, outcome.err, len(outcome.out)) == (0, "", len(text))


@pytest.mark.parametrize("columns", [1, 3, 9])
def test_a_terminal_too_narrow_for_any_table_is_as_if_not_set(run, monkeypatch, columns):
    monkeypatch.delenv("COLUMNS")
    wide = run("info").out
    monkeypatch.setenv("COLUMNS", str(columns))
    assert len(run("info").out) == len(wide)


@pytest.mark.parametrize("columns", [1, 12])
@pytest.mark.parametrize("command", QUICK)
def test_the_narrowest_terminals_show_something(run, arguments, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = run(*arguments(command))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.strip()


@pytest.mark.parametrize("term", ["", "dumb", "unknown", "xterm-256color", "\x1b[2J"])
def test_any_name_of_a_terminal(run, monkeypatch, term):
    monkeypatch.setenv("TERM", term)
    outcome = run("info")
    assert (outcome.code, outcome.err) == (0, "")
    assert "threading layer" in outcome.out


@pytest.mark.parametrize("command", COMMANDS)
def test_h_is_help(run, command):
    assert run(command, "-h").out == run(command, "--help").out


def test_h_of_the_whole(run):
    assert run("-h").out == run("--help").out
    assert os.environ["COLUMNS"]  # which is left as it is where it makes sense


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspect", "spoken-digit"), "did you mean 'spoken-digits'?"),
        (("profile", "Spoken-Digits-float"), "did you mean 'spoken-digits-float32'?"),
        (("bench", "--layers", "resnet"), "did you mean 'resnet50'?"),
        (("kernels", "linear_f32_csc_activ"), "did you mean 'linear_f32_csc_active'?"),
        (("what-if", "spoken-digits", "--family", "block"), "did you mean 'blocks'?"),
        (("insepct",), "inspect"),
        (("info", "--jsno"), "--json"),
    ],
)
def test_what_is_nearly_right_is_named(run, arguments, said):
    outcome = run(*arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert said in outcome.err


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"crossover", "demo", "gpu-study", "info"}))
def test_an_empty_name_is_no_name(run, command):
    """As a script has it whose variable is not set."""
    outcome = run(command, "")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "expected" in outcome.err
