"""What cannot be imported is refused, by name, with what to do instead."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_parity import imported, samples

import sparsenet as sn

torch = pytest.importorskip("torch", reason="needs the extra train")
nn, F = torch.nn, torch.nn.functional


class Calls(nn.Module):
    """A module that calls one function of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def refused(module, shape, *said, error=sn.UnsupportedLayerError):
    with pytest.raises(error) as caught:
        imported(module, shape)
    for words in said:
        assert words in str(caught.value)


def test_unknown_layers_are_named_with_what_is_supported():
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.GELU()))
    refused(module, (4,), "layer '1.0' (GELU)", "gelu", "supported are conv2d", "write the layer from these")


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Sigmoid(), (4,)),
        (nn.ReLU6(), (4,)),
        (nn.InstanceNorm2d(4), (4, 3, 3)),
        (nn.GroupNorm(2, 4), (4, 3, 3)),
        (nn.Conv1d(4, 2, 3), (4, 5)),
        (nn.ConvTranspose2d(4, 2, 3), (4, 5, 5)),
        (nn.LSTM(4, 2), (3, 4)),
        (Calls(lambda x: F.scaled_dot_product_attention(x, x, x)), (3, 4)),
        (nn.PReLU(), (4,)),
        (nn.Upsample(scale_factor=2), (4, 2, 2)),
        (Calls(lambda x: x[:, :2]), (4,)),
        (Calls(lambda x: x.permute(0, 2, 1)), (4, 3)),
        (Calls(lambda x: x.transpose(1, 2)), (4, 3)),
        (Calls(lambda x: x.mT), (4, 3)),
        (Calls(lambda x: x * x), (4,)),
        (Calls(lambda x: x - F.relu(x)), (4,)),
        (Calls(lambda x: 1 / x), (4,)),
        (Calls(lambda x: x.clamp(min=0, max=6)), (4,)),
        (Calls(lambda x: x.chunk(2, 1)[0]), (4,)),
        (Calls(lambda x: torch.relu(x.double())), (4,)),
        (Calls(lambda x: x + torch.arange(9.0).view(3, 3)), (2, 3, 3)),
        (Calls(lambda x: x * torch.ones(2, 2, 1, 1)), (2, 3, 3)),
        (Calls(lambda x: torch.cat([x, torch.zeros(len(x), 2)], 1)), (4,)),
        (Calls(lambda x: torch.cat([x, x], 2)), (4, 3)),
        (Calls(lambda x: torch.add(x, F.relu(x), alpha=2)), (4,)),
        (Calls(lambda x: x.mean(1)), (4,)),
        (Calls(lambda x: x.mean((1, 2))), (4, 3, 3)),
        (Calls(lambda x: F.linear(x, x)), (4,)),
        (Calls(lambda x: torch.add(x, 1, out=torch.empty(0))), (4,)),
        (Calls(lambda x: torch.div(x, 2, rounding_mode="floor")), (4,)),
        (Calls(lambda x: torch.ones(4, 4) @ x.T), (4,)),
        (nn.AdaptiveAvgPool2d(3), (2, 4, 4)),
        (nn.MaxPool2d(2, dilation=2), (2, 6, 6)),
        (nn.MaxPool2d(2, return_indices=True), (2, 6, 6)),
        (nn.AvgPool2d(2, divisor_override=3), (2, 6, 6)),
        (nn.Softmax(2), (2, 3)),
        (nn.BatchNorm2d(4, track_running_stats=False), (4, 3, 3)),
        (nn.Identity(), (4,)),
        (nn.ZeroPad2d(1), (2, 3, 3)),
    ],
)
def test_what_no_layer_computes(module, shape):
    refused(module, shape, "expected")


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_same_padding_that_is_not_alike():
    refused(nn.Conv2d(1, 1, 2, padding="same"), (1, 4, 4), 'padding "same"', "pad by hand")


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
def test_padding_modes(mode):
    refused(nn.Conv2d(1, 1, 3, padding=1, padding_mode=mode), (1, 4, 4), "(Conv2d)", mode, "padding by zeros")


def test_averages_that_leave_out_their_padding():
    refused(nn.AvgPool2d(3, padding=1, count_include_pad=False), (1, 4, 4), "count_include_pad=False")


def test_dropout_that_is_on():
    refused(Calls(lambda x: F.dropout(x)), (4,), "training=self.training")


def test_random_numbers():
    refused(Calls(lambda x: x + torch.rand(1)), (4,), "random", "second run")
    refused(Calls(lambda x: x + torch.rand_like(x)), (4,), "rand_like")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * float(x.max()),
        lambda x: x * x.max().item(),
        lambda x: torch.relu(x) if torch.equal(x, x) else x,
        lambda x: torch.from_numpy(np.tanh(x.numpy())),
        lambda x: torch.from_numpy(np.asarray(x) * 2),
    ],
)
def test_control_flow_that_depends_on_values(function):
    refused(Calls(function), (4,), "the module (Calls)")


def test_looking_at_values_is_called_by_its_name():
    refused(Calls(lambda x: F.relu(x) if bool(F.relu(x)) else x), (1,), "looks at values", "control flow")


def test_control_flow_on_the_batch():
    refused(Calls(lambda x: x * 2 if len(x) > 2 else x * 4), (4,), "size of the batch")


def test_reshaping_across_samples():
    refused(Calls(lambda x: x.view(1, -1)), (4,), "first axis is the batch")
    refused(Calls(lambda x: x.flatten()), (4,), "first axis is the batch")


def test_samples_without_axes():
    refused(Calls(lambda x: F.relu(x).squeeze(1)), (1,), "at least one axis")


def test_views_of_what_is_changed_in_place():
    def function(x):
        flat = x.flatten(1)
        x.relu_()
        return flat

    refused(Calls(function), (2, 2), "changed in place", "inplace=True")


no_scripts = pytest.mark.skipif(sys.version_info >= (3, 14), reason="torch does not script modules on Python 3.14")


def deprecated(test):
    """Torch says so with one kind of warning up to 2.13 and with another from 2.14 on."""
    for kind in ("DeprecationWarning", "FutureWarning"):
        test = pytest.mark.filterwarnings(f"ignore:.*torch.jit.script:{kind}")(test)
    return test


@no_scripts
@deprecated
def test_code_that_torch_does_not_report():
    @torch.jit.script
    def hidden(x):
        return x * 2

    refused(Calls(lambda x: hidden(x)), (4,), "scripted")
    refused(Calls(lambda x: x + hidden(x)[0]), (4,), "second run")


@no_scripts
@deprecated
def test_scripted_modules():
    refused(nn.Sequential(torch.jit.script(nn.Linear(4, 2))), (4,), "layer '0'", "scripted")


@pytest.mark.parametrize("result", [lambda x: (x, x), lambda x: {"y": x}, lambda x: None, lambda x: torch.zeros(2, 1)])
def test_other_results_than_one_tensor_of_the_input(result):
    refused(Calls(result), (4,), "expected")


def test_weights_that_are_not_finite():
    module = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))
    module[1].weight.data[0, 0] = float("nan")
    refused(module, (4,), "layer '1' (Linear)", "finite", error=sn.GraphError)


def test_weights_too_large_for_float32():
    module = nn.Linear(4, 2).double()
    module.weight.data[0, 0] = 1e300
    refused(module, (4,), "finite", error=sn.GraphError)


def test_division_by_zero():
    refused(Calls(lambda x: x / 0), (4,), "finite", error=sn.GraphError)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int32])
def test_dtypes_that_no_layer_has(dtype):
    module = nn.Linear(4, 2, bias=False)
    module.weight = nn.Parameter(torch.ones(2, 4, dtype=dtype), requires_grad=False)
    with pytest.raises(sn.SparsenetError):
        imported(module, (4,))


def test_lazy_modules():
    refused(nn.Sequential(nn.LazyLinear(3)), (4,), "layer '0' (LazyLinear)", "run it once")
    refused(nn.Linear(4, 3, device="meta"), (4,), "load its weights")


def test_modules_that_cannot_be_copied():
    module = nn.Linear(4, 2)
    module.lock = threading.Lock()
    refused(nn.Sequential(nn.ReLU(), module), (4,), "layer '1' (Linear), attribute 'lock'", "can be copied")


NO_LAYERS = {
    "relu6": (nn.ReLU6(), "ReLU6 (torch's hardtanh)"),
    "silu": (nn.SiLU(), "silu"),
    "upsample": (nn.Upsample(scale_factor=1.0), "Upsample (torch's interpolate)"),
    "group_norm": (nn.GroupNorm(2, 4), "group_norm"),
    "padding": (nn.ZeroPad2d(1), "zeros, given to the convolution"),
    "transposed": (nn.ConvTranspose2d(4, 4, 1), "conv_transpose2d"),
    "chunks": (Calls(lambda x: x.chunk(2, 1)[1].repeat(1, 2, 1, 1)), "got chunk"),
    "product": (Calls(lambda x: F.relu(x) * x), "2 values that depend on it"),
    "batch": (nn.BatchNorm2d(4, track_running_stats=False), "stored statistics"),
}
LAYERS = [nn.ReLU(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.MaxPool2d(1)]


@given(st.lists(st.sampled_from(sorted(NO_LAYERS)), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_everything_that_is_no_layer_is_told_at_once_with_how_often(names, random):
    parts = [NO_LAYERS[name][0] for name in names] + LAYERS
    random.shuffle(parts)
    with pytest.raises(sn.UnsupportedLayerError) as caught:
        imported(nn.Sequential(*parts), (4, 6, 6))
    message = str(caught.value)
    for name in names:
        told, times = NO_LAYERS[name][1], names.count(name)
        assert told in message
        if name not in ("padding", "product", "chunks"):  # which say shapes or names, or call several functions
            group = next(part for part in message.split("; layer") if told in part)
            assert (f"({times} times)" in group) is (times > 1)


def test_a_matrix_for_each_of_several_positions_is_refused_with_what_computes_it():
    refused(
        nn.Sequential(nn.Linear(8, 4)), (5, 8), "each of 5 vectors", "Conv2d(8, 4, 1) on samples of shape (8, 5, 1)"
    )


def test_products_of_two_values_say_which():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.a(x) * self.b(x)

    refused(Gated(), (4,), "2 values that depend on it: those of 'a' and 'b'")


@pytest.mark.parametrize("shape", [(3,), (4, 2), (5, 5, 5)])
def test_examples_of_the_wrong_shape(shape):
    module = nn.Sequential(nn.ReLU(), nn.Conv2d(2, 3, 3))
    with pytest.raises(sn.GraphError, match=r"layer '1' \(Conv2d\).*does the example have the shape"):
        sn.from_torch(module, torch.zeros(1, *shape))


@pytest.mark.parametrize("shape", [(), (4,), (2, 0), (0, 0)])
def test_examples_without_a_batch(shape):
    with pytest.raises(sn.GraphError, match="example of shape"):
        sn.from_torch(nn.ReLU(), torch.zeros(shape))


@pytest.mark.parametrize("example", [None, [[1.0]], (torch.zeros(1, 2),), torch.zeros(1, 2, dtype=torch.complex64)])
def test_examples_of_other_types(example):
    with pytest.raises(TypeError, match="example"):
        sn.from_torch(nn.ReLU(), example)


@pytest.mark.parametrize("module", [None, F.relu, nn.ReLU, sn.ReLU()])
def test_other_things_than_modules(module):
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        sn.from_torch(module, torch.zeros(1, 2))


def test_labels_that_do_not_fit():
    with pytest.raises(sn.GraphError, match="label"):
        sn.from_torch(nn.Linear(4, 2), torch.zeros(1, 4), labels=["one"])


def test_without_torch_the_extra_is_named():
    script = """if True:
        import sys
        sys.modules["torch"] = None  # as if it were not installed
        import sparsenet as sn
        try:
            sn.from_torch(None, None)
        except ModuleNotFoundError as error:
            assert "sparsenet[train]" in str(error), error
        else:
            raise AssertionError("no error")
    """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_refused_module_stays_as_it_was():
    module = nn.Sequential(nn.Linear(4, 4), nn.GELU()).train()
    refused(module, (4,), "GELU")
    assert module.training
    assert not any("forward" in vars(part) for part in module.modules())
    assert module(torch.from_numpy(samples((4,)))).requires_grad
