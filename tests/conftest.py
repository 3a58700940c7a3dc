"""How the suite runs: how far it looks, on how many cores, and what it says of itself.

HYPOTHESIS_PROFILE=long looks 33 times as far as "quick", the default, with new examples; "brief" is for tests that run
others once more, under another compiler setting. Tests marked ``long`` run when they are asked for: ``pytest -m long``.
"""

import os
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings
from sharing import place_of, scheduler, workers

settings.register_profile(
    "quick", max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("brief", settings.get_profile("quick"), max_examples=8)
settings.register_profile("long", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

TAKES = "all quick tests: about 6 minutes on two cores, 11 on one; the long ones by name: pytest -m long"


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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return scheduler(config, log) if config.option.dist == "loadfile" else None
