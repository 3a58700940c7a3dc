"""Each kind of layer means what the torch module or function it came from means."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from torch_parity import assert_same_meaning, imported, layers, names, notes

import sparsenet as sn

torch = pytest.importorskip("torch", reason="needs the extra train")
nn, F = torch.nn, torch.nn.functional

pairs = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))
paddings = st.one_of(st.integers(0, 2), st.tuples(st.integers(0, 2), st.integers(0, 2)))
images = st.tuples(st.sampled_from([1, 2, 4, 6]), st.integers(1, 9), st.integers(1, 9))


class Calls(nn.Module):
    """A module that calls one function of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def as_pair(value):
    return value if isinstance(value, tuple) else (value, value)


@given(images, pairs, pairs, paddings, pairs, st.sampled_from([1, 2]), st.booleans(), st.integers(0, 9))
def test_convolutions(shape, kernel, stride, padding, dilation, groups, bias, seed):
    torch.manual_seed(seed)
    assume(shape[0] % groups == 0)
    reach = [d * (k - 1) + 1 for d, k in zip(as_pair(dilation), as_pair(kernel), strict=True)]
    assume(all(s + 2 * p >= r for s, p, r in zip(shape[1:], as_pair(padding), reach, strict=True)))
    conv = nn.Conv2d(shape[0], 2 * groups, kernel, stride, padding, dilation, groups, bias)
    net = assert_same_meaning(conv, shape)
    np.testing.assert_array_equal(net.nodes[0].layer.weight, conv.weight.detach().numpy())
    assert net.nodes[0].layer.mask is None


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (5, 2), ((3, 1), (2, 1)), (1, 1), (2, 2)])
def test_same_padding_that_is_alike_on_both_sides(kernel, dilation):
    net = assert_same_meaning(nn.Conv2d(2, 3, kernel, padding="same", dilation=dilation), (2, 6, 5))
    assert net.output_shape == (3, 6, 5)
    assert [layer for layer, _ in notes(net)] == ["conv2d"]


def test_valid_padding():
    assert imported(nn.Conv2d(2, 3, 3, padding="valid"), (2, 6, 5)).nodes[0].layer.padding == (0, 0)


@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 9))
def test_linear_layers(inputs, outputs, bias, seed):
    torch.manual_seed(seed)
    net = assert_same_meaning(nn.Linear(inputs, outputs, bias), (inputs,))
    assert (net.nodes[0].layer.bias is not None) == bias


@given(images, pairs, st.none() | pairs, paddings, st.booleans(), st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]))
def test_pooling(shape, kernel, stride, padding, ceil_mode, kind):
    """Also with ceil_mode, as long as it adds no window; else the error says so."""
    assume(all(2 * p <= k for p, k in zip(as_pair(padding), as_pair(kernel), strict=True)))
    pairs_of_sizes = zip(shape[1:], as_pair(padding), as_pair(kernel), as_pair(stride or kernel), strict=True)
    sizes = [(size + 2 * p - k, s) for size, p, k, s in pairs_of_sizes]
    assume(all(free >= 0 for free, _ in sizes))
    pool = kind(kernel, stride, padding, ceil_mode=ceil_mode)
    # torch drops a window that would begin in the padding behind the image
    if ceil_mode and pool(torch.zeros(1, *shape)).shape[2:] != tuple(free // s + 1 for free, s in sizes):
        with pytest.raises(sn.UnsupportedLayerError, match="ceil_mode"):
            imported(pool, shape)
    else:
        assert layers(assert_same_meaning(pool, shape)) == [kind.__name__]


@pytest.mark.parametrize(
    ("pool", "kind"),
    [
        (nn.AdaptiveAvgPool2d(1), "GlobalAvgPool2d"),
        (nn.AdaptiveAvgPool2d((2, 3)), "AvgPool2d"),
        (nn.AdaptiveAvgPool2d((None, 3)), "AvgPool2d"),
        (nn.AdaptiveMaxPool2d(1), "MaxPool2d"),
        (nn.AdaptiveMaxPool2d((2, 3)), "MaxPool2d"),
    ],
)
def test_adaptive_pooling_with_windows_of_one_size(pool, kind):
    assert layers(assert_same_meaning(pool, (3, 4, 6))) == [kind]


@pytest.mark.parametrize("dim", [(2, 3), [3, 2], (-1, -2), (-2, 3)])
def test_means_over_an_image(dim):
    assert layers(assert_same_meaning(Calls(lambda x: x.mean(dim)), (3, 4, 6))) == ["GlobalAvgPool2d", "Flatten"]
    kept = assert_same_meaning(Calls(lambda x: torch.mean(x, dim, keepdim=True)), (3, 4, 6))
    assert layers(kept) == ["GlobalAvgPool2d"]


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 4), (2, 3, 2, 2)])
@pytest.mark.parametrize("function", [torch.matmul, lambda x, y: x @ y.relu(), lambda x, y: torch.matmul(x, other=y)])
def test_products_of_two_activations(function, shape):
    net = assert_same_meaning(Calls(lambda x: function(x, x)), shape)
    assert layers(net)[-1] == "MatMul"


@pytest.mark.parametrize("shape", [(6,), (4, 6), (2, 3, 4)])
@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("affine", [False, True])
def test_layer_norms(shape, axes, affine):
    rows = shape[-axes:]
    norm = nn.LayerNorm(rows, eps=1e-3, elementwise_affine=affine)
    for seed, parameter in enumerate(norm.parameters()):
        parameter.data = torch.from_numpy(np.random.default_rng(seed).normal(size=rows).astype(np.float32))
    net = assert_same_meaning(norm, shape)
    assert layers(net) == ["LayerNorm"]
    assert net.nodes[0].layer.axes == len(rows)


@given(st.integers(1, 5), st.booleans(), st.booleans(), st.floats(1e-6, 1e-2), st.integers(0, 9))
def test_batch_norms(channels, image, affine, epsilon, seed):
    r = np.random.default_rng(seed)
    norm = (nn.BatchNorm2d if image else nn.BatchNorm1d)(channels, eps=epsilon, affine=affine)
    for tensor in (norm.running_mean, norm.running_var, *norm.parameters()):
        tensor.data = torch.from_numpy(r.uniform(0.1, 2, channels).astype(np.float32))
    net = assert_same_meaning(norm, (channels, 3, 2) if image else (channels,))
    assert (net.nodes[0].layer.weight is not None) == affine


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        Calls(F.relu),
        Calls(torch.relu),
        Calls(lambda x: x.relu()),
        Calls(lambda x: x.relu_()),
        Calls(lambda x: x.clamp(min=0)),
        Calls(lambda x: torch.clamp_min(x, 0)),
    ],
)
def test_relu_by_any_name(activation):
    assert layers(assert_same_meaning(activation, (3, 4, 6))) == ["ReLU"]


@pytest.mark.parametrize("shape", [(5,), (3, 4, 6)])
@pytest.mark.parametrize(
    ("activation", "slope"),
    [
        (nn.LeakyReLU(), 0.01),
        (nn.LeakyReLU(-2.0, inplace=True), -2.0),
        (Calls(lambda x: F.leaky_relu(x, 0.5)), 0.5),
    ],
)
def test_leaky_relu(activation, slope, shape):
    net = assert_same_meaning(activation, shape)
    assert layers(net) == ["LeakyReLU"]
    assert net.nodes[0].layer.slope == slope


@pytest.mark.parametrize("shape", [(5,), (5, 2, 3)])
@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (nn.Softmax(1), "Softmax"),
        (nn.LogSoftmax(1), "LogSoftmax"),
        (Calls(lambda x: F.softmax(x, 1 - x.dim())), "Softmax"),
        (Calls(lambda x: x.log_softmax(dim=1)), "LogSoftmax"),
    ],
)
def test_softmax(function, kind, shape):
    assert layers(assert_same_meaning(function, shape)) == [kind]


@pytest.mark.parametrize(
    ("function", "kinds", "shape"),
    [
        (nn.Flatten(), ["Flatten"], (24,)),
        (Calls(lambda x: x.view(x.size(0), -1)), ["Flatten"], (24,)),
        (Calls(lambda x: x.reshape(-1, 24)), ["Flatten"], (24,)),
        (Calls(lambda x: torch.flatten(x, 1)), ["Flatten"], (24,)),
        (Calls(lambda x: torch.flatten(x, 2)), ["Reshape"], (2, 12)),
        (Calls(lambda x: x.view(len(x), 3, 2, 2, 2)), ["Reshape"], (3, 2, 2, 2)),
        (Calls(lambda x: x.unsqueeze(1).squeeze(1)), ["Reshape", "Reshape"], (2, 3, 4)),
        (nn.Unflatten(1, (1, 2)), ["Reshape"], (1, 2, 3, 4)),
    ],
)
def test_reshaping(function, kinds, shape):
    net = assert_same_meaning(function, (2, 3, 4))
    assert (layers(net), net.output_shape) == (kinds, shape)


CHANNELS = torch.tensor([0.5, -2.0, 4.0]).view(3, 1, 1)


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (lambda x: x + 0.25, 1),
        (lambda x: 2 - x, 1),
        (lambda x: x - CHANNELS, 1),
        (lambda x: CHANNELS - x, 1),
        (lambda x: x * CHANNELS[None], 1),
        (lambda x: CHANNELS * x / 8, 2),
        (lambda x: x / torch.tensor(4.0), 1),
        (lambda x: torch.add(CHANNELS, x, alpha=2), 1),
        (lambda x: torch.sub(x, CHANNELS, alpha=2), 1),
        (lambda x: -x, 1),
        (lambda x: x.mul_(CHANNELS).add_(1), 2),
        (lambda x: x.clone() + 0, 0),
    ],
)
def test_constants_for_each_channel(function, count):
    """All constants, and their inverses, are sums of few powers of two, and exact in float32."""
    module = nn.Sequential(nn.Identity(), Calls(function), nn.ReLU())
    assert layers(assert_same_meaning(module, (3, 2, 2))) == ["BatchNorm"] * count + ["ReLU"]


def test_constants_for_each_element_of_a_vector():
    assert layers(assert_same_meaning(Calls(lambda x: x * CHANNELS.ravel() + 1), (3,))) == ["BatchNorm", "BatchNorm"]


def test_matrices_from_the_right():
    matrix = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).float()

    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix = nn.Parameter(matrix)

        def forward(self, x):
            return x @ self.matrix

    net = assert_same_meaning(Product(), (4,))
    assert (names(net), layers(net)) == (["matmul"], ["Linear"])


@pytest.mark.parametrize(
    "nothing",
    [
        *(nn.Identity(), nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout()),
        Calls(lambda x: F.dropout(x, 0.5, False)),
        Calls(lambda x: x.contiguous().clone().detach().float().to("cpu").data),
    ],
)
def test_what_does_nothing_is_left_out(nothing):
    assert layers(assert_same_meaning(nn.Sequential(nothing, nn.ReLU()), (2, 3, 3))) == ["ReLU"]


@pytest.mark.parametrize("join", [torch.cat, torch.concat])
def test_joining(join):
    module = Calls(lambda x: join([x, F.relu(x), x * 2], dim=1))
    assert layers(assert_same_meaning(module, (2, 3, 3))).count("Concat") == 1
    last = Calls(lambda x: join((x, F.relu(x)), -3))
    assert assert_same_meaning(last, (2, 3, 3)).output_shape == (4, 3, 3)


def test_sums():
    module = Calls(lambda x: x + F.relu(x) + x)
    assert layers(assert_same_meaning(module, (2, 3, 3))) == ["ReLU", "Add", "Add"]
