"""A process that forks while its other threads compile: every child works, or says in seconds why it does not.

Each case runs in a process of its own with a limit: a hang is a failure. Nothing is read from the cache of other tests,
so that there is much to compile, with helpers, when the forks come.
"""

import os
import random
import subprocess
import sys
import textwrap

import pytest
from hypothesis import settings

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
    pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="nothing is compiled"),
]

LONGEST_S = 240
"""For a whole case; each takes some ten."""

BEGIN = """
    import os, signal, sys, threading, time, warnings
    import numpy as np
    import sparsenet as sn
    from sparsenet_kernels import forks
    forks.LONGEST_WAIT_S = 1000  # however busy the machine is
    warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads, which is what is tried

    def network(seed):
        r = np.random.default_rng(seed)
        weight = r.integers(-2, 3, (16, 2, 3, 3)) * (r.random((16, 2, 3, 3)) < 0.5)
        layers = [sn.Conv2d(weight), sn.KWinners(3, scope="channels"), sn.MaxPool2d(2), sn.Flatten()]
        return sn.Network.sequential((2, 6, 6), [*layers, sn.Linear(r.integers(-2, 3, (5, 64)))])

    def is_right(net, **how):
        x = np.random.default_rng(1).integers(-4, 5, (3, *net.input_shape)).astype(np.float32)
        return np.array_equal(sn.compile(net, batch=3, progress=False, **how)(x), net.reference(x))

    def child(function):
        pid = os.fork()
        if pid == 0:
            signal.alarm(100)
            os._exit(0 if function() else 1)
        return pid

    def ended(pids):
        return {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids}
"""

AT_MANY_MOMENTS = """
    small = sn.Network.sequential((4,), [sn.ReLU()])
    def compiled():
        sn.compile(network(1), threads=2, batch=40, planner="predict")

    threads = [threading.Thread(target=compiled) for _ in range(2)]
    for thread in threads:
        thread.start()
    pids = []
    for pause in sys.argv[1:]:
        time.sleep(float(pause))
        pids.append(child(lambda: is_right(small, planner="predict")))
    for thread in threads:
        thread.join()
    pids.append(child(lambda: is_right(network(1), planner="predict", threads=2)))
    assert is_right(network(1), planner="predict", threads=2)
    assert ended(pids) == {0}
"""

A_CHILD_THAT_STAYS = """
    thread = threading.Thread(target=lambda: sn.compile(network(1), threads=2, batch=40, planner="predict"))
    thread.start()
    pids = []
    for pause in sys.argv[1:]:
        time.sleep(float(pause))
        pids.append(child(lambda: time.sleep(1000)))
    thread.join(100)
    assert not thread.is_alive(), "it waits for a child"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert ended(pids) == {-signal.SIGKILL}
"""

A_CHILD_THAT_DID_NOT_WAIT = """
    from numba.core.compiler_lock import global_compiler_lock
    forks.LONGEST_WAIT_S = 0.2
    net = network(1)
    engine, x = sn.compile(net, planner="predict"), np.ones((1, *net.input_shape), np.float32)
    held, done = threading.Event(), threading.Event()

    def compile_long():
        with global_compiler_lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=compile_long)
    thread.start()
    held.wait()

    def is_refused():
        if not np.array_equal(engine(x), net.reference(x)):
            return False
        try:
            sn.compile(net)
        except sn.CompileError as error:
            return "was forked while another thread compiled" in str(error)

    pids = [child(is_refused)]
    done.set()
    thread.join()
    pids.append(child(lambda: is_right(net, planner="predict")))
    assert ended(pids) == {0}
    assert is_right(net, planner="predict")
"""


def pauses(count, seed):
    """Draw moments from right at the start, when modules are imported, to when the last kernels are compiled."""
    r = random.Random(seed)
    return [f"{r.choice([0.02, 0.3, 0.6]) * r.random():.3f}" for _ in range(count)]


def run(script, *arguments, cache=None):
    environment = {**os.environ, **({"SPARSENET_CACHE_DIR": str(cache)} if cache else {})}
    command = [sys.executable, "-c", textwrap.dedent(BEGIN) + textwrap.dedent(script), *arguments]
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, timeout=LONGEST_S, check=False)
    assert done.returncode == 0, f"with {arguments}: {done.stderr}"


@pytest.mark.parametrize("seed", range(max(1, settings().max_examples // 40)))
def test_children_forked_at_any_moment_compile(tmp_path, seed):
    run(AT_MANY_MOMENTS, *pauses(6, seed), cache=tmp_path)


def test_a_child_that_stays_keeps_no_helper_alive(tmp_path):
    run(A_CHILD_THAT_STAYS, *pauses(6, 0), cache=tmp_path)


def test_a_child_that_did_not_wait_says_so():
    run(A_CHILD_THAT_DID_NOT_WAIT)
