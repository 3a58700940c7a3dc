"""Try many seeds on a target in processes that may die or hang, and say what happened to each."""

import json
import os
import platform
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1]

HASWELL = "+sse4.2,+popcnt,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt"
TARGETS = {
    "native": {},
    "haswell": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": HASWELL},
    "x86-64": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""},
    "generic": {"NUMBA_CPU_NAME": "generic"},
    "bounds": {"NUMBA_BOUNDSCHECK": "1"},
}
"""Settings of Numba by the name of a target, as CONTRIBUTING lists them; the second and third need an x86-64,
where the third is as generic as it gets."""

CHILD = [sys.executable, "-m", "fuzz_networks.child"]

LONGEST_S = 600.0
"""A seed that takes this long hangs. Compiling a network's kernels for the first time is part of it."""


def possible_targets():
    """Name the targets that this machine can run."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    absent = ("generic",) if x86 else ("haswell", "x86-64")
    return [name for name in TARGETS if name not in absent]


@dataclass
class Outcome:
    """How the seeds of a target ended."""

    target: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("right", "raised", "failed"), 0))
    failures: dict[int, str] = field(default_factory=dict)

    @property
    def summary(self):
        parts = ", ".join(f"{count} {how}" for how, count in self.counts.items())
        return f"{self.target}: {sum(self.counts.values())} networks, {parts}"


def try_seeds(target, seeds, said=print, longest_s=LONGEST_S):
    """Try a range of seeds, with a new process whenever one dies or hangs; failures are told when they happen."""
    outcome, left = Outcome(target), seeds
    while len(left):
        ended, why = _one_process(target, left, longest_s, outcome, said)
        left = range(ended + left.step, left.stop, left.step) if why or ended >= 0 else left[:0]
        if why:
            _note(outcome, ended, "failed", why, said)
    return outcome


def _one_process(target, seeds, longest_s, outcome, said):
    """Run a child until it ends; return the seed that it died at and why, or the last one and nothing."""
    command = [*CHILD, *map(str, (seeds.start, seeds.stop, seeds.step))]
    with subprocess.Popen(
        command, cwd=TESTS, env=_environment(target), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        errors = _lines_of(child.stderr)
        seed, running = seeds.start, True
        lines = _lines_of(child.stdout)
        while (line := _next(lines, longest_s)) is not None:
            seed, how, why = json.loads(line)
            running = how == "began"
            if not running:
                _note(outcome, seed, how, why, said)
        hangs = child.poll() is None and not _ended(child)
        child.kill()
        code = child.wait()
    if not hangs and code == 0:
        return seeds[-1], ""
    if hangs:
        return seed, f"still running after {longest_s:.0f} s"
    told = " | ".join(list(errors.queue)[-3:-1])
    return seed, f"the process ended with {code} {'in' if running else 'after'} this network; {told}"


def _ended(child):
    """Wait a moment for a process that has closed its output."""
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        return False
    return True


def _lines_of(stream):
    """Collect the lines of a stream as they come; None is the end."""
    lines = queue.Queue()

    def read():
        for line in stream:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _next(lines, longest_s):
    """Return the next line; None at the end, or when none comes."""
    try:
        return lines.get(timeout=longest_s)
    except queue.Empty:
        return None


def _note(outcome, seed, how, why, said):
    outcome.counts[how] += 1
    if how == "failed":
        outcome.failures[seed] = why
        short = " ".join(why.split())[-600:]
        again = f"python -m fuzz_networks --seed {seed} --targets {outcome.target}"
        said(f"seed {seed} on {outcome.target}: {short}; again: {again}", flush=True)


def _environment(target):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**kept, **TARGETS[target], "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
