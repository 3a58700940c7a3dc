"""Many callers at once, forked children, and every threading layer: never a wrong answer, never the end of the process.

Numba chooses its threading layer once in a process, so each is tried in a process of its own.
"""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import sparsenet as sn
from sparsenet.engine import threads
from sparsenet.machine.threading_layer import ThreadingLayer


@pytest.fixture(scope="module")
def net():
    r = np.random.default_rng(0)
    layers = [sn.Linear(r.integers(-2, 3, (30, 20))), sn.KWinners(5), sn.Linear(r.integers(-2, 3, (4, 30)))]
    return sn.Network.sequential((20,), layers)


def inputs(seed, samples):
    return np.random.default_rng(seed).integers(-4, 5, (samples, 20)).astype(np.float32)


def test_many_threads_call_one_engine(net):
    engine = sn.compile(net, batch=200, threads=2, planner="predict", progress=False)
    xs = [inputs(seed, samples) for seed, samples in enumerate([1, 200, 33, 7, 64, 199, 2, 100] * 6)]
    with ThreadPoolExecutor(8) as pool:
        ys = list(pool.map(engine, xs))
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_array_equal(y, net.reference(x))


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_the_number_of_threads_changes_no_bit(net, threads):
    x = inputs(3, 120) / 3
    alone = sn.compile(net, batch=120, threads=1, planner="predict", progress=False)(x)
    np.testing.assert_array_equal(
        sn.compile(net, batch=120, threads=threads, planner="predict", progress=False)(x), alone
    )


def test_the_split_into_batches_changes_no_bit(net):
    engine = sn.compile(
        net, batch=64, threads=1, kernels={"linear1": "linear_f32_dense_dense"}, planner="predict", progress=False
    )
    x = inputs(4, 64) / 3
    whole = engine(x)
    parts = np.concatenate([engine(x[:5]), engine(x[5:6]), engine(x[6:])])
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_may_use_the_engine(net):
    engine = sn.compile(net, batch=120, threads=2, planner="predict", progress=False)
    x = inputs(5, 120)
    expected = engine(x)  # the parent has started its threads
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(engine(x), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0


SCRIPT = """
    import sys, os, warnings
    import numba
    numba.config.THREADING_LAYER = sys.argv[1]
    from concurrent.futures import ThreadPoolExecutor
    import numpy as np
    import sparsenet as sn
    from sparsenet.engine.threads import ends_cleanly
    net = sn.Network.sequential((20,), [sn.Linear(np.ones((30, 20))), sn.KWinners(5)])
    try:
        engine = sn.compile(net, batch=200, threads=2, planner="predict", progress=False)
    except sn.CompileError as error:
        sys.exit(42 if "threading layer" in str(error) else 1)
    x = np.ones((200, 20), np.float32)
    expected = engine(x)
    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(y, expected) for y in pool.map(engine, [x] * 200))
    if hasattr(os, "fork"):
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(engine(x), expected) else 1)
        assert os.waitpid(child, 0)[1] == 0
    print(numba.threading_layer() if ends_cleanly() else sys.argv[1])
"""


@pytest.mark.parametrize("layer", ["workqueue", "omp", "tbb"])
def test_every_threading_layer(layer):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), layer], capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode == 42:
        pytest.skip(f"Numba finds no {layer} threading layer here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == layer


def test_tbb_is_left_alone_where_it_makes_no_thread(net, monkeypatch):
    """A thread that starts it there leaves a process that never ends: numba issue 10556."""
    monkeypatch.setattr(threads, "whole_cores", lambda: 1)
    monkeypatch.setattr(threads, "threading_layer", lambda: ThreadingLayer("tbb", thread_safe=True, fork_safe=True))
    monkeypatch.setattr(threads, "claim_threads", lambda: pytest.fail("threads were started"))
    engine = sn.compile(net, batch=200, threads=2, planner="predict", progress=False)
    assert engine._parallel is engine._serial
    monkeypatch.undo()
    x = inputs(6, 200)
    np.testing.assert_array_equal(engine(x), net.reference(x))


KEEPS_TORCHS_THREADS = """
import numpy as np, torch
import sparsenet as sn

for threads in (1, 3):
    torch.set_num_threads(threads)
    engine = sn.compile(
        sn.Network.sequential((30,), [sn.Linear(np.ones((30, 30)))]), batch=256, threads=2, planner="predict"
    )
    engine(np.ones((256, 30), np.float32))
    assert torch.get_num_threads() == threads, torch.get_num_threads()
"""


@pytest.mark.parametrize("layer", ["omp", "tbb", "workqueue"])
def test_torch_keeps_its_number_of_threads(layer):
    pytest.importorskip("torch", reason="needs the extra train")
    script = "from sparsenet.machine.threading_layer import _loads, has_tbb\n"
    script += f"if not has_tbb() and {layer!r} == 'tbb' or not _loads({layer!r}): raise SystemExit\n"
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer}
    subprocess.run([sys.executable, "-c", script + KEEPS_TORCHS_THREADS], env=environment, check=True)
