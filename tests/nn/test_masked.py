"""Weights outside a mask are exactly zero, whatever is done to a masked layer."""

import copy
import pickle

import numpy as np
import pytest

import sparsenet as sn

torch = pytest.importorskip("torch", reason="needs the extra train")
from sparsenet.nn import MaskedConv2d, MaskedLinear, masked  # noqa: E402


def a_mask(*shape, density=0.3, seed=0):
    return np.random.default_rng(seed).random(shape) < density


def linear(**settings):
    return MaskedLinear(20, 12, a_mask(12, 20), **settings)


def conv2d(**settings):
    return MaskedConv2d(4, 6, 3, a_mask(6, 4, 3, 3), **settings)


OPTIMIZERS = [
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.5),
    lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.5, fused=True),
    lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5, weight_decay=0.1),
]


@pytest.mark.parametrize("make_optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("make", "shape"), [(linear, (5, 20)), (conv2d, (5, 4, 8, 8))])
def test_no_optimizer_moves_a_weight_outside_the_mask(make, shape, make_optimizer):
    layer = make()
    before = layer.weight.detach()
    optimizer = make_optimizer(layer.parameters())
    for _ in range(5):
        optimizer.zero_grad()
        layer(torch.randn(shape)).square().sum().backward()
        optimizer.step()
    assert not layer.weight[~layer.mask].any()
    assert (layer.weight != before)[layer.mask].all()


@pytest.mark.parametrize("bias", [True, False])
def test_they_compute_what_dense_layers_compute_and_have_their_gradients(bias):
    settings = {"stride": (2, 1), "padding": 1, "dilation": (1, 2), "groups": 2, "bias": bias}
    plain = torch.nn.Conv2d(4, 6, 3, **settings)
    layer = masked(plain, a_mask(6, 2, 3, 3))
    with torch.no_grad():
        plain.weight.mul_(layer.mask)
    x = torch.randn(3, 4, 9, 9)
    assert torch.equal(layer(x), plain(x))
    layer(x).square().sum().backward(), plain(x).square().sum().backward()
    torch.testing.assert_close(layer.kept_weight.grad, plain.weight.grad[layer.mask])


def test_a_masked_linear_layer_takes_over_device_dtype_and_mode():
    plain = torch.nn.Linear(20, 12, dtype=torch.float64).eval()
    layer = masked(plain, torch.from_numpy(a_mask(12, 20)))
    assert layer.weight.dtype == torch.float64
    assert not layer.training
    x = torch.randn(2, 20, dtype=torch.float64)
    wanted = torch.nn.functional.linear(x, plain.weight * layer.mask, plain.bias)
    torch.testing.assert_close(layer(x), wanted)


def test_first_weights_have_the_variance_of_the_kept_fan_in():
    mask = np.zeros((2000, 100), bool)
    mask[:1000, :10], mask[1000:, :50] = True, True
    weight = MaskedLinear(100, 2000, mask).weight.detach().numpy()
    # the standard deviation of n normal numbers is known to about 1 / sqrt(2 n): 0.7 % of 10,000; four of these
    assert weight[:1000, :10].std() == pytest.approx(np.sqrt(2 / 10), rel=0.03)
    assert weight[1000:, :50].std() == pytest.approx(np.sqrt(2 / 50), rel=0.03)


def test_the_gradient_is_right():
    layer = MaskedLinear(5, 4, a_mask(4, 5, density=0.5)).double()
    x = torch.randn(3, 5, dtype=torch.float64)
    values = layer.kept_weight.detach().clone().requires_grad_()
    call = lambda one: torch.func.functional_call(layer, {"kept_weight": one}, (x,))  # noqa: E731
    assert torch.autograd.gradcheck(call, (values,))


def test_state_goes_into_copies():
    layer, x = linear(), torch.randn(3, 20)
    other = MaskedLinear(20, 12, np.roll(layer.mask.numpy(), 7))
    other.load_state_dict(layer.state_dict())
    for twin in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x), layer(x))
        assert torch.equal(twin.mask, layer.mask)
    assert layer.state_dict()["mask"].dtype == torch.bool


def test_autocast_gives_what_dense_layers_give():
    layer, x = linear(bias=False), torch.randn(3, 20)
    with torch.autocast("cpu", torch.bfloat16):
        got, wanted = layer(x), torch.nn.functional.linear(x, layer.weight)
    assert got.dtype == torch.bfloat16
    assert torch.equal(got, wanted)
    got.float().sum().backward()
    assert layer.kept_weight.grad.dtype == torch.float32


def test_exported_layers_compute_the_same():
    module = torch.nn.Sequential(conv2d(padding=1), torch.nn.Flatten(), MaskedLinear(96, 3, a_mask(3, 96))).eval()
    x = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(torch.export.export(module, (x,)).module()(x), module(x))


def test_another_mask_keeps_what_stays_and_begins_at_zero_elsewhere():
    layer = linear()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.randn(9, 20)).square().sum().backward()
    optimizer.step()
    before, old = layer.weight.detach(), layer.mask.clone()
    new = torch.from_numpy(np.roll(old.numpy(), 1, axis=1))
    layer.set_mask(new, optimizer)
    wanted = torch.where(old & new, before, 0)
    assert torch.equal(layer.weight, wanted)
    memory = torch.zeros(12 * 20).index_copy(0, layer.positions, optimizer.state[layer.kept_weight]["exp_avg"])
    assert torch.equal(memory.view(12, 20) != 0, old & new)


def test_masks_that_keep_fewer_leave_slots_empty_until_others_need_them():
    layer, x = linear(), torch.randn(3, 20)
    full, before = layer.mask.clone(), layer.weight.detach()
    few = full & torch.from_numpy(a_mask(12, 20, density=0.5, seed=1))
    layer.set_mask(few)
    assert torch.equal(layer.weight, before * few)
    layer(x).sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.1).step()
    assert not layer.weight[~few].any()
    layer.set_mask(full)
    assert torch.equal(layer.weight != 0, few)
    assert len(set(layer.positions.tolist())) == int(full.sum())


def test_the_gradient_of_the_whole_weight_can_be_watched():
    layer, x = linear(), torch.randn(3, 20)
    layer.watch_gradient = True
    layer(x).sum().backward()
    layer(x).sum().backward()
    torch.testing.assert_close(layer.weight_gradient, 2 * x.sum(0).expand(12, 20))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: MaskedLinear(20, 12, a_mask(20, 12)), sn.GraphError, r"mask of shape \(12, 20\)"),
        (lambda: MaskedLinear(20, 12, np.ones((12, 20))), TypeError, "mask of bools"),
        (lambda: MaskedConv2d(3, 4, 3, a_mask(4, 3, 3, 3), groups=2), sn.GraphError, "groups"),
        (lambda: linear().set_mask(np.ones((12, 20), bool)), sn.GraphError, "keeps at most"),
        (lambda: masked(torch.nn.ReLU(), None), TypeError, "nn.Linear or nn.Conv2d"),
        (lambda: masked(torch.nn.Conv2d(1, 1, 3, padding="same"), None), sn.GraphError, "padding with zeros"),
    ],
)
def test_what_cannot_be_right_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_an_empty_mask_is_a_layer_without_weights():
    layer = MaskedLinear(4, 3, np.zeros((3, 4), bool))
    assert torch.equal(layer(torch.randn(2, 4)), torch.zeros(2, 3))
