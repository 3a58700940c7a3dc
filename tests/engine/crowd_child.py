"""Threads that compile, call, fork and make mistakes for a time: ``python crowd_child.py SECONDS SEED THREADS``.

Every answer has the bits of an answer that was computed alone; every mistake is an error of ours; every child ends. A
thread or a child that does nothing for LONGEST_S is a hang: all stacks are shown, and the process ends. Prints JSON.
"""

import faulthandler
import json
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections import Counter

import numpy as np
from storage.mutations import one_of_each_kind
from storage.samples import branched, masked, quantized, speech_like

import sparsenet as sn
from sparsenet_kernels.forks import kept_property
from sparsenet_kernels.registry import Kernel, kernels

LONGEST_S = 200
BATCH = 20

np.set_printoptions(threshold=40)

warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads, which is what is tried


class Crowd:
    """What the threads share: networks with their engines, inputs and right answers, and what has happened."""

    def __init__(self, seconds):
        nets = [*one_of_each_kind().values(), branched(), masked(), quantized(), speech_like()]
        self.cases = [case_of(net, seed) for seed, net in enumerate(nets)]
        self.ends_s = time.monotonic() + seconds
        self.counts, self.failures = Counter(), []
        self.seen_s = {}
        self.old_steps = []

    def work(self, seed):
        """Do one thing after the other until the time is over."""
        r = random.Random(seed)
        while time.monotonic() < self.ends_s and not self.failures:
            self.seen_s[seed] = time.monotonic()
            try:
                what = r.choice([call] * 12 + [compile_and_call] * 4 + [mistake] * 2 + [fork] * 4 + [forget])
                what(self, r)
                self.counts[what.__name__] += 1
            except BaseException as error:
                self.failures.append(f"{what.__name__}: {type(error).__name__}: {error}")
        self.seen_s.pop(seed, None)

    def watch(self, threads):
        """Wait for the threads; end the process where one hangs."""
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.1)
            late = [seed for seed, seen_s in list(self.seen_s.items()) if time.monotonic() - seen_s > LONGEST_S]
            if late:
                print(f"thread {late[0]} hangs; so far {dict(self.counts)}", file=sys.stderr)
                faulthandler.dump_traceback(all_threads=True)
                os._exit(3)


def case_of(net, seed):
    """Return a network, an engine, and batches with their answers: how inputs are cut may change the last bits."""
    x = np.random.default_rng(seed).integers(-8, 9, (BATCH, *net.input_shape)).astype(net.inputs[net.input].dtype)
    x = x / np.float32(4) if x.dtype == np.float32 else x
    engine = sn.compile(net, batch=BATCH, threads=2, planner="predict", progress=False)
    batches = [x, x[:1], x[3:3], x[2:19], x[1:9]]
    return net, engine, [(batch, engine(batch)) for batch in batches]


def check(engine, answers, r):
    """Call an engine on some inputs, and hold its answer against the right one."""
    x, expected = r.choice(answers)
    got = engine(x)
    assert np.array_equal(got, expected), f"{engine}, {len(x)} samples: {got} instead of {expected}"


def call(crowd, r):
    """Call one of the engines that all share."""
    _, engine, answers = r.choice(crowd.cases)
    check(engine, answers, r)


def compile_and_call(crowd, r):
    """Compile a network anew, in one of the ways that give the same bits, and call it."""
    net, engine, answers = r.choice(crowd.cases)
    how = {"threads": r.choice([1, 2]), "planner": r.choice(["predict", "predict", "measure"])}
    check(sn.compile(net, batch=BATCH, kernels=engine.kernels, progress=False, **how), answers, r)


def mistake(crowd, r):
    """Give what no network takes; the error is one of ours."""
    _, engine, answers = r.choice(crowd.cases)
    x = answers[0][0]
    wrong = x.astype(np.float32)  # which no input of whole numbers takes
    wrong[r.randrange(BATCH)] = r.choice([np.nan, np.inf])
    try:
        engine(r.choice([wrong, x[:, :0]]))
    except (sn.SparsenetError, TypeError):
        return
    raise AssertionError("a mistake was taken")


def forget(crowd, r):
    """Forget the compiled code of a kernel, so that it is read or compiled again; engines that use it keep it."""
    kernel = r.choice([kernel for kernel in kernels().values() if "step" in vars(kernel)])
    crowd.old_steps.append(vars(kernel).pop("step", None))


def fork(crowd, r):
    """Fork a child that does what the others do, or dies in the middle of it."""
    seed, dies = r.random(), r.random()
    pid = os.fork()
    if pid == 0:
        child(crowd, random.Random(seed), dies)
    if dies < 0.2:
        time.sleep(dies)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    ended = os.waitstatus_to_exitcode(status)
    assert ended == 0 or (dies < 0.4 and ended == -signal.SIGKILL), f"a child ended with {ended}"


def child(crowd, r, dies):
    """Do a few things, and end without a word."""
    faulthandler.dump_traceback_later(LONGEST_S - 20, exit=True)
    ended = 1
    what = fork
    try:
        if dies > 0.8:
            forget(crowd, r)
        for _ in range(r.randint(1, 3)):
            what = r.choice([call, compile_and_call])
            what(crowd, r)
            if 0.2 < dies < 0.4:
                os.kill(os.getpid(), signal.SIGKILL)
        ended = 0
    except sn.CompileError as error:  # on a busy machine the fork waited long enough, and the child says so
        ended = 0 if "was forked while another thread compiled" in str(error) else 1
    except BaseException as error:
        os.write(2, f"a child: {what.__name__}: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(ended)


def main(seconds, seed, count):
    assert isinstance(vars(Kernel)["step"], kept_property)
    crowd = Crowd(seconds)
    threads = [threading.Thread(target=crowd.work, args=(seed * 1000 + n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    crowd.watch(threads)
    print(json.dumps(crowd.counts))
    if crowd.failures:
        print(*crowd.failures, sep="\n", file=sys.stderr)
    return len(crowd.failures)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])) != 0)
