"""Which kernel chooses winners among channels, and that each chooses those of the reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


CHANNELS_AND_POSITIONS = {
    "kwta_f32": [(20, 1), (7, 4), (300, 1), (520, 9)],
    "kwta_f32__lanes": [(8, 5), (64, 7), (100, 20), (130, 17)],
    "kwta_map_f32": [(6, 9), (70, 5)],
}


@given(
    st.sampled_from([(kernel, *size) for kernel, sizes in CHANNELS_AND_POSITIONS.items() for size in sizes]),
    st.integers(0, 2**32 - 1),
)
def test_factors_from_all_over_float32_rank_exactly(case, seed):
    """Products round, vanish or become infinite in float32; the reference's do not, in float64."""
    kernel, channels, positions = case
    r = np.random.default_rng(seed)
    scope, most = ("all", channels * positions) if kernel == "kwta_map_f32" else ("channels", min(channels, 64))
    spread = r.choice([0, 3, 150])
    factor = np.ldexp(
        r.choice([1.0, 1.5, 1.75], channels), r.integers(-149, 127) + r.integers(-spread, spread + 1, channels)
    )
    factor = np.clip(factor, 2.0**-149, 3e38)
    x = r.choice([0.0, 1.0, -1.0, 1.25, -1.75], (3, channels, positions))
    x = np.ldexp(x, r.integers(-149, 127) if r.integers(2) else r.integers(-149, 127, x.shape))
    x = x.reshape(3, channels, positions, 1).astype(np.float32)
    net = sn.Network.sequential((channels, positions, 1), [sn.KWinners(int(r.integers(1, most + 1)), scope, factor)])
    engine = sn.compile(net, batch=3, threads=1, planner="predict")
    assert kernel in [step.name for step in engine.program.kernels]
    np.testing.assert_array_equal(engine(x), net.reference(x).astype(np.float32))


def test_bytes_with_factors_rank_exactly():
    factor = np.float32([3e38, 1e-45, 1e30, 1e30, 2e-45, 3e38, 1, 1, 1])
    layers = [sn.Quantize(1.0), sn.KWinners(4, "channels", factor), sn.Dequantize(1.0)]
    net = sn.Network.sequential((9, 2, 3), layers)
    x = np.random.default_rng(0).integers(0, 4, (5, 9, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(sn.compile(net, batch=5, planner="predict")(x), net.reference(x))


def test_one_factor_for_all_ranks_as_none_does():
    engine = sn.compile(sn.Network.sequential((20,), [sn.KWinners(3, factor=np.full(20, 3e38))]), planner="predict")
    assert any((constant == 1).all() for constant in engine.program.constants)


@pytest.mark.parametrize("ties", [255, 256, 257, 300, 319, 320, 600])
def test_any_number_of_ties_wins_among_bytes(ties):
    """More ties than a byte counts: of 960, where 256 to 319 were still to come, none of the next 64 won."""
    x = np.full((2, 1, 960), 7, np.uint8)
    x[:, :, 100:105] = 9
    net = sn.Network.sequential((960,), [sn.Quantize(1.0), sn.KWinners(ties + 5), sn.Dequantize(1.0)])
    y = sn.compile(net, 2, 1, planner="predict")(x[:, 0].astype(np.float32))
    np.testing.assert_array_equal(y, net.reference(x[:, 0]))
