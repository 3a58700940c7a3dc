"""``sn.compile(net, device="cuda")`` equals ``net.reference``, on the host's arrays and on the device's."""

import pickle

import numpy as np
import pytest
from error_bound import bounded_output

import sparsenet as sn
from sparsenet.engine.cuda_plan import lower_for_device
from sparsenet_kernels.cuda.api import cuda, is_simulated, missing, upload
from sparsenet_kernels.cuda.launch import sizes_of
from sparsenet_kernels.indices import IndexRangeError
from sparsenet_kernels.registry import kernels


def sparse_twice(seed=0):
    """Make a small network of the reference network's kinds of layers."""
    r = np.random.default_rng(seed)

    def weights(density, *shape):
        return r.standard_normal(shape) * (r.random(shape) < density)

    layers = [
        *(sn.Conv2d(weights(1, 4, 2, 2, 2), padding=1), sn.BatchNorm([0.1, 0, 0, 0.2], [1, 2, 1, 1]), sn.MaxPool2d(2)),
        *(
            sn.KWinners(2, scope="channels", factor=[1, 2, 0.5, 1]),
            sn.Conv2d(weights(0.1, 6, 4, 2, 2)),
            sn.MaxPool2d(1),
        ),
        *(sn.KWinners(2, scope="channels"), sn.Flatten(), sn.Linear(weights(0.05, 20, 24), r.standard_normal(20))),
        *(sn.KWinners(5), sn.Linear(weights(1, 3, 20)), sn.LogSoftmax()),
    ]
    return sn.Network.sequential((2, 6, 6), layers)


def every_other_kind():
    """Make a network with branches and every float layer that the reference network does not have."""
    r = np.random.default_rng(1)
    image = [sn.Node("winners", sn.KWinners(9), ("input",)), sn.Node("relu", sn.ReLU(), ("input",))]
    branches = [
        *(sn.Node("sum", sn.Add(), ("winners", "relu")), sn.Node("both", sn.Concat(), ("sum", "winners"))),
        sn.Node("norm", sn.BatchNorm(np.zeros(4), np.ones(4)), ("both",)),
        sn.Node("conv", sn.Conv2d(r.standard_normal((4, 2, 2, 2)), groups=2), ("norm",)),
        *(sn.Node("mean", sn.AvgPool2d(2), ("conv",)), sn.Node("all", sn.GlobalAvgPool2d(), ("mean",))),
        *(sn.Node("flat", sn.Reshape((4,)), ("all",)), sn.Node("shares", sn.Softmax(), ("flat",))),
    ]
    return sn.Network((2, 4, 5), image + branches, "shares")


def agree(net, x, y):
    expected = bounded_output(net, x)
    assert expected.decided.any()
    allowed = expected.error + np.abs(expected.value) * 2.0**-24  # the answer itself is float32
    return bool((np.abs(y - expected.value) <= allowed)[expected.decided].all())


def inputs(net, samples):
    return np.random.default_rng(2).uniform(-1, 1, (samples, *net.input_shape)).astype(np.float32)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("make", [sparse_twice, every_other_kind])
def test_engine_agrees_with_the_reference(make):
    net = make()
    engine, x = sn.compile(net, batch=3, device="cuda"), inputs(net, 3)
    y = engine(x)
    assert y.dtype == np.float32
    assert agree(net, x, y)
    np.testing.assert_array_equal(engine(x[:1]), y[:1])  # fewer samples, after more


@pytest.mark.usefixtures("device")
def test_device_arrays_stay_on_the_device():
    net = sparse_twice()
    engine, x = sn.compile(net, batch=2, device="cuda"), inputs(net, 2)
    out = cuda.device_array((2, 3), np.float32)
    y = engine(upload(x))
    np.testing.assert_array_equal(y.copy_to_host(), engine(x))
    assert engine(upload(x), out=out) is out
    np.testing.assert_array_equal(out.copy_to_host(), engine(x))


@pytest.mark.usefixtures("device")
def test_out_on_the_host_is_written():
    net = sn.Network.sequential((3,), [sn.KWinners(1)])
    out = np.empty((2, 3), np.float32)
    assert sn.compile(net, batch=2, device="cuda")([[1, 3, 2], [5, 4, 5]], out=out) is out
    np.testing.assert_array_equal(out, [[0, 3, 0], [5, 0, 0]])
    with pytest.raises(sn.SparsenetError, match=r"expected out of shape \(1, 3\), float32 in C order, got float32 of"):
        sn.compile(net, device="cuda")([[1, 3, 2]], out=out)


@pytest.mark.usefixtures("device")
def test_an_empty_batch_gives_an_empty_answer():
    assert sn.compile(sparse_twice(), device="cuda")(np.empty((0, 2, 6, 6))).shape == (0, 3)


@pytest.mark.usefixtures("device")
def test_more_samples_than_the_batch_go_through_in_parts():
    net = sparse_twice()
    engine, x = sn.compile(net, batch=2, device="cuda"), inputs(net, 5)
    alone = np.concatenate([engine(x[i : i + 1]) for i in range(5)])
    np.testing.assert_array_equal(engine(x), alone)
    np.testing.assert_array_equal(engine(upload(x)).copy_to_host(), alone)


@pytest.mark.usefixtures("device")
def test_what_cannot_be_right_is_refused():
    engine = sn.compile(sparse_twice(), batch=2, device="cuda")
    with pytest.raises(sn.SparsenetError, match="expected finite input"):
        engine(np.full((1, 2, 6, 6), np.nan))
    with pytest.raises(sn.SparsenetError, match=r"expected input of shape \(B, 2, 6, 6\)"):
        engine(upload(np.zeros((1, 2, 6, 5), np.float32)))
    with pytest.raises(TypeError, match="expected float32 on the device, got float64"):
        engine(upload(np.zeros((1, 2, 6, 6))))


@pytest.mark.usefixtures("device")
def test_pickled_engines_give_the_same():
    net = sn.Network.sequential((6,), [sn.Linear(np.eye(6)), sn.KWinners(2)])
    engine, x = sn.compile(net, device="cuda"), inputs(net, 1)
    again = pickle.loads(pickle.dumps(engine))
    assert again.kernels == engine.kernels
    np.testing.assert_array_equal(again(x), engine(x))


@pytest.mark.usefixtures("device")
def test_forms_can_be_asked_for():
    net = sparse_twice()
    forced = {"linear1": "linear_f32_complementary_active__atomic", "conv2d2": "conv2d_f32_complementary_dense"}
    engine, x = sn.compile(net, batch=2, device="cuda", kernels=forced), inputs(net, 2)
    assert forced.items() <= engine.kernels.items()
    assert agree(net, x, engine(x))


def test_sparse_layers_after_winners_use_both_sparsities():
    _, chosen = lower_for_device(sn.fold_batchnorm(sparse_twice()), 1, {})
    assert chosen == {
        "conv2d1": "conv2d_f32_dense_dense",
        "conv2d2": "conv2d_f32_complementary_active",
        "linear1": "linear_f32_complementary_active",
        "linear2": "linear_f32_dense_active",
    }


def test_kernels_that_are_not_there_are_refused():
    with pytest.raises(
        sn.CompileError, match=r"expected one of .*linear_f32_complementary_active.*, got 'linear_f32_magic'"
    ):
        lower_for_device(sparse_twice(), 1, {"linear1": "linear_f32_magic"})


def test_bytes_are_refused():
    with pytest.raises(sn.CompileError, match="expected a float32 network for device='cuda', got bytes"):
        lower_for_device(sn.load("spoken-digits"), 1, {})


def test_the_bundled_network_is_lowered_to_kernels_of_the_device():
    from sparsenet.engine.cuda_plan import device_steps

    steps = device_steps(*lower_for_device(sn.load("spoken-digits-float32"), 1, {}))
    assert {step.kernel.device for step in steps} == {"cuda"}
    assert {step.kernel.name for step in steps} <= kernels("cuda").keys()


@pytest.mark.skipif(not missing(), reason="there is a GPU, or the simulator of one")
def test_without_a_gpu_it_says_what_is_missing():
    with pytest.raises(sn.CompileError, match=r"expected a CUDA GPU for device='cuda', got none .*sparsenet\[gpu\]"):
        sn.compile(sparse_twice(), device="cuda")


def test_other_devices_are_unknown():
    with pytest.raises(sn.CompileError, match='expected device "cpu" or "cuda", got \'tpu\''):
        sn.compile(sparse_twice(), device="tpu")


@pytest.mark.skipif(is_simulated(), reason="it takes the simulator minutes")
@pytest.mark.usefixtures("device")
def test_the_bundled_network_agrees_on_a_gpu():
    net = sn.load("spoken-digits-float32")
    x = inputs(net, 16)
    assert agree(net, x, sn.compile(net, batch=16, device="cuda")(x))


@pytest.mark.usefixtures("device")
def test_values_that_leave_float32_are_named():
    layers = [sn.Linear([[3e38, 3e38], [1.0, 0.0]]), sn.KWinners(1), sn.Linear(np.eye(2))]
    engine = sn.compile(sn.Network.sequential((2,), layers), batch=3, device="cuda")
    x = np.float32([[0.1, 0.2], [10, 10], [0.5, 0.5]])
    for given in (x, upload(x)):
        with pytest.raises(sn.RangeError, match=r"layer 'linear1': a value leaves float32 .* in sample 1; scale the"):
            engine(given)
    np.testing.assert_allclose(engine(x[::2]), engine.network.reference(x[::2]), rtol=1e-6)
    np.testing.assert_array_equal(engine(upload(x[::2].copy())).copy_to_host(), engine(x[::2]))


@pytest.mark.usefixtures("device")
def test_inputs_beyond_the_limit_are_answered_by_the_reference():
    engine = sn.compile(sn.Network.sequential((2,), [sn.Linear([[1.0, 1.0]])]), batch=2, device="cuda")
    assert engine.input_limit < 3e37
    np.testing.assert_allclose(engine([[1, 2], [1.5e38, 1e38]]), [[3], [2.5e38]], rtol=1e-6)
    with pytest.raises(sn.RangeError, match="layer 'linear1'"):
        engine([[1, 2], [3e38, 3e38]])


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("scope", ["all", "channels"])
def test_factors_from_all_over_float32_rank_exactly(scope):
    x = np.float32([[1e-20, 1e-20, 3e38, -1e-45, 2e-45, 0, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8]]).reshape(2, 8, 1, 1)
    x = np.repeat(x, 20, axis=1) if scope == "channels" else x  # with many channels, digits are counted
    for factor in ([1e-30, 2e-30, 3e38, 1e-45, 3e-45, 1, 2, 2], np.full(8, 3e38)):
        net = sn.Network.sequential(x.shape[1:], [sn.KWinners(3, scope, np.resize(factor, x.shape[1]))])
        np.testing.assert_array_equal(sn.compile(net, batch=2, device="cuda")(x), net.reference(x).astype(np.float32))


def test_a_launch_on_a_gpu_has_no_more_blocks_than_there_are_numbers():
    pool = kernels("cuda")["max_pool2d_f32"]
    shapes = [(2**11, 2**10, 2**10, 1), *[()] * 6, (2**11, 2**10, 2**10, 1)]
    with pytest.raises(IndexRangeError, match=r"blocks of max_pool2d_f32 \(B OH OW\), got 2147483648; compile for a"):
        sizes_of(pool, shapes)
    assert sizes_of(pool, [(2**11 - 1, *shape[1:]) if shape else () for shape in shapes])["B"] == 2047
