import json

import pytest

from sparsenet_kernels.registry import kernels, registered_temporarily

MINE = """
from sparsenet_kernels import kernel

@kernel("relu", variant="mine", arguments="x f32[B, N]; out f32[B, N]")
def mine(x, out):
    for b in range(x.shape[0]):
        for n in range(x.shape[1]):
            out[b, n] = max(x[b, n], 0)
"""


def test_all_kernels_are_listed(run):
    outcome = run("kernels")
    assert (outcome.code, outcome.err) == (0, "")
    assert "linear_f32_blocks_active" in outcome.out
    assert {row["name"] for row in json.loads(run("kernels", "--json").out)} == set(kernels())


def test_one_kernel_is_shown(run):
    outcome = run("kernels", "linear_f32_csc_active")
    assert outcome.code == 0
    assert "def linear_f32_csc_active" in outcome.out
    shown = json.loads(run("kernels", "linear_f32_csc_active", "--json").out)
    assert shown["arguments"][0] == "columns i32[B, K]"
    assert sum(shown["code"]["instructions"].values()) > 10


def test_kernels_of_a_file_are_shown_with_their_source(run, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE, encoding="utf-8")
    with registered_temporarily():
        outcome = run("kernels", "relu_f32__mine", "--use", path)
        assert outcome.code == 0
        assert "max(x[b, n], 0)" in outcome.out
        assert "kernels_of_mine" in run("kernels", "--use", path).out


@pytest.mark.parametrize(
    ("name", "text"), [("mine.txt", ""), ("absent.py", None), ("idle.py", "x = 1"), ("broken.py", "\n1 / 0")]
)
def test_files_that_register_nothing_are_refused(run, tmp_path, name, text):
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    outcome = run("kernels", "--use", path)
    assert outcome.code == 2
    assert any(said in outcome.err for said in ("registers kernels", "it registers none", "in line 2: ZeroDivision"))


def test_a_file_that_leaves_is_refused(run, tmp_path):
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)", encoding="utf-8")
    outcome = run("bench", "--use", tmp_path / "leaves.py")
    assert (outcome.code, outcome.out) == (2, "")
    assert "SystemExit" in outcome.err


def test_an_unknown_kernel_is_one_sentence(run):
    outcome = run("kernels", "no_such")
    assert outcome.code == 2
    assert "expected the name of a kernel" in outcome.err
