"""Modules made of modules: residual and branching graphs, names, masks, sharing, and what is left as it was."""

import copy

import numpy as np
import pytest
from error_bound import bounded_output
from torch_parity import answer, assert_same_meaning, imported, layers, names, notes, samples

import sparsenet as sn

torch = pytest.importorskip("torch", reason="needs the extra train")
nn, F = torch.nn, torch.nn.functional


class Block(nn.Module):
    """A residual block whose ReLU works in place and is used twice."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.conv2(out)
        out += x
        return self.relu(out)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.blocks = nn.Sequential(Block(4), Block(4))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        x = self.pool(self.blocks(x)).flatten(1)
        return F.log_softmax(self.fc(x), dim=1)


def with_statistics(module):
    """Give batch norms statistics that are not those of a new one."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
    return module


def test_residual_networks():
    net = assert_same_meaning(with_statistics(Residual()), (1, 8, 8))
    assert names(net) == [
        *["stem", "relu", "max_pool2d"],
        *["blocks.0.conv1", "blocks.0.bn1", "blocks.0.relu", "blocks.0.conv2", "blocks.0.add", "blocks.0.relu:2"],
        *["blocks.1.conv1", "blocks.1.bn1", "blocks.1.relu", "blocks.1.conv2", "blocks.1.add", "blocks.1.relu:2"],
        *["pool", "flatten", "fc", "log_softmax"],
    ]


def test_compiled_networks_answer_as_the_module_does():
    """Both compute in float32, each within the bound that is derived for sums in any order."""
    from sparsenet.nn import KWinners, KWinners2d, MaskedConv2d, MaskedLinear

    module = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, affine=False), nn.MaxPool2d(2), KWinners2d(8, 2, boost_strength=0.5)),
        *(MaskedConv2d(8, 8, 3, torch.rand(8, 8, 3, 3) < 0.2), nn.BatchNorm2d(8, affine=False), KWinners2d(8, 2)),
        *(nn.Flatten(), MaskedLinear(128, 16, torch.rand(16, 128) < 0.1), KWinners(16, 4), nn.Linear(16, 3)),
    )
    with_statistics(module)[3].duty_cycle.uniform_(0, 0.5)
    net, x = imported(module, (1, 14, 14)), samples((1, 14, 14), batch=8)
    bound = bounded_output(net, x)
    assert bound.decided.sum() > 4
    engine = sn.compile(net, batch=8, threads=1, planner="predict", progress=False)
    allowed = 2 * (bound.error + np.abs(bound.value) * 2.0**-24)  # the bound of either, and each is rounded once
    beyond = np.abs(engine(x) - answer(module, x, "float32")) > allowed
    assert not beyond[bound.decided].any()


def test_branches_that_join():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(2, 3, 1), nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU())

        def forward(self, x):
            return torch.cat([self.left(x), self.right(x), x], 1)

    net = assert_same_meaning(Branches(), (2, 4, 4))
    assert net.nodes[-1].inputs == ("left", "right.1", "input")


def test_nested_sequences_are_named_by_their_paths():
    module = nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Sequential(nn.Sequential(nn.Linear(4, 2))))
    assert names(imported(module, (4,))) == ["0.0", "0.1", "1.0.0"]


def test_a_module_called_input():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.input = nn.Linear(3, 2)

        def forward(self, x):
            return self.input(x)

    assert names(assert_same_meaning(Net(), (3,))) == ["input:2"]


def test_shared_and_tied_weights_are_reported():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(self.first(x)))

    net = assert_same_meaning(Tied(), (3,))
    assert names(net) == ["first", "first:2", "second"]
    assert [layer for layer, note in notes(net) if "shares its weight with 'first'" in note] == ["first:2", "second"]


def test_what_the_output_does_not_need_is_left_out():
    class Auxiliary(nn.Module):
        def __init__(self):
            super().__init__()
            self.main, self.aside = nn.Linear(3, 2), nn.Linear(3, 5)

        def forward(self, x):
            self.last = self.aside(x)
            return self.main(x)

    net = assert_same_meaning(Auxiliary(), (3,))
    assert names(net) == ["main"]
    assert notes(net) == [("aside", "left out: the output does not depend on it")]


def test_the_module_stays_as_it_was():
    module = with_statistics(Residual()).train()
    module.fc.weight.grad = torch.ones_like(module.fc.weight)
    before, kept = copy.deepcopy(module.state_dict()), {name: id(part) for name, part in module.named_modules()}
    imported(module, (1, 8, 8))
    assert all(part.training for part in module.modules())
    assert kept == {name: id(part) for name, part in module.named_modules()}
    assert not any("forward" in vars(part) for part in module.modules())
    assert module.fc.weight.requires_grad
    assert module.fc.weight.grad.sum() == module.fc.weight.numel()
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_training_mode_makes_no_difference():
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.BatchNorm1d(4))
    assert layers(imported(module.train(), (4,))) == layers(imported(module.eval(), (4,))) == ["Linear", "BatchNorm"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_dtypes_become_float32(dtype):
    module = nn.Sequential(nn.Linear(4, 2).to(dtype), nn.ReLU())
    net = sn.from_torch(module, torch.zeros(1, 4, dtype=dtype))
    np.testing.assert_array_equal(net["0"].weight, module[0].weight.detach().float().numpy())
    assert notes(net) == [("0", f"{str(dtype).removeprefix('torch.')} weights became float32")]
    assert module[0].weight.dtype == dtype


@pytest.mark.parametrize("shape", [(0, 1, 8, 8), (1, 1, 8, 8), (5, 1, 8, 8)])
def test_any_example_of_the_right_shape_will_do(shape):
    assert imported(Residual(), (1, 8, 8)).output_shape == sn.from_torch(Residual(), np.zeros(shape)).output_shape


def test_channels_last_memory():
    module = with_statistics(Residual()).to(memory_format=torch.channels_last)
    example = torch.zeros(2, 1, 8, 8).to(memory_format=torch.channels_last)
    x = samples((1, 8, 8))
    np.testing.assert_allclose(sn.from_torch(module, example).reference(x), answer(module, x), rtol=1e-11, atol=1e-11)


def test_labels():
    net = sn.from_torch(nn.Linear(4, 2), torch.zeros(1, 4), labels=["no", "yes"])
    assert net.labels == ("no", "yes")


def test_values_changed_in_place_through_the_input():
    class InPlace(nn.Module):
        def forward(self, x):
            x -= 0.5
            return F.relu(x, inplace=True)

    assert layers(assert_same_meaning(InPlace(), (3,))) == ["BatchNorm", "ReLU"]


def test_forward_hooks_are_part_of_the_module():
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    module[0].register_forward_hook(lambda part, inputs, output: output * 2)
    assert layers(assert_same_meaning(module, (3,))) == ["Linear", "BatchNorm", "ReLU"]


def test_traced_graphs():
    """A module that torch.fx made is a module like any other."""
    module = torch.fx.symbolic_trace(with_statistics(Residual()).eval())
    assert "blocks.0.conv1" in names(assert_same_meaning(module, (1, 8, 8)))


class Compiled(nn.Module):
    """A stand-in for what torch.compile puts around a module: its code reports no functions."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module

    def forward(self, x):
        raise AssertionError("expected the module inside to be used")


def test_compiled_modules_are_unwrapped():
    module = Compiled(nn.Sequential(nn.Linear(4, 3), Compiled(nn.Sequential(nn.ReLU()))))
    assert names(imported(module, (4,))) == ["0", "1.0"]
    assert isinstance(module._orig_mod[1], Compiled)


def test_zeros_are_the_sparsity():
    module = nn.Linear(8, 6)
    with torch.no_grad():
        module.weight[torch.rand(6, 8) < 0.7] = 0
    layer = assert_same_meaning(module, (8,)).nodes[0].layer
    assert layer.mask is None
    assert np.count_nonzero(layer.weight) == int(module.weight.count_nonzero())


def test_pruned_modules_keep_their_masks():
    """torch's pruning leaves a tensor with a history in place of the weight, which deepcopy alone would refuse."""
    from torch.nn.utils import prune

    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 3))
    prune.l1_unstructured(module[0], "weight", amount=0.5)
    prune.random_structured(module[2], "weight", amount=0.25, dim=1)
    module(torch.zeros(1, 1, 4, 4))
    net = imported(module, (1, 4, 4))
    for name in "02":
        part = module[int(name)]
        np.testing.assert_array_equal(net[name].mask, part.weight_mask.numpy() != 0)
        np.testing.assert_array_equal(net[name].weight, part.weight.detach().numpy())


class Masked(nn.Module):
    """A parametrisation with a mask."""

    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


def test_parametrised_weights_and_their_masks():
    from torch.nn.utils import parametrize
    from torch.nn.utils.parametrizations import weight_norm

    module = nn.Sequential(nn.Linear(5, 4), weight_norm(nn.Linear(4, 3)))
    mask = torch.rand(4, 5) < 0.5
    parametrize.register_parametrization(module[0], "weight", Masked(mask))
    net = imported(module, (5,))
    assert names(net) == ["0", "1"]
    np.testing.assert_array_equal(net["0"].mask, mask.numpy())
    np.testing.assert_array_equal(net["1"].weight, module[1].weight.detach().numpy())


def test_weights_that_the_forward_masks_itself():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 5))
            self.register_buffer("mask", (torch.rand(4, 5) < 0.5).float())

        def forward(self, x):
            return F.linear(x, self.weight * self.mask)

    module = nn.Sequential(Own(), nn.ReLU())
    net = assert_same_meaning(module, (5,))
    np.testing.assert_array_equal(net["0"].mask, module[0].mask.numpy() != 0)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state:UserWarning")
def test_weights_in_sparse_layouts():
    class Sparse(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(4, 5) * (torch.rand(4, 5) < 0.5))

        def forward(self, x):
            return F.linear(x, self.weight.to_sparse_csr())

    module = Sparse()
    np.testing.assert_array_equal(imported(module, (5,)).nodes[0].layer.weight, module.weight.detach().numpy())


class SparseWeights(nn.Module):
    """A stand-in for nupic.torch's module of this name: it wraps another and knows where its weights are zero."""

    def __init__(self, module, zeros):
        super().__init__()
        self.module = module
        self.register_buffer("zero_mask", zeros.to(torch.float16))
        with torch.no_grad():
            module.weight[zeros] = 0

    def forward(self, x):
        return self.module(x)


def test_wrapped_weights_carry_the_wrappers_name_and_mask():
    zeros = torch.rand(4, 1, 3, 3) < 0.5
    module = nn.Sequential(SparseWeights(nn.Conv2d(1, 4, 3), zeros), nn.ReLU())
    with torch.no_grad():
        module[0].module.weight[~zeros] = 0.5
        module[0].module.weight[tuple((~zeros).nonzero()[0])] = 0  # kept, though it happens to be zero
    net = assert_same_meaning(module, (1, 5, 5))
    assert names(net) == ["0", "1"]
    np.testing.assert_array_equal(net["0"].mask, ~zeros.numpy())


def test_weights_outside_a_mask_count_and_are_reported():
    module = nn.Sequential(SparseWeights(nn.Linear(3, 2), torch.tensor([[True, False, False], [False, False, True]])))
    with torch.no_grad():
        module[0].module.weight.fill_(1)
        module[0].module.weight[1, 2] = 0
    net = assert_same_meaning(module, (3,))
    np.testing.assert_array_equal(net["0"].mask, [[True, True, True], [True, True, False]])
    assert notes(net) == [("0", "1 weights outside the mask are not zero: they are kept")]


def test_own_masked_layers():
    from sparsenet.nn import KWinners2d, MaskedConv2d, MaskedLinear

    masks = torch.rand(6, 2, 3, 3) < 0.5, torch.rand(5, 24) < 0.2
    module = nn.Sequential(
        MaskedConv2d(2, 6, 3, masks[0], padding=1),
        nn.MaxPool2d(2),
        KWinners2d(6, 2),
        nn.Flatten(),
        MaskedLinear(24, 5, masks[1]),
    )
    net = assert_same_meaning(module, (2, 4, 4))
    for name, mask in zip("04", masks, strict=True):
        np.testing.assert_array_equal(net[name].mask, mask.numpy())


def test_the_report_shows_the_notes():
    net = imported(nn.Sequential(nn.Linear(4, 2).double(), nn.Dropout(0.5)), (4,))
    assert len(sn.import_report(net).notes) == len(notes(net)) == 2


def test_the_report_survives_storage(tmp_path):
    net = imported(nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.5)), (4,))
    net.save(tmp_path / "net.safetensors")
    assert notes(sn.load(tmp_path / "net.safetensors")) == notes(net)


@pytest.mark.parametrize("kept", [None, "text", [1], {"a": 1}])
def test_no_report_of_other_networks(kept):
    details = {} if kept is None else {"import": kept}
    with pytest.raises(sn.SparsenetError, match="imported"):
        sn.import_report(sn.Network.sequential((2,), [sn.ReLU()], details=details))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state:UserWarning")
@pytest.mark.parametrize("layout", ["to_sparse", "to_sparse_csr", "to_sparse_csc"])
def test_parameters_in_sparse_layouts(layout):
    dense = nn.Linear(6, 4, bias=False)
    dense.weight.data *= torch.rand(4, 6) < 0.5
    sparse = nn.Linear(6, 4, bias=False)
    sparse.weight = nn.Parameter(getattr(dense.weight.detach(), layout)())
    net = imported(nn.Sequential(sparse, nn.ReLU()), (6,))
    np.testing.assert_array_equal(net["0"].weight, dense.weight.detach().numpy())


@pytest.mark.parametrize("depth", [1, 100, 130])
def test_deeply_nested_modules_have_names_that_fit(depth):
    inner = [nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4)]
    module = nn.Sequential(*inner)
    for _ in range(depth):
        module = nn.Sequential(module)
    net = assert_same_meaning(module, (4,))
    assert max(map(len, names(net))) <= 200
    assert len(net) == 4


class Constants(nn.Module):
    """Constants of torch's default dtype: plain attributes, and made anew in each call."""

    def __init__(self):
        super().__init__()
        self.linear, self.scale = nn.Linear(4, 3), torch.linspace(1, 2, 3)

    def forward(self, x):
        y = self.linear(x) * self.scale + torch.ones(3) / 4
        return torch.relu(y) + torch.arange(3) / 8 + torch.full((3,), 0.5)


@pytest.mark.parametrize("made_before", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_default_dtype_of_torch_changes_no_network(dtype, made_before):
    module = Constants()
    wanted = imported(module, (4,))
    state = module.state_dict()
    torch.set_default_dtype(dtype)
    try:
        if not made_before:
            module = Constants()
            module.load_state_dict(state)
        x = samples((4,))
        net = sn.from_torch(module, x)
    finally:
        torch.set_default_dtype(torch.float32)
    rounding = 1e-6 if made_before or dtype != torch.bfloat16 else 0.02  # weights made in bfloat16 have 8 bits
    np.testing.assert_allclose(net.reference(x), wanted.reference(x), rtol=rounding, atol=rounding)


def test_the_default_device_of_torch_changes_no_network():
    module = Constants()
    wanted = imported(module, (4,))
    with torch.device("meta"):
        net = sn.from_torch(module, np.zeros((1, 4), np.float32))
    x = samples((4,))
    np.testing.assert_array_equal(net.reference(x), wanted.reference(x))


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "<f8", "f2", "?", "u1", "g"])
def test_examples_of_any_real_dtype_and_order_of_bytes(dtype):
    assert len(sn.from_torch(nn.Linear(4, 3), np.zeros((2, 4), dtype))) == 1


def test_hooks_of_the_whole_module_are_imported():
    module = nn.Sequential(nn.Linear(4, 3))
    module.register_forward_hook(lambda module, given, result: result.relu())
    x = torch.randn(5, 4)
    np.testing.assert_allclose(sn.from_torch(module, x).reference(x.numpy()), module(x).detach(), atol=1e-6)
