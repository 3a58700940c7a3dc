"""NaN and infinities inside a network, beyond what every kernel's suite tries: what is free to be right is."""

import numpy as np
import pytest

from sparsenet_kernels.registry import kernels
from sparsenet_kernels.testing import Case, Expected, can_run, complaints, leftovers
from sparsenet_kernels.testing.kwta_cases import KWinnersProblem, kwta_case

WINDOW = dict(
    zip(("kernel_height", "kernel_width", "stride_y", "stride_x", "pad_y", "pad_x"), (2, 3, 2, 2, 1, 1), strict=True)
)


@pytest.mark.parametrize("channels", [1, 16, 37])
def test_the_largest_of_nan_is_nan_and_never_an_infinity_that_was_not_there(channels):
    x = np.full((2, 4, 5, channels), np.nan, np.float32)
    out = leftovers((2, 3, 3, channels))
    pool = kernels()["max_pool2d_f32"]
    if can_run(pool):
        case = Case({"x": x, **WINDOW, "out": out}, {"out": Expected(np.full(out.shape, np.nan), 0.0)})
        assert not complaints(pool, case)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", sorted(name for name in kernels() if name.startswith("kwta_f32")))
@pytest.mark.parametrize(("channels", "k"), [(64, 1), (64, 8), (64, 16), (70, 5), (150, 60), (9, 9), (600, 64)])
def test_rows_of_nothing_but_nan_and_infinities_have_their_winners(name, channels, k, sign):
    """In the last row of memory, behind which nothing may be touched, too."""
    kernel = kernels()[name]
    if not can_run(kernel):
        pytest.skip("needs vector instructions that this run cannot give")
    case = kwta_case(kernel, KWinnersProblem(samples=1, positions=17, channels=channels, k=k))
    x = case.arguments["x"]
    x[0, ::2] = np.copysign(np.nan, sign)
    x[0, 1::4, : channels // 2] = np.nan
    x[0, 1::4, channels // 2 :] = np.inf
    unknown = np.broadcast_to(np.isnan(x).any(axis=-1, keepdims=True), (1, 17, k))
    expected = {
        name: Expected(wanted.values, wanted.allowed, wanted.minds, unknown) for name, wanted in case.expected.items()
    }
    assert not complaints(kernel, Case(case.arguments, expected, case.scratch, holds=case.holds))
