"""The copy that rounds while it trains computes what the quantised network computes."""

import numpy as np
import pytest

import sparsenet as sn
from sparsenet import packing
from sparsenet.graph.reference import evaluate_layer
from sparsenet.passes.quant_params import QuantParams, quantized_conv2d

torch = pytest.importorskip("torch", reason="needs the extra train")
from torch import nn  # noqa: E402

from sparsenet.nn import KWinners, KWinners2d, MaskedConv2d, MaskedLinear, quantize_aware, without_rounding  # noqa: E402
from sparsenet.nn.fake_quantize import FakeQuantizedConv2d, FakeQuantizedLinear, rounded  # noqa: E402


def a_network(*, norms=True):
    """The reference network in small, sparse twice, with random weights and statistics."""
    norm = nn.BatchNorm2d if norms else (lambda channels: nn.Identity())
    network = nn.Sequential(
        *(nn.Conv2d(1, 16, 5), norm(16), nn.MaxPool2d(2), KWinners2d(16, 4)),
        *(MaskedConv2d(16, 32, 3, packing.taps((32, 16, 3, 3), 1 / 3)), norm(32), KWinners2d(32, 8), nn.Flatten()),
        *(MaskedLinear(32 * 16, 40, packing.uniform((40, 512), 0.1)), KWinners(40, 10), nn.Linear(40, 3)),
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2), nn.init.normal_(module.bias)
    network.train()(images(200))
    return network.eval()


def images(count, seed=0):
    r = np.random.default_rng(seed)
    return torch.from_numpy(np.tanh(r.standard_normal((count, 1, 16, 16))).astype(np.float32))


def as_network(graph):
    """The float32 network of a graph that is one chain of layers."""
    return sn.Network.sequential((1, 16, 16), [as_layer(layer) for layer in graph.children()])


def as_layer(layer):
    if isinstance(layer, nn.Conv2d | MaskedConv2d | nn.Linear | MaskedLinear):
        kind = sn.Linear if layer.weight.dim() == 2 else sn.Conv2d
        return kind(layer.weight.detach().numpy(), layer.bias.detach().numpy())
    if isinstance(layer, KWinners2d | KWinners):
        return sn.KWinners(layer.k, getattr(layer, "scope", "all"))
    if isinstance(layer, nn.ReLU):
        return sn.ReLU()
    return sn.Flatten() if isinstance(layer, nn.Flatten) else sn.MaxPool2d(layer.kernel_size)


def relative_error(got, wanted):
    return float(np.sqrt(np.square(got - wanted).sum() / np.square(wanted).sum()))


@pytest.mark.parametrize("unsigned", [True, False])
def test_a_rounding_convolution_is_the_quantised_one(unsigned):
    before, after = QuantParams(0.02, 0 if unsigned else 117), QuantParams(0.11, 0 if unsigned else 90)
    layer = nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1)
    x = torch.randint(0, 256, (4, 3, 9, 9)).float()
    quantized = quantized_conv2d(
        sn.Conv2d(layer.weight.detach().numpy(), layer.bias.detach().numpy(), 2, 1), before, after
    )
    wanted = evaluate_layer(quantized.layer, x.numpy().astype(np.float64))
    got = FakeQuantizedConv2d(layer, before, after)((x - before.zero) * before.scale)
    steps = got.detach().numpy() / quantized.after.scale + after.zero
    off = np.abs(steps - wanted)
    # sums that lie halfway between two bytes go up there, to the even one here, as float32 happens to round them
    assert off.max() < 1.001
    assert (off > 0.5).mean() < 0.01


def test_rounding_passes_gradients_and_clipping_stops_them():
    x = torch.tensor([0.2, 0.6, -3.0, 300.0], requires_grad=True)
    y = rounded(x.clamp(0, 255))
    y.sum().backward()
    assert y.tolist() == [0.0, 1.0, 0.0, 255.0]
    assert x.grad.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_the_copy_computes_nearly_what_the_quantised_network_does():
    network, x = a_network(), images(64, seed=1)
    rounding = quantize_aware(network, images(200))
    net = as_network(without_rounding(rounding))
    quantized = sn.quantize(net, images(200).numpy(), progress=False)
    wanted = quantized.reference(x.numpy())
    error = relative_error(rounding(x).detach().numpy(), wanted)
    plain = relative_error(network(x).detach().numpy(), wanted)
    # from the same data it chooses the same steps; rounding decides some winners, and sums that lie halfway differ
    assert error < plain / 2


def test_without_rounding_it_is_the_network_again():
    network, x = a_network(), images(8, seed=1)
    again = without_rounding(quantize_aware(network, images(50)))
    torch.testing.assert_close(again(x), network(x), rtol=1e-4, atol=1e-4)  # folding rounds, and sums up to 512 inputs
    assert {type(layer) for layer in again.children()} >= {MaskedConv2d, MaskedLinear, KWinners2d}


def test_the_module_stays_as_it_was():
    network = a_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    quantize_aware(network.train(), [images(20), images(30)])
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def shapes(count, seed):
    """Five pictures under much noise, and which it is."""
    r = np.random.default_rng(seed)
    pictures = np.random.default_rng(9).standard_normal((5, 1, 16, 16))
    which = r.integers(0, 5, count)
    noisy = pictures[which] + 2.5 * r.standard_normal((count, 1, 16, 16))
    return torch.from_numpy(noisy.astype(np.float32)), torch.from_numpy(which)


def trained(network, steps, rate):
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    for step in range(steps):
        x, which = shapes(64, seed=step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), which).backward()
        optimizer.step()
    return network


def hard_to_round():
    """A trained network with one filter 100 times the others: these are left few steps of the scale that all share."""
    layers = [nn.Conv2d(1, 8, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten()]
    network = trained(nn.Sequential(*layers, nn.Linear(8 * 16, 5)), 60, 3e-3)
    with torch.no_grad():
        network[0].weight[0] *= 100
        network[0].bias[0] *= 100
        network[3].weight[:, 0] /= 100
    return network


def test_training_the_copy_trains_what_the_quantised_network_will_be():
    x, which = shapes(500, seed=2**31)
    calibration = shapes(100, seed=2**30)[0]

    def loss(y):
        return float(nn.functional.cross_entropy(torch.as_tensor(y).detach(), which))

    rounding = quantize_aware(hard_to_round(), calibration)
    before = loss(rounding(x))
    trained(rounding, 80, 1e-3)
    after = loss(rounding(x))
    quantized = sn.quantize(as_network(without_rounding(rounding)), calibration.numpy(), progress=False)
    in_bytes = loss(quantized.reference(x.numpy()))
    assert after < before
    assert in_bytes < before


class Residual(nn.Module):
    """Functional forms, a branch, and an addition that is done in float32."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 4, 3)
        self.norm, self.linear = nn.BatchNorm2d(8), nn.Linear(4 * 5 * 5, 3)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.first(x)), 2)
        x = nn.functional.relu(self.norm(self.second(x)) + x)
        return self.linear(self.third(x).relu().view(x.shape[0], -1))


def test_branches_and_functional_forms_round_where_the_engine_does():
    network, x = Residual().eval(), images(40)
    rounding = quantize_aware(network, x)
    kinds = [type(module).__name__ for module in rounding.children()]
    assert kinds.count("ByteSteps") == 2  # the input, and the sum that the third convolution reads
    assert kinds.count("FakeQuantizedConv2d") == 3
    assert isinstance(rounding.linear, FakeQuantizedLinear)
    assert not isinstance(without_rounding(rounding).linear, FakeQuantizedLinear)
    torch.testing.assert_close(without_rounding(rounding)(x), network(x), rtol=1e-4, atol=1e-4)
    assert 0 < relative_error(rounding(x).detach().numpy(), network(x).detach().numpy()) < 0.1


def test_signed_outputs_keep_what_is_below_zero():
    network = nn.Sequential(nn.Conv2d(1, 4, 3))
    rounding, x = quantize_aware(network, images(40)), images(10)
    assert relative_error(rounding(x).detach().numpy(), network(x).detach().numpy()) < 0.05


class Dynamic(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_what_cannot_be_rounded_is_refused():
    shared = nn.Conv2d(1, 1, 3)
    with pytest.raises(sn.SparsenetError, match="tracing it failed"):
        quantize_aware(Dynamic(), images(3))
    with pytest.raises(sn.SparsenetError, match="no samples"):
        quantize_aware(nn.Sequential(shared), [])
    with pytest.raises(sn.SparsenetError, match="used twice"):
        quantize_aware(nn.Sequential(shared, shared), images(3))
