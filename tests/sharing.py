"""How the tests are shared out over the cores: which come first, which stay together, how many processes."""

APART = (
    "tests/kernels/test_targets.py",
    "tests/kernels/test_absent_processors.py",
    "tests/test_notebooks.py",
    "tests/kernels/test_kernels.py",
    "tests/kernels/test_mutants.py",
)
"""Modules whose tests are shared out one by one; of others one process takes all, with what their fixtures made."""

FIRST = (
    "tests/kernels/test_absent_processors.py",
    "tests/kernels/test_targets.py",
    "tests/cuda/test_simulated.py",
    "tests/test_notebooks.py",
    "tests/kernels/test_mutants.py",
    "tests/engine/test_crowd.py",
    "tests/storage/test_mutated_files.py",
    "tests/bench/test_layers.py",
    "tests/bench/test_masks.py",
    "tests/kernels/test_kernels.py",
)
"""Modules that take longest: they come first, so that no core waits for another at the end."""

MOST_WORKERS = 8
"""The longest test takes as long as an eighth of all."""

WORKER_BYTES = 1_000_000_000
"""Memory that must be free for each process."""


def module_of(nodeid):
    return nodeid.partition("::")[0]


def place_of(nodeid):
    """Return when a test's turn comes, as a number."""
    module = module_of(nodeid)
    return FIRST.index(module) if module in FIRST else len(FIRST)


def workers():
    """Return how many processes this machine has cores and memory for; 0 stands for this process alone."""
    from sparsenet.machine.available import available_bytes
    from sparsenet.machine.cores import usable_cores

    free = available_bytes()
    room = MOST_WORKERS if free is None else free // WORKER_BYTES
    count = min(usable_cores(), room, MOST_WORKERS)
    return count if count > 1 else 0


def scheduler(config, log):
    """Make what hands tests to the processes."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = module_of(nodeid)
            return nodeid if module in APART else module

    config.option.loadscopereorder = False
    return Shares(config, log)
