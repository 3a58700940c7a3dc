"""What an engine takes, what it refuses, and what it says then."""

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sparsenet as sn
from sparsenet import storage
from sparsenet.engine.again import compile_again, cpu_kind
from sparsenet.lowering.choose import skips_nothing
from sparsenet_kernels.registry import find_kernel


@pytest.fixture(scope="module")
def net():
    r = np.random.default_rng(0)
    layers = [
        sn.Conv2d(r.integers(-2, 3, (4, 2, 3, 3)), r.integers(-2, 3, 4), padding=1),
        sn.MaxPool2d(2),
        sn.KWinners(2, scope="channels"),
        sn.Flatten(),
        sn.Linear(r.integers(-2, 3, (5, 36))),
    ]
    return sn.Network.sequential((2, 6, 6), layers)


@pytest.fixture(scope="module")
def engine(net):
    return sn.compile(net, batch=40, threads=2, progress=False)


def whole_numbers(samples, seed=1):
    return np.random.default_rng(seed).integers(-4, 5, (samples, 2, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("samples", [0, 1, 2, 15, 16, 17, 33, 40, 41, 80, 97])
def test_any_number_of_samples(net, engine, samples):
    """Also more than it was compiled for."""
    x = whole_numbers(samples)
    np.testing.assert_array_equal(engine(x), net.reference(x))


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("name", ["spoken-digits", "spoken-digits-float32"])
def test_samples_get_the_same_bits_however_many_come_together(name, batch):
    engine = sn.compile(sn.load(name), batch=batch, planner="predict", threads=2, progress=False)
    x = np.random.default_rng(2).uniform(-1, 1, (67, 1, 32, 32)).astype(np.float32)
    alone = np.concatenate([engine(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(engine(x), alone)


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.int8),
        lambda x: x.astype(np.float16),
        lambda x: x.astype(">f4"),
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1][::-1],
        lambda x: x.tolist(),
        lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape),
    ],
    ids=["float64", "int8", "float16", "big-endian", "fortran", "strided", "reversed", "list", "unaligned"],
)
def test_any_form_of_the_same_numbers(net, engine, form):
    x = whole_numbers(3)
    np.testing.assert_array_equal(engine(form(x)), net.reference(x))


def test_read_only_input_is_taken_and_left_alone(net, engine):
    x = whole_numbers(3)
    x.setflags(write=False)
    before = x.copy()
    np.testing.assert_array_equal(engine(x), net.reference(x))
    np.testing.assert_array_equal(x, before)


def test_results_do_not_share_memory(engine):
    x = whole_numbers(2)
    first = engine(x)
    kept = first.copy()
    engine(x + 1)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 2, 6, 7), np.float32), r"expected input of shape \(B, 2, 6, 6\), got \(1, 2, 6, 7\)"),
        (np.zeros((2, 6, 6), np.float32), "add the batch axis"),
        (np.zeros(()), "expected input of shape"),
    ],
)
def test_shapes_that_do_not_fit(engine, x, message):
    with pytest.raises(sn.SparsenetError, match=message):
        engine(x)


@pytest.mark.parametrize("x", [np.zeros((1, 2, 6, 6), complex), np.full((1, 2, 6, 6), "a"), None, "words"])
def test_what_is_not_numbers(engine, x):
    with pytest.raises(TypeError, match="expected an array of real numbers"):
        engine(x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("sample", [0, 7, 39])
@pytest.mark.parametrize("place", [(0, 0, 0), (1, 5, 5), (1, 2, 3)])
def test_numbers_that_are_not_finite(engine, bad, sample, place):
    x = whole_numbers(40).astype(np.float64)
    x[(sample, *place)] = bad
    with pytest.raises(sn.SparsenetError, match=f"finite input, got NaN or infinity first in sample {sample} of 40"):
        engine(x)
    assert np.isfinite(engine(whole_numbers(40))).all()


def test_the_sample_is_numbered_within_the_whole_call(engine):
    x = whole_numbers(100)
    x[77, 1, 2, 3] = np.nan
    with pytest.raises(sn.SparsenetError, match="first in sample 77 of 100"):
        engine(x)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"batch": 0}, sn.CompileError, "batch from 1"),
        ({"planner": "guess"}, sn.CompileError, 'planner "measure" or "predict"'),
        ({"examples": np.zeros((0, 2, 6, 6))}, sn.CompileError, "at least one example"),
        ({"examples": np.zeros((1, 5))}, sn.SparsenetError, "expected input of shape"),
        ({"batch": 1.5}, TypeError, "batch to be an integer"),
        ({"batch": True}, TypeError, "batch to be an integer"),
        ({"threads": 0}, sn.CompileError, "threads from 1"),
        ({"kernels": {"nowhere": "linear_f32_csc_active"}}, sn.CompileError, "linear1"),
        ({"kernels": {"linear1": "conv2d_f32_csc_active"}}, sn.CompileError, "'linear1': expected one of linear_f32"),
        ({"kernels": {"linear1": None}}, TypeError, "kernels by layer"),
        ({"kernels": ["linear1"]}, TypeError, "kernels by layer"),
    ],
)
def test_settings_that_cannot_be(net, settings, error, message):
    with pytest.raises(error, match=message):
        sn.compile(net, **settings)


@pytest.mark.parametrize(
    "take",
    [sn.compile, sn.fold_batchnorm, sn.what_if, storage.to_bytes, lambda net: sn.quantize(net, np.zeros((1, 4)))],
    ids=["compile", "fold_batchnorm", "what_if", "to_bytes", "quantize"],
)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("spoken-digits", r"load it first: sn.load\('spoken-digits'\)"),
        (Path("net.safetensors"), r"load it first: sn.load\('net.safetensors'\)"),
        (None, "NoneType; sn.load, sn.from_torch and sn.Network.sequential make one"),
    ],
    ids=["name", "path", "nothing"],
)
def test_what_is_no_network_is_told_how_to_become_one(take, given, message):
    with pytest.raises(TypeError, match=f"expected a Network, got .*{message}"):
        take(given)


def test_an_engine_is_compiled_already(engine):
    with pytest.raises(TypeError, match=r"it is compiled already, and its .network is the Network"):
        sn.compile(engine)


def test_a_torch_module_has_to_be_imported_first():
    nn = pytest.importorskip("torch.nn", reason="needs the extra train")
    with pytest.raises(TypeError, match=r"got the torch Linear; import it first: sn.from_torch\(module, example\)"):
        sn.compile(nn.Linear(2, 2))


def test_a_compiler_that_is_turned_off_is_named():
    script = (
        "import sparsenet as sn; net = sn.Network.sequential((4,), [sn.KWinners(2)]); net.reference([[1, 4, 3, 2]])\n"
        "try: sn.compile(net)\n"
        "except sn.CompileError as error: print(error)"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert "NUMBA_DISABLE_JIT is set; unset it" in done.stdout


def real_numbers(net, samples):
    return np.random.default_rng(3).standard_normal((samples, *net.input_shape)).astype(np.float32)


@pytest.mark.parametrize("planner", ["measure", "predict"])
def test_a_pickled_engine_keeps_its_plan(net, planner, monkeypatch):
    """The same kernels give the same bits, and nothing is timed again."""
    forced = {"linear1": "linear_f32_csc_active"}
    engine = sn.compile(net, batch=40, threads=2, planner=planner, kernels=forced, progress=False)
    data, x = pickle.dumps(engine), real_numbers(net, 40)
    monkeypatch.setattr("sparsenet.engine.compiling._measured", lambda *_: pytest.fail("it was timed"))
    again = pickle.loads(data)
    assert again.kernels == engine.kernels
    assert (again.batch, again.threads) == (engine.batch, engine.threads)
    np.testing.assert_array_equal(again(x), engine(x))
    assert again.__reduce__()[1][1:] == engine.__reduce__()[1][1:]


def test_on_another_kind_of_cpu_a_pickled_engine_is_planned_anew(net):
    slow = {"conv2d1": "conv2d_f32_dense_dense", "linear1": "linear_f32_dense_dense"}
    planned = {"kernels": None, "planner": "predict", "batch": 2, "threads": 1}
    fresh = sn.compile(net, **planned, progress=False)
    assert compile_again(net, planned, fresh.kernels | slow, ("another", "cpu")).kernels == fresh.kernels
    kept = compile_again(net, planned, fresh.kernels | slow, cpu_kind()).kernels
    assert {layer: kernel.removesuffix("__single") for layer, kernel in kept.items()} == slow


def test_a_plan_that_cannot_be_had_any_more_is_made_anew(net):
    planned = {"kernels": None, "planner": "predict", "batch": 2, "threads": 1}
    fresh = sn.compile(net, **planned, progress=False)
    gone = fresh.kernels | {"linear1": "linear_f32_dense_dense__of_a_user"}
    assert compile_again(net, planned, gone, cpu_kind()).kernels == fresh.kernels


def test_every_layer_with_weights_has_its_plan(engine):
    assert [choice.layer for choice in engine.plan] == ["conv2d1", "linear1"]
    for choice in engine.plan:
        assert choice.reason
        assert 0 <= choice.fill <= 1
        assert f"{choice.layer}" in engine._repr_html_()


def test_forced_kernels_are_used(net):
    chosen = sn.compile(net, kernels={"linear1": "linear_f32_complementary_active"}, progress=False).plan[1]
    assert (chosen.kernel, chosen.format, chosen.reason) == (
        "linear_f32_complementary_active",
        "complementary",
        "asked for",
    )


def test_a_plan_can_be_made_again(net, engine):
    again = sn.compile(net, batch=40, planner="predict", kernels=engine.kernels, progress=False)
    assert again.kernels == engine.kernels


def test_measuring_tries_the_dense_kernel_and_says_what_it_found(net):
    x = whole_numbers(70)
    for choice in sn.compile(net, batch=3, examples=x, planner="measure", progress=False).plan:
        assert any(skips_nothing(find_kernel(name)) for name in choice.measured_us)
        assert find_kernel(choice.kernel).base in choice.measured_us
        assert all(time_us > 0 for time_us in choice.measured_us.values())
        assert "measured" in choice.reason


def test_predicting_chooses_the_same_every_time(net):
    first, second = (sn.compile(net, planner="predict", progress=False) for _ in range(2))
    assert first.kernels == second.kernels


def test_forced_variants_are_used_or_refused(net):
    narrow = sn.compile(net, kernels={"linear1": "linear_f32_dense_dense__narrow"}, progress=False)
    assert narrow.kernels["linear1"] == "linear_f32_dense_dense__narrow"
    np.testing.assert_array_equal(narrow(whole_numbers(1)), net.reference(whole_numbers(1)))
    with pytest.raises(sn.CompileError, match="expected one of linear_f32_dense_dense__wide"):
        sn.compile(net, kernels={"linear1": "linear_f32_dense_dense__nonsense"})


def test_constants_may_not_be_written(engine):
    assert engine.program.constants
    for array in engine.program.constants:
        assert not array.flags.writeable
        assert array.ctypes.data % 64 == 0


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_what_takes_long_is_shown(monkeypatch):
    monkeypatch.setattr("sparsenet.progress.PATIENCE_S", -1.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    sn.compile(sn.Network.sequential((8,), [sn.KWinners(2), sn.Linear(np.eye(8))]), progress=True)
    assert "kernels for linear1" in sys.stderr.getvalue()
