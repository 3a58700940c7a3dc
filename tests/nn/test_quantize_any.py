"""quantize_aware of any module: it computes nearly the same, or is refused with all reasons in one sentence."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparsenet as sn

torch = pytest.importorskip("torch", reason="needs the extra train")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch.nn.utils import parametrizations, prune  # noqa: E402

from sparsenet.nn import MaskedConv2d, quantize_aware, without_rounding  # noqa: E402
from sparsenet.nn.fake_quantize import FakeQuantizedConv2d, FakeQuantizedLinear  # noqa: E402

C = 4
"""Channels of every image between parts, which are drawn in any order."""

SIZE = 6, 6


def conv(*, channels=C, out=C, **settings):
    settings = {"kernel_size": 3, "padding": 1, **settings}
    return nn.Conv2d(channels, out, **settings)


def norm(**settings):
    made = nn.BatchNorm2d(C, **settings)
    if made.running_mean is not None:
        nn.init.uniform_(made.running_mean, -1, 1), nn.init.uniform_(made.running_var, 0.5, 2)
    if made.affine:
        nn.init.uniform_(made.weight, -2, 2), nn.init.normal_(made.bias)
    return made


class Functional(nn.Module):
    """A part that is written as functions."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x):
        return self.function(self, x, *self.parts)


def changed_behind_its_back(self, x, a, b):
    y = a(x)
    F.relu(y, inplace=True)
    return b(y)


def read_after_a_change(self, x, a, b):
    y = a(x)
    z = y.relu_() + 0.5
    z += b(y)
    return z


class OwnConv2d(nn.Conv2d):
    """Weights that are standardised in every call."""

    def forward(self, x):
        weight = self.weight / self.weight.norm()
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class NamedConv2d(nn.Conv2d):
    """Another name for the same."""


def with_hook(layer):
    layer.register_forward_hook(lambda module, args, y: 2 * y)
    return layer


def masked():
    return MaskedConv2d(C, C, 3, torch.rand(C, C, 3, 3) < 0.5, padding=1)


CONVERTED = {
    "conv": lambda: [conv()],
    "conv without bias, norm": lambda: [conv(bias=False), norm()],
    "conv, norm twice": lambda: [conv(), norm(), norm(affine=False)],
    "conv of another form, norm": lambda: [conv(kernel_size=(3, 1), padding="same", groups=2), norm()],
    "dilated, norm": lambda: [conv(dilation=2, padding=2), norm()],
    "masked, norm": lambda: [masked(), norm()],
    "a class of its own": lambda: [OwnConv2d(C, C, 3, padding=1), norm()],
    "a name of its own": lambda: [NamedConv2d(C, C, 3, padding=1), norm()],
    "norm alone": lambda: [nn.ReLU(), norm()],
    "norm behind a pooling": lambda: [conv(), nn.MaxPool2d(3, 1, 1), norm()],
    "relu in place": lambda: [nn.ReLU(inplace=True)],
    "conv, relu, pool": lambda: [conv(), nn.ReLU(), nn.MaxPool2d(3, 1, 1)],
    "average": lambda: [nn.AvgPool2d(3, 1, 1)],
    "dropouts": lambda: [nn.Dropout(0.5), nn.Dropout2d(0.5), nn.AlphaDropout(0.5), nn.Identity()],
    "functional dropout": lambda: [Functional(lambda self, x: F.dropout(x, 0.5, self.training))],
    "dropout by name": lambda: [Functional(lambda self, x: F.dropout2d(input=x, training=self.training, p=0.9))],
    "residual": lambda: [Functional(lambda self, x, a, b: F.relu(b(a(x)) + x), conv(), norm())],
    "read twice, norm": lambda: [Functional(lambda self, x, a, b: (lambda y: b(y) + y)(a(x)), conv(), norm())],
    "size between": lambda: [Functional(lambda self, x, a, b: b(a(x)).view(x.size(0), C, *SIZE), conv(), norm())],
    "transposed between": lambda: [Functional(lambda self, x, a, b: b(a(x).mT).mT, conv(), norm())],
    "changed in place": lambda: [Functional(changed_behind_its_back, conv(), conv())],
    "changed and read": lambda: [Functional(read_after_a_change, conv(), conv())],
    "input by name": lambda: [Functional(lambda self, x, a, b: F.relu(input=b(input=a(input=x))), conv(), norm())],
    "other functions": lambda: [nn.SiLU(), nn.GroupNorm(2, C)],
    "parametrised": lambda: [parametrizations.weight_norm(conv()), nn.ReLU()],
    "parametrised, norm": lambda: [parametrizations.weight_norm(conv()), norm()],
    "rows": lambda: [nn.Linear(6, 6), norm()],
    "a frozen norm": lambda: [conv(), norm().eval().requires_grad_(False)],
    "joined": lambda: [Functional(lambda self, x, a, b, c: c(torch.cat([a(x), b(x)], 1)), conv(), conv(),
                                  conv(channels=2 * C))],
}  # fmt: skip

REFUSED = {
    "reflect": (lambda: [conv(padding_mode="reflect")], "padding_mode='reflect'"),
    "circular": (lambda: [conv(padding_mode="circular"), norm()], "padding_mode='circular'"),
    "no statistics": (lambda: [conv(), norm(track_running_stats=False)], "track_running_stats=False"),
    "hook": (lambda: [with_hook(conv())], "hooks, which would be left out"),
    "hook of a norm": (lambda: [conv(), with_hook(norm())], "hooks, which would be left out"),
    "pruned": (lambda: [prune.l1_unstructured(conv(), "weight", 0.5)], "torch.nn.utils.prune.remove"),
    "always drops": (lambda: [Functional(lambda self, x: F.dropout(x))], "always on"),
    "used twice": (lambda: [Functional(lambda self, x, a: a(a(x)), conv())], "used twice"),
    "bfloat16": (lambda: [conv().bfloat16()], "bfloat16"),
    "not finite": (lambda: [nn.init.constant_(conv().bias, torch.nan) is None or broken()], "NaN or infinite"),
}


def broken():
    layer = conv()
    layer.weight.data[0, 0, 0, 0] = torch.inf
    return layer


def built(parts, *, flat):
    end = [nn.Flatten(), nn.Linear(C * 36, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3)] if flat else []
    if flat:
        nn.init.uniform_(end[2].running_mean, -1, 1), nn.init.uniform_(end[2].running_var, 0.5, 2)
    return nn.Sequential(*parts, *end)


def relative_error(got, wanted):
    return float(((got - wanted).norm() / wanted.norm().clamp(min=1e-6)).detach())


@given(
    st.lists(st.sampled_from(sorted(CONVERTED)), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_the_copy_computes_nearly_the_same_and_without_rounding_the_same(names, flat, training, seed):
    torch.manual_seed(seed)
    module = built([part for name in names for part in CONVERTED[name]()], flat=flat).train(training)
    x = torch.randn(40, C, 6, 6)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sn.QuantizationWarning)
        made = quantize_aware(module, x.clone())
    assert made.training is training
    assert modes == [part.training for part in module.modules()]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    made.eval(), module.eval()
    with torch.no_grad():
        wanted, got, plain = (one(x.clone()) for one in (module, made, without_rounding(made)))
        assert torch.equal(made(x.clone()), got)
    # folding rounds in float32; what it multiplies with may be small beside what is added
    torch.testing.assert_close(plain, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))
    assert relative_error(got, wanted) < 0.03 * (2 + len(names))  # a step in 255 for each layer, of which few are full


@pytest.mark.parametrize("name", CONVERTED)
def test_each_part_alone(name):
    torch.manual_seed(1)
    module, x = built(CONVERTED[name](), flat=False).eval(), torch.randn(40, C, 6, 6)
    with torch.no_grad():
        wanted = module(x.clone())
        made = quantize_aware(module, x.clone())
        plain, got = without_rounding(made)(x.clone()), made(x.clone())
    torch.testing.assert_close(plain, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))
    assert relative_error(got, wanted) < 0.05


@given(st.lists(st.sampled_from(sorted(REFUSED)), min_size=1, max_size=5, unique=True), st.data())
def test_all_that_cannot_be_rounded_is_told_at_once(names, data):
    others = data.draw(st.lists(st.sampled_from(["conv", "relu in place", "conv without bias, norm"]), max_size=2))
    parts = [REFUSED[name][0]() for name in names] + [CONVERTED[name]() for name in others]
    module = built([one for part in data.draw(st.permutations(parts)) for one in part], flat=True)
    with pytest.raises(sn.SparsenetError) as caught:
        quantize_aware(module, torch.randn(20, C, 6, 6))
    assert all(REFUSED[name][1] in str(caught.value) for name in names)


def test_batch_norms_are_folded_where_that_is_the_same():
    x = torch.randn(30, C, 6, 6)
    made = quantize_aware(nn.Sequential(conv(), norm(), nn.ReLU(), conv(), norm()).train(), x)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in made.modules())
    assert sum(isinstance(part, FakeQuantizedConv2d) for part in made.modules()) == 2


def test_a_norm_along_another_axis_than_the_matrix_is_not_folded():
    """A linear layer of sequences (B, T, D), where the norm is along T: of one size, nothing would fail."""
    module = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5)).eval()
    nn.init.uniform_(module[1].running_mean, -1, 1), nn.init.uniform_(module[1].running_var, 0.5, 2)
    x = torch.randn(30, 5, 5)
    made = quantize_aware(module, x)
    with torch.no_grad():
        torch.testing.assert_close(without_rounding(made)(x), module(x))
        assert relative_error(made(x), module(x)) < 0.03


def test_weights_that_two_layers_share_stay_shared_and_are_not_folded():
    first, second = conv(bias=False), conv(bias=False)
    second.weight = first.weight
    module = nn.Sequential(first, norm(), nn.ReLU(), second).eval()
    x = torch.randn(30, C, 6, 6)
    made = quantize_aware(module, x)
    kept = [part.layer for part in made.modules() if isinstance(part, FakeQuantizedConv2d)]
    assert kept[0].weight is kept[1].weight
    with torch.no_grad():
        torch.testing.assert_close(without_rounding(made)(x), module(x))
        assert relative_error(made(x), module(x)) < 0.05


def test_chains_of_linear_layers_round_as_the_quantised_network_does():
    module = nn.Sequential(nn.Linear(30, 50), nn.ReLU(), nn.Linear(50, 20), nn.ReLU(), nn.Linear(20, 4)).eval()
    x = torch.randn(100, 30)
    made = quantize_aware(module, x)
    assert sum(isinstance(part, FakeQuantizedLinear) for part in made.modules()) == 3
    quantized = sn.quantize(sn.from_torch(module, x), x, progress=False)
    with torch.no_grad():
        got = made(x).double()
    wanted = torch.from_numpy(quantized.reference(x.numpy()))
    # from the same data come the same steps; sums that lie halfway between two bytes may differ
    assert relative_error(got, wanted) < 0.2 * relative_error(module(x).double(), wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_default_dtype_of_torch_changes_nothing(dtype):
    module, x = (
        nn.Sequential(conv(), norm(), nn.ReLU(), nn.Flatten(), nn.Linear(C * 36, 3)).eval(),
        torch.randn(30, C, 6, 6),
    )
    wanted = quantize_aware(module, x)(x)
    torch.set_default_dtype(dtype)
    try:
        got = quantize_aware(module, x)(x)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(got, wanted)


def test_modules_in_float64_stay_so():
    module = nn.Sequential(conv(), norm(), nn.ReLU(), nn.Flatten(), nn.Linear(C * 36, 3)).double().eval()
    x = torch.randn(30, C, 6, 6, dtype=torch.float64)
    made = quantize_aware(module, x)
    assert made(x).dtype == torch.float64
    assert relative_error(made(x), module(x)) < 0.03


def test_hooks_of_the_whole_module_are_refused():
    with pytest.raises(sn.SparsenetError, match="the module: hooks, which would be left out"):
        quantize_aware(with_hook(nn.Sequential(conv())), torch.randn(5, C, 6, 6))


def test_what_torch_compiled_is_taken_out_and_what_is_lazy_refused():
    module, x = nn.Sequential(conv()).eval(), torch.randn(20, C, 6, 6)
    assert torch.equal(quantize_aware(torch.compile(module, backend="eager"), x)(x), quantize_aware(module, x)(x))
    for lazy in (nn.LazyConv2d(3, 3), nn.Conv2d(C, 3, 3, device="meta")):
        with pytest.raises(sn.SparsenetError, match=r"layer '0' .*weights that are not there yet"):
            quantize_aware(nn.Sequential(lazy), x)


def test_names_that_are_taken_stay_what_they_are():
    module = nn.Sequential(conv())
    module.add_module("quantize_input", nn.ReLU())
    made = quantize_aware(module.eval(), torch.randn(20, C, 6, 6))
    assert any(isinstance(part, nn.ReLU) for part in made.modules())


def test_outliers_are_clipped_with_a_warning():
    module, x = nn.Sequential(conv(), nn.ReLU(), nn.Flatten(), nn.Linear(C * 36, 3)).eval(), torch.randn(100, C, 6, 6)
    plain = quantize_aware(module, x)
    seen = x.clone()
    seen[17, 0, 0, 0] = 1e4
    with pytest.warns(sn.QuantizationWarning, match="1 of 100 calibration samples reach far beyond all others at"):
        clipped = quantize_aware(module, seen)
    with torch.no_grad():
        errors = [relative_error(one(x), module(x)) for one in (plain, clipped)]
    assert errors[1] < 1.5 * errors[0]


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (
            [(torch.zeros(8, C, 6, 6), torch.zeros(8))],
            sn.SparsenetError,
            r"inputs and labels\? Give the inputs: \(batch\[0\]",
        ),
        ([[torch.zeros(8, C, 6, 6), torch.zeros(8)]], sn.SparsenetError, "a list of 2"),
        ((torch.zeros(8, C, 6, 6), torch.zeros(8)), sn.SparsenetError, r"shape \(B, ...\), got \(8,\)"),
        ([{"x": torch.zeros(8, C, 6, 6)}], TypeError, "got dict"),
        ([[[1.0]]], TypeError, "got list"),
        (None, TypeError, "got NoneType"),
        (torch.zeros(0, C, 6, 6), sn.SparsenetError, "no samples"),
        (iter([]), sn.SparsenetError, "an iterator gives its data only once"),
        (torch.zeros(C, 6, 6), sn.SparsenetError, r"images \(B, C, H, W\), got shape \(4, 6, 6\)"),
        (torch.zeros(8, C + 1, 6, 6), sn.SparsenetError, "calibration batches that the module takes"),
        (torch.zeros(8, C, 6, 6, dtype=torch.int64), sn.SparsenetError, "calibration batches that the module takes"),
        (torch.full((8, C, 6, 6), torch.nan), sn.SparsenetError, "NaN or infinity at"),
    ],
)
def test_calibration_data_that_cannot_be_right(data, kind, message):
    with pytest.raises(kind, match=message):
        quantize_aware(nn.Sequential(conv()), data)


def test_arrays_are_calibration_data_too():
    x = np.random.default_rng(0).normal(size=(20, C, 6, 6))
    module = nn.Sequential(conv()).eval()
    wanted = quantize_aware(module, torch.from_numpy(x).float())
    y = torch.randn(3, C, 6, 6)
    assert torch.equal(quantize_aware(module, x)(y), wanted(y))
    assert torch.equal(quantize_aware(module, (x[i : i + 7].astype(">f4") for i in (0, 7, 14)))(y), wanted(y))


class ReadsWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(C, 4, 3)

    def forward(self, x):
        return F.relu(self.c(x) / self.c.weight.abs().sum())


def test_weights_that_are_read_outside_of_their_layer_are_refused():
    with pytest.raises(sn.SparsenetError, match="layer 'c': its weight is read outside of it"):
        quantize_aware(ReadsWeights(), torch.randn(20, C, 6, 6))


def test_batches_of_samples_of_two_shapes_are_refused():
    batches = [torch.randn(4, C, 6, 6), torch.randn(4, C, 7, 6)]
    with pytest.raises(sn.SparsenetError, match="samples of one shape"):
        quantize_aware(nn.Sequential(nn.Conv2d(C, 4, 3), nn.ReLU()), batches)
