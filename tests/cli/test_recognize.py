"""``sparsenet recognize``: rows and JSON as they come, failures beside them, names that fit."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from sparsenet.commands import recognize_command
from sparsenet.commands.short_names import short_names
from sparsenet.speech.recognize import Heard
from sparsenet.speech.recordings import recordings

soundfile = pytest.importorskip("soundfile", reason="needs the extra speech")

GOOD = recordings()[1].path


@pytest.fixture
def folder(tmp_path):
    """Make a folder with two good files and one that is none."""
    place = tmp_path / ("a folder with a long name " * 4).strip() / "words"
    place.mkdir(parents=True)
    for name in ("a.flac", "z.flac"):
        (place / name).write_bytes(GOOD.read_bytes())
    (place / "b.wav").write_bytes(b"garbage" * 9)
    return place


def test_rows_of_good_files_beside_one_that_failed(run, by_meaning, folder):
    outcome = run("recognize", folder)
    assert outcome.code == 1
    rows = [line.split() for line in outcome.out.splitlines()]
    assert [row[:2] for row in rows] == [["file", "heard"], ["a.flac", "one"], ["b.wav", "(failed)"], ["z.flac", "one"]]
    reason, count = outcome.err.splitlines()
    assert "b.wav" in reason
    assert reason.startswith("sparsenet: expected a WAV, FLAC or OGG file at ")
    assert count == "sparsenet: 1 of 3 files could not be heard"


def test_json_of_good_files_beside_one_that_failed(run, by_meaning, folder):
    outcome = run("recognize", folder, "--json")
    assert outcome.code == 1
    good, bad, last = json.loads(outcome.out)
    assert set(good) == set(last) == {"file", "heard", "confidence", "time_us", "at_s"}
    assert set(bad) == {"file", "error"}
    assert bad["file"] == str(folder / "b.wav")
    assert good["at_s"] == 0.0


@pytest.mark.parametrize("as_json", [False, True])
def test_what_was_heard_is_not_lost_when_somebody_stops(run, by_meaning, folder, monkeypatch, as_json):
    real = recognize_command.listen

    def listen(files, engine):
        yield next(real(files, engine))
        raise KeyboardInterrupt

    monkeypatch.setattr(recognize_command, "listen", listen)
    outcome = run("recognize", folder, *["--json"] * as_json)
    assert (outcome.code, outcome.err) == (130, "sparsenet: stopped\n")
    if as_json:
        assert [one["heard"] for one in json.loads(outcome.out)] == ["one"]
    else:
        assert outcome.out.splitlines()[1].split()[:2] == ["a.flac", "one"]


def test_each_row_is_written_when_it_is_there(run, by_meaning, folder, monkeypatch):
    written, flush = [], sys.stdout.flush

    def listen(files, engine):
        for path in files:
            yield Heard(str(path), "one", 0.5, 1.0, 0.0)
            written.append(sys.stdout.getvalue() if hasattr(sys.stdout, "getvalue") else flush())

    monkeypatch.setattr(recognize_command, "listen", listen)
    assert run("recognize", folder).code == 0
    assert len(written) == 3


def test_json_is_written_as_ever(run, by_meaning, folder):
    (folder / "b.wav").unlink()
    out = run("recognize", folder, "--json").out
    assert out == json.dumps(json.loads(out), indent=2) + "\n"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_row_is_one_line(run, by_meaning, folder, monkeypatch, columns):
    (folder / ("a name that is longer than the column " * 3 + ".flac")).write_bytes(GOOD.read_bytes())
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("recognize", folder).out.splitlines()
    assert len(lines) == 1 + 4
    assert max(map(len, lines)) <= columns
    assert any("..." in line for line in lines)


def test_all_files_failed(run, by_meaning, folder):
    for name in ("a.flac", "z.flac"):
        (folder / name).write_bytes(b"")
    outcome = run("recognize", folder)
    assert outcome.code == 1
    assert "3 of 3 files could not be heard" in outcome.err


def test_a_folder_of_one_file_is_told_of_like_any_folder(run, by_meaning, tmp_path):
    (tmp_path / "b.wav").write_bytes(b"x")
    outcome = run("recognize", tmp_path, "--json")
    assert outcome.code == 1
    assert [set(one) for one in json.loads(outcome.out)] == [{"file", "error"}]


def test_nothing_at_any_path(run, tmp_path):
    outcome = run("recognize", tmp_path / "a.wav", tmp_path / "b.wav")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "a.wav" in outcome.err
    assert "b.wav" in outcome.err


def test_a_long_recording_says_what_the_row_is(run, by_meaning, tmp_path):
    waveform, rate_hz = soundfile.read(GOOD)
    soundfile.write(tmp_path / "long.wav", np.tile(waveform, 3), rate_hz)
    outcome = run("recognize", tmp_path / "long.wav")
    assert (outcome.code, outcome.err) == (0, "")
    assert "the most confident window" in " ".join(outcome.out.split())
    assert "not what this command does" in " ".join(outcome.out.split())
    assert "confident window" not in run("recognize", GOOD).out
    assert len(json.loads(run("recognize", tmp_path / "long.wav", "--json").out)) == 1


def test_a_file_that_ends_early_is_heard_and_said(run, by_meaning, tmp_path):
    waveform, rate_hz = soundfile.read(GOOD)
    path = tmp_path / "cut.wav"
    soundfile.write(path, waveform, rate_hz)
    path.write_bytes(path.read_bytes()[:-100])
    outcome = run("recognize", path)
    assert outcome.code == 0
    assert outcome.err == (
        f"sparsenet: {path}: the file ends early: of 32,000 bytes of sound 31,900 are there, and are read\n"
    )
    assert json.loads(run("recognize", path, "--json").out)[0]["warning"].startswith("the file ends early")


def test_names_are_relative_and_shortened_in_the_middle():
    paths = [Path("/a/b/c.wav"), Path("/a/b/d/e.wav")]
    assert short_names(paths, 20) == ["c.wav", str(Path("d/e.wav"))]
    (name,) = short_names([Path("/a/" + "x" * 50 + "_take_2.wav")], 20)
    assert len(name) == 20
    assert name.endswith("_take_2.wav")
