"""How the suite runs: how far it looks, on how many cores, what comes first, and what it says of itself.

HYPOTHESIS_PROFILE=long looks 25 times as far as "quick", the default, with new examples; "brief" is for tests that run
others once more, under another compiler setting. Tests marked ``long`` run when they are asked for: ``pytest -m long``.
"""

import os
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("brief", settings.get_profile("quick"), max_examples=8)
settings.register_profile("long", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

TAKES = "all quick tests: about 5 minutes on two cores, 10 on one; the long ones by name: pytest -m long"

APART = ("tests/kernels/test_targets.py", "tests/test_notebooks.py", "tests/kernels/test_kernels.py")
"""Modules whose tests are shared out one by one; of others one process takes all, with what their fixtures made."""

FIRST = (APART[0], "tests/cuda/test_simulated.py", *APART[1:], "tests/bench/test_layers.py")
"""Modules that take longest: they come first, so that no core waits for another at the end."""

MOST_WORKERS = 8
"""The longest test takes as long as an eighth of all."""

WORKER_BYTES = 1_000_000_000
"""Memory that must be free for each process."""


def pytest_report_header(config):
    return TAKES if is_whole(config) else None


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Share the whole suite out over the cores; some tests of it, or without pytest-xdist, run in this process.

    ``-n 0``, or any other number, decides otherwise.
    """
    if is_whole(config) and find_spec("xdist") and config.option.numprocesses is None:
        config.option.numprocesses = 0 if config.option.usepdb or config.option.collectonly else workers()
        config.option.dist = "loadfile"


def is_whole(config):
    return config.args_source is config.ArgsSource.TESTPATHS and not hasattr(config, "workerinput")


def workers():
    """Return how many processes this machine has cores and memory for; 0 stands for this process alone."""
    from sparsenet.planner.available import available_bytes
    from sparsenet.planner.cores import usable_cores

    free = available_bytes()
    room = MOST_WORKERS if free is None else free // WORKER_BYTES
    count = min(usable_cores(), room, MOST_WORKERS)
    return count if count > 1 else 0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    places = {module: place for place, module in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(module_of(item.nodeid), len(FIRST)))


def module_of(nodeid):
    return nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share out what ``FIRST`` and ``APART`` say, if the whole suite runs or ``--dist loadfile`` was asked for."""
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = module_of(nodeid)
            return nodeid if module in APART else module

    config.option.loadscopereorder = False
    return Shares(config, log)
