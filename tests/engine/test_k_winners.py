"""Which kernel chooses winners among channels, and that each chooses those of the reference."""

import numpy as np
import pytest

import sparsenet as sn

LANES, ROWS = "kwta_f32__lanes", "kwta_f32"


@pytest.mark.parametrize(
    ("shape", "k", "batch", "kernel"),
    [
        ((64, 14, 14), 12, 1, LANES),
        ((20, 1, 5), 7, 1, LANES),
        ((40, 2, 2), 9, 1, ROWS),  # too few positions
        ((40, 2, 2), 9, 2, LANES),  # those of two samples are enough
        ((7, 3, 3), 2, 1, ROWS),  # too few channels
        ((80, 3, 3), 65, 1, ROWS),  # too many winners
        ((512, 3, 3), 20, 1, ROWS),  # too many channels
        ((511, 3, 3), 64, 1, LANES),
    ],
)
def test_the_winners_of_either_kernel_are_the_references(shape, k, batch, kernel):
    rng = np.random.default_rng(k)
    factor = np.ldexp(1.0, rng.integers(-1, 2, shape[0])).astype(np.float32)
    net = sn.Network.sequential(shape, [sn.KWinners(k, scope="channels", factor=factor)])
    engine = sn.compile(net, batch=batch)
    assert [step.name for step in engine.program.kernels if step.operation == "kwta"] == [kernel]
    x = rng.integers(-20, 20, (batch, *shape)).astype(np.float32)  # with ties
    np.testing.assert_array_equal(engine(x), net.reference(x))
