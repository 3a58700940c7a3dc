"""k-winners of nupic.torch's kind and of this package's, imported, choose as they do in evaluation mode.

nupic.torch is not installed: the stand-ins below have its names and attributes and no more, and ``expected`` states its
rules once more, in NumPy.
"""

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_parity import answer, assert_same_meaning, imported, layers, names, notes, samples

import sparsenet as sn

torch = pytest.importorskip("torch", reason="needs the extra train")
nn = torch.nn


class KWinners(nn.Module):
    """A stand-in for nupic.torch's module of this name."""

    def __init__(self, n, percent_on, k_inference_factor=1.5, boost_strength=1.0, break_ties=False, relu=False):
        super().__init__()
        self.n, self.percent_on, self.k_inference_factor = n, percent_on, k_inference_factor
        self.break_ties, self.relu = break_ties, relu
        self.register_buffer("boost_strength", torch.tensor(boost_strength, dtype=torch.float32))
        self.register_buffer("duty_cycle", torch.zeros(n))

    def forward(self, x):
        return torch.from_numpy(expected(self, x.numpy()))


class KWinners2d(nn.Module):
    """A stand-in for nupic.torch's module of this name."""

    def __init__(
        self, channels, percent_on=0.1, k_inference_factor=1.5, boost_strength=1.0, local=False, break_ties=False,
        relu=False,
    ):  # fmt: skip
        super().__init__()
        self.channels, self.percent_on, self.k_inference_factor = channels, percent_on, k_inference_factor
        self.local, self.break_ties, self.relu = local, break_ties, relu
        self.n = self.k = 0
        self.register_buffer("boost_strength", torch.tensor(boost_strength, dtype=torch.float32))
        self.register_buffer("duty_cycle", torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        return torch.from_numpy(expected(self, x.numpy()))


def expected(module, x):
    """Say what such a module answers in evaluation mode, where no two ranks are equal."""
    k = winners_of(module, x.shape)
    factor = np.exp(-float(module.boost_strength) * module.duty_cycle.numpy().astype(np.float32))
    boosted = x * factor if module.boost_strength > 0 else x
    rows = np.moveaxis(boosted, 1, -1) if getattr(module, "local", False) else boosted.reshape(len(x), -1)
    threshold = np.sort(rows, axis=-1)[..., -k] if k else np.full(rows.shape[:-1], np.inf)
    if module.relu:
        threshold = np.maximum(threshold, 0)
    wins = rows >= threshold[..., None]
    wins = np.moveaxis(wins, -1, 1) if getattr(module, "local", False) else wins.reshape(x.shape)
    return np.where(wins, x, np.zeros_like(x))


def winners_of(module, shape):
    """Count the winners: k times the factor, cut off, in one dimension; rounded as Python does in two."""
    if isinstance(module, KWinners):
        return int(round(module.n * module.percent_on) * module.k_inference_factor)
    n = module.channels if module.local else int(np.prod(shape[1:]))
    return round(n * (module.percent_on * module.k_inference_factor))


def with_duty_cycles(module, seed):
    values = np.random.default_rng(seed).uniform(0, 0.5, module.duty_cycle.shape).astype(np.float32)
    module.duty_cycle.copy_(torch.from_numpy(values))
    return module


shares = st.floats(0.01, 0.6)
factors = st.sampled_from([1.0, 1.5, 0.9, 1.2])
strengths = st.sampled_from([0.0, 0.064, 1.5, 10.0])


@given(st.integers(1, 40), shares, factors, strengths, st.booleans(), st.booleans(), st.integers(0, 99))
def test_one_dimension(n, share, factor, strength, break_ties, relu, seed):
    module = with_duty_cycles(KWinners(n, share, factor, strength, break_ties, relu), seed)
    net, x = imported(module, (n,)), samples((n,), seed=seed)
    assert layers(net) == ["ReLU"] * relu + ["KWinners"]
    assert net.nodes[-1].layer.k == winners_of(module, x.shape)
    np.testing.assert_array_equal(net.reference(x), expected(module, x))


@given(
    st.integers(1, 12), st.integers(1, 4), shares, factors, strengths, st.booleans(), st.booleans(), st.integers(0, 99)
)
def test_two_dimensions(channels, size, share, factor, strength, local, relu, seed):
    module = with_duty_cycles(KWinners2d(channels, share, factor, strength, local, relu=relu), seed)
    net, x = imported(module, (channels, size, size + 1)), samples((channels, size, size + 1), seed=seed)
    assert net.nodes[-1].layer.scope == ("channels" if local else "all")
    assert net.nodes[-1].layer.k == winners_of(module, x.shape)
    np.testing.assert_array_equal(net.reference(x), expected(module, x))


@pytest.mark.parametrize(
    ("module", "shape", "k"),
    [
        (KWinners(1000, 0.1, 1.0), (1000,), 100),
        (KWinners(5, 0.5, 1.5), (5,), 3),  # 2.5 rounds to the even 2; 2 * 1.5
        (KWinners(7, 0.5, 1.5), (7,), 6),  # 3.5 rounds to the even 4
        (KWinners(10, 0.3, 1.5), (10,), 4),  # 4.5 is cut off
        (KWinners2d(64, 0.095, 1.0, local=True), (64, 3, 3), 6),
        (KWinners2d(64, 0.125, 1.0, local=True), (64, 3, 3), 8),
        (KWinners2d(64, 0.095, 1.0), (64, 28, 28), 4767),
        (KWinners2d(5, 0.5, 1.0, local=True), (5, 1, 1), 2),  # 2.5 rounds to the even 2
    ],
)
def test_how_many_win(module, shape, k):
    assert imported(module, shape).nodes[-1].layer.k == k


# Products that lie halfway between two integers, or next to it, as they are multiplied in one order or the other.
HALVES = [(0.1, 1.5), (0.3, 1.5), (0.7, 0.5), (0.35, 1.0), (0.15, 1.0), (0.2, 1.25), (0.05, 1.1), (1 / 3, 1.5)]


@given(st.integers(1, 40), st.sampled_from(HALVES) | st.tuples(shares, factors), st.booleans())
def test_shares_and_factors_are_multiplied_in_nupics_order(tens, both, local):
    """In two dimensions round(n * (share * factor)); in one int(round(n * share) * factor)."""
    n, (share, factor) = 10 * tens, both
    image = KWinners2d(n, share, factor, boost_strength=0.0, local=local)
    assert imported(image, (n, 1, 1)).nodes[-1].layer.k == round(n * (share * factor))
    vector = KWinners(n, share, factor, boost_strength=0.0)
    assert imported(vector, (n,)).nodes[-1].layer.k == int(round(n * share) * factor)


@pytest.mark.parametrize(("channels", "k"), [(30, 5), (70, 11), (110, 17), (150, 23)])
def test_nupics_own_defaults(channels, k):
    """0.1 * 1.5 is a little more than 0.15: what would lie halfway is rounded up."""
    assert imported(KWinners2d(channels, boost_strength=0.0, local=True), (channels, 2, 2)).nodes[-1].layer.k == k


@given(st.floats(1.0, 300.0), st.integers(2, 8), st.integers(0, 999))
def test_strong_boosts_have_factors_that_float32_holds(strength, n, seed):
    """None is 0 or infinite, and they rank as exp(-strength * duty) does in real numbers, as far as float32 can say."""
    module = with_duty_cycles(KWinners(n, 0.5, 1.0, strength), seed)
    duty = module.duty_cycle.numpy().astype(np.float64) * 2
    module.duty_cycle.mul_(2)
    factor = imported(module, (n,)).nodes[-1].layer.factor.astype(np.float64)
    exponents = -strength * duty
    inside = exponents > exponents.max() - 120
    np.testing.assert_allclose(np.log(factor[inside]) - np.log(factor).max(), (exponents - exponents.max())[inside],
                               atol=1e-4 * strength)  # fmt: skip
    assert (factor[~inside] <= factor[inside].min() * (1 + 1e-5)).all()


def test_the_strongest_boost_of_own_modules_ranks_as_in_torch():
    from sparsenet.nn import KWinners2d

    module = KWinners2d(4, k=1, boost_strength=120.0).eval()
    module.duty_cycle.copy_(torch.tensor([0.0, 0.2, 0.5, 1.0]))
    net, x = imported(module, (4, 3, 3)), samples((4, 3, 3), batch=20)
    np.testing.assert_array_equal(net.reference(x), answer(module, x, "float32"))
    only_last = np.float32([0, 0, 0, 5]).reshape(1, 4, 1, 1)  # its rank is exp(-120) of others', and still above 0
    assert module(torch.from_numpy(only_last)).flatten().tolist() == [0, 0, 0, 5]


def test_negative_winners_stay_negative():
    net = imported(KWinners(4, 0.5, 1.0, 0.0), (4,))
    np.testing.assert_array_equal(net.reference([[-4.0, -1.0, -2.0, -3.0]]), [[0, -1, -2, 0]])


def test_boosting_raises_the_rank_of_negative_values():
    """The factor multiplies: a unit that wins often is pushed towards zero, from either side."""
    module = KWinners(2, 0.5, 1.0, boost_strength=1.0)
    module.duty_cycle.copy_(torch.tensor([1.0, 0.0]))
    np.testing.assert_array_equal(imported(module, (2,)).reference([[-2.0, -1.0], [2.0, 1.0]]), [[-2, 0], [0, 1]])


def test_ties_are_told_in_the_report():
    """There all that tie win; here the lowest index does, and the report says so."""
    module = KWinners(4, 0.5, 1.0, 0.0)
    net = imported(nn.Sequential(nn.Linear(4, 4), module), (4,))
    x = np.float32([[1, 3, 3, 3]])
    np.testing.assert_array_equal(expected(module, x), [[0, 3, 3, 3]])
    np.testing.assert_array_equal(net["1"].k, 2)
    said = [note for layer, note in notes(net) if layer == "1"]
    assert any("tie" in note and "lowest index" in note for note in said)
    assert any("k = 2 of 4" in note for note in said)


def test_equal_duty_cycles_change_no_rank():
    module = KWinners(4, 0.5, 1.0, boost_strength=2.0)
    module.duty_cycle.fill_(0.25)
    assert imported(module, (4,)).nodes[0].layer.factor is None


def test_a_vector_is_wanted_in_one_dimension():
    with pytest.raises(sn.UnsupportedLayerError, match="flatten"):
        imported(KWinners(4, 0.5, boost_strength=0.0), (4, 2, 2))


def test_unknown_attributes_are_named():
    class Other(nn.Module):
        def forward(self, x):
            return x * 1

    Other.__name__ = "KWinners"
    with pytest.raises(sn.UnsupportedLayerError, match=r"layer 'top' \(KWinners\).*'k'"):
        imported(nn.Sequential(OrderedDict(top=Other())), (4,))


@pytest.mark.parametrize("k_inference", [None, 3, 99])
@pytest.mark.parametrize("strength", [0.0, 1.5])
@pytest.mark.parametrize("kind", ["KWinners", "channels", "all"])
def test_own_modules(kind, strength, k_inference):
    from sparsenet.nn import KWinners, KWinners2d

    settings = {"k_inference": k_inference, "boost_strength": strength}
    shape = (12,) if kind == "KWinners" else (4, 3, 1)
    module = KWinners(12, 2, **settings) if kind == "KWinners" else KWinners2d(4, 2, scope=kind, **settings)
    module.duty_cycle.copy_(torch.linspace(0, 0.5, len(module.duty_cycle)))
    net, x = imported(module, shape), samples(shape)
    np.testing.assert_array_equal(net.reference(x), answer(module, x, "float32"))
    candidates = 4 if kind == "channels" else 12
    assert net.nodes[0].layer.k == min(k_inference or 2, candidates)


def test_a_module_used_twice_is_two_layers():
    from sparsenet.nn import KWinners

    chosen = KWinners(6, 2)
    net = assert_same_meaning(nn.Sequential(chosen, nn.Linear(6, 6), chosen), (6,))
    assert names(net) == ["0", "1", "0:2"]
