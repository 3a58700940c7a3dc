import pytest

from sparsenet.explain.roof import roof
from sparsenet.machine.limits import Limits

LIMITS = Limits(4e9, 1e11, {"L1": 4e11, "L2": 1e11, "memory": 1e10}, {"L1": 2**15, "L2": 2**20, "memory": 2**28})


@pytest.mark.parametrize(
    ("multiplications", "read", "least_us"),
    [
        (1_000_000, {"L1": 4_000}, 10.0),
        (1_000, {"memory": 1_000_000}, 100.0),
        (1_000, {"memory": 1_000_000, "L2": 1_000_000}, 110.0),
        (0, {}, 0.0),
        (0, {"L1": 0}, 0.0),
    ],
)
def test_the_longer_of_the_two_counts(multiplications, read, least_us):
    assert roof(multiplications, read, LIMITS).least_us == pytest.approx(least_us)


@pytest.mark.parametrize(("size", "level"), [(0, "L1"), (2**15, "L1"), (2**15 + 1, "L2"), (2**21, "memory")])
def test_the_nearest_level_that_holds_it(size, level):
    assert LIMITS.level_for(size) == level
