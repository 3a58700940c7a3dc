"""k-winners in torch are the engine's: exactly k, the lowest index wins ties; gradients, duty cycles and boosting."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparsenet as sn
from sparsenet.graph.reference import evaluate_layer

torch = pytest.importorskip("torch", reason="needs the extra train")
from sparsenet.nn import KWinners, KWinners2d, winners  # noqa: E402

FEW_VALUES = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0])


@st.composite
def tied_rows(draw):
    """Rows of few different values, so that most thresholds are tied, and a k from 0 to more than all."""
    rows, n = draw(st.integers(0, 4)), draw(st.integers(1, 12))
    values = draw(st.lists(FEW_VALUES, min_size=rows * n, max_size=rows * n))
    return np.array(values, np.float32).reshape(rows, n), draw(st.integers(0, n + 2))


@given(tied_rows(), st.sampled_from([torch.float32, torch.bfloat16, torch.float64]))
def test_winners_are_the_engines_compiled_or_in_float64_by_torch(case, dtype):
    x, k = case
    marked = winners(torch.from_numpy(x).to(dtype), k)
    order = np.argsort(-x, axis=1, kind="stable")[:, :k]
    wanted = np.zeros(x.shape, bool)
    np.put_along_axis(wanted, order, True, axis=1)
    np.testing.assert_array_equal(marked.numpy(), wanted)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("scope", "k"), [("channels", 0), ("channels", 3), ("channels", 16), ("all", 40)])
def test_images_keep_what_the_engine_keeps(scope, k, memory):
    x = torch.randn(5, 16, 6, 7).mul(2).round().contiguous(memory_format=memory)
    layer = KWinners2d(16, k, scope=scope).eval()
    wanted = evaluate_layer(sn.KWinners(k, scope), x.numpy().astype(np.float64))
    np.testing.assert_array_equal(layer(x).numpy(), wanted)


def test_vectors_keep_what_the_engine_keeps_and_any_shape_is_one_vector():
    x = torch.randn(5, 4, 3, 2).mul(2).round()
    got = KWinners(24, 7)(x)
    wanted = evaluate_layer(sn.KWinners(7, "all"), x.numpy().astype(np.float64))
    np.testing.assert_array_equal(got.numpy(), wanted)


@given(st.integers(1, 70), st.data())
def test_compiled_winners_are_torchs_for_any_bits(n, data):
    x = torch.randint(-(2**31), 2**31 - 1, (3, n), dtype=torch.int32).view(torch.float32)
    k = data.draw(st.integers(0, n))
    one_by_one = torch.where(x.isnan(), torch.inf, x).double()  # NaN ranks highest; no two numbers here are equal
    if not one_by_one.isinf().any():
        assert torch.equal(winners(x, k), winners(one_by_one, k))
    assert winners(x, k).sum(1).tolist() == [k] * 3


SPECIAL = st.sampled_from([float("nan"), -float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, 1.0, 2.0, -1.0])


def marked_by_the_rule(x, k):
    """NaN above all numbers, then the largest, the lowest index first among equals."""
    order = sorted(range(len(x)), key=lambda i: (0, 0.0, i) if np.isnan(x[i]) else (1, -x[i] + 0.0, i))
    return [i in order[:k] for i in range(len(x))]


@pytest.mark.parametrize("way", ["called", "traced"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@given(st.lists(SPECIAL, min_size=1, max_size=9), st.integers(0, 10))
def test_winners_of_any_dtype_obey_one_rule(way, dtype, x, k):
    from sparsenet.nn.winners import _marked

    values = torch.tensor([x], dtype=dtype)
    # under torch.compile this is what runs; compiling for each k would take seconds
    got = winners(values, k) if way == "called" or not 0 < k < len(x) else _marked(values, k, 1)
    assert got[0].tolist() == marked_by_the_rule(x, k)
    layer = KWinners(len(x), k).eval()(values)[0]
    wanted = torch.where(got[0], values[0], 0)
    torch.testing.assert_close(layer, wanted, rtol=0, atol=0, equal_nan=True)
    assert layer.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_compiled_by_torch_they_are_the_same_with_their_gradients(dtype):
    layer = KWinners2d(6, 2)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    x = torch.randn(3, 6, 2, 2, dtype=dtype).mul(2).round()
    x[0, 3, 0, 0], x[1, 2, 1, 1] = float("nan"), -torch.inf
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [kind(one) for kind, one in zip((layer, compiled), inputs, strict=True)]
    for y in outputs:
        y.nansum().backward()
    torch.testing.assert_close(*outputs, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(*(one.grad for one in inputs), rtol=0, atol=0)


def test_losers_are_zero_whatever_they_were():
    layer = KWinners(4, k=1).eval()
    assert layer(torch.tensor([[1.0, -torch.inf, 2.0, 3.0]])).tolist() == [[0.0, 0.0, 0.0, 3.0]]
    assert not layer(torch.tensor([[-1.0, -2.0, 2.0, 3.0]])).signbit().any()


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16])
def test_the_default_dtype_of_torch_changes_nothing(default):
    x = torch.randn(20, 6, 2, 2)
    layers = [KWinners2d(6, 2, boost_strength=1.5)]
    layers[0](x)
    torch.set_default_dtype(default)
    try:
        layers.append(KWinners2d(6, 2, boost_strength=1.5))
        layers[1](x)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(layers[0].state_dict(), layers[1].state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(layers[0](x), layers[1](x), rtol=0, atol=0)


def test_infinities_and_denormals_rank_as_numbers_do():
    x = torch.tensor([[-torch.inf, -1e-45, -0.0, 1e-45, torch.inf, 3e38, -3e38]])
    order = [4, 5, 3, 2, 1, 6, 0]
    for k in range(8):
        assert set(winners(x, k)[0].nonzero().flatten().tolist()) == set(order[:k])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nan_is_kept_so_that_it_is_seen(dtype):
    x = torch.tensor([[1.0, -float("nan"), 3.0, 2.0]], dtype=dtype)
    assert KWinners(4, 2)(x).isnan().tolist() == [[False, True, False, False]]


def test_the_gradient_passes_to_the_winners_only():
    x = torch.tensor([[1.0, 2.0, 2.0, -1.0]], requires_grad=True)
    (KWinners(4, 2)(x) * torch.tensor([5.0, 6.0, 7.0, 8.0])).sum().backward()
    assert x.grad.tolist() == [[0.0, 6.0, 7.0, 0.0]]


def test_autocast_gives_bytes_of_bfloat16_and_their_gradient():
    linear, layer = torch.nn.Linear(32, 64), KWinners(64, 5)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(linear(torch.randn(8, 32)))
    y.float().sum().backward()
    assert y.dtype == torch.bfloat16
    assert (y != 0).sum(1).tolist() == [5] * 8
    assert linear.weight.grad.isfinite().all()


def duty_cycles(marks, period, batch):
    """Average the wins of samples (n, units) batch after batch, in NumPy: the rule of the docstring."""
    duty, seen = np.zeros(marks.shape[1]), 0
    for first in range(0, len(marks), batch):
        wins = marks[first : first + batch]
        seen += len(wins)
        p = max(len(wins), min(period, seen))
        duty = duty * (p - len(wins)) / p + wins.sum(0) / p
    return duty


@pytest.mark.parametrize(("period", "batch"), [(1000, 8), (20, 8), (3, 8), (50, 1)])
def test_duty_cycles_are_those_of_the_rule(period, batch):
    x = torch.randn(40, 12)
    layer = KWinners(12, 3, duty_cycle_period=period)
    marks = np.concatenate([(layer(part) != 0).numpy() for part in x.split(batch)])
    # float32 averages of 40 samples at most: a few roundings each
    np.testing.assert_allclose(layer.duty_cycle.numpy(), duty_cycles(marks, period, batch), rtol=40 * 2**-23)


def test_duty_cycles_of_images_are_shares_of_positions():
    layer = KWinners2d(8, 2)
    y = layer(torch.randn(6, 8, 5, 4))
    torch.testing.assert_close(layer.duty_cycle, (y != 0).float().mean((0, 2, 3)))
    layer.eval()(torch.randn(6, 8, 5, 4))
    assert int(layer.samples_seen) == 6


def test_boosting_ranks_by_the_factor_and_keeps_the_values():
    layer = KWinners(4, 1, boost_strength=2.0).eval()
    layer.duty_cycle.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    assert layer(torch.tensor([[4.0, 3.0, 1.0, 0.0]])).tolist() == [[0.0, 3.0, 0.0, 0.0]]  # 4 * exp(-2) < 3
    assert layer(torch.tensor([[40.0, 3.0, 1.0, 0.0]])).tolist() == [[40.0, 0.0, 0.0, 0.0]]


def test_boosting_wakes_units_that_never_win():
    x = torch.rand(64, 10) + torch.linspace(0, 0.5, 10)
    plain, boosted = KWinners(10, 2), KWinners(10, 2, boost_strength=3.0)
    for _ in range(60):
        plain(x), boosted(x)
    assert boosted.duty_cycle.std() < plain.duty_cycle.std() / 2


def test_boost_strength_falls_by_its_factor():
    layer = KWinners2d(4, 1, boost_strength=1.5, boost_strength_factor=0.5)
    layer.update_boost_strength()
    layer.update_boost_strength()
    assert float(layer.boost_strength) == 0.375


def test_state_goes_into_a_copy():
    layer = KWinners(6, 2, boost_strength=1.0)
    layer(torch.randn(20, 6))
    other = KWinners(6, 2)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(9, 6)
    for twin in (other, copy.deepcopy(layer)):
        assert torch.equal(twin.eval()(x), layer.eval()(x))
        assert set(twin.state_dict()) == {"duty_cycle", "boost_strength", "samples_seen"}


def test_k_may_be_set_and_may_differ_in_evaluation():
    layer = KWinners(10, 2, k_inference=4)
    layer.k = 3
    x = torch.arange(10.0).add(1).view(1, 10)
    assert int((layer(x) != 0).sum()) == 3
    assert int((layer.eval()(x) != 0).sum()) == 4


def test_exported_k_winners_keep_exactly_k_also_with_ties():
    module = torch.nn.Sequential(KWinners2d(8, 3), torch.nn.Flatten(), KWinners(96, 10, boost_strength=1.0)).eval()
    x = torch.randn(2, 8, 4, 3).round()
    program = torch.export.export(module, (x,))
    assert torch.equal(program.module()(x), module(x))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: KWinners(0, 1), sn.GraphError, "units"),
        (lambda: KWinners(4, -1), sn.GraphError, "k from 0"),
        (lambda: KWinners(4, 0.5), TypeError, "k to be an integer"),
        (lambda: KWinners(4, 1, boost_strength=-1.0), sn.GraphError, "boost_strength of 0 or more"),
        (lambda: KWinners2d(4, 1, scope="local"), sn.GraphError, "scope"),
        (lambda: KWinners(4, 1)(torch.zeros(2, 5)), sn.GraphError, "4 elements"),
        (lambda: KWinners2d(4, 1)(torch.zeros(2, 5, 1, 1)), sn.GraphError, r"\(B, 4, H, W\)"),
    ],
)
def test_what_cannot_be_right_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_empty_batches_change_nothing():
    layer = KWinners2d(4, 1)
    assert layer(torch.zeros(0, 4, 3, 3)).shape == (0, 4, 3, 3)
    assert int(layer.samples_seen) == 0
