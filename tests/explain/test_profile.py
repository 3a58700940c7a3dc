import json

import numpy as np
import pytest
from rich.console import Console

import sparsenet
from sparsenet.errors import SparsenetError
from sparsenet.explain.explain import explain
from sparsenet.explain.profile import SHORTEST_US, profile
from sparsenet.explain.steps import StepRunner
from sparsenet.graph.network import Network
from sparsenet.layers import Conv2d, Flatten, KWinners, Linear, MaxPool2d

random = np.random.default_rng(3)
BOUNDS = {"arithmetic", "scattered addresses", "call overhead", "L1 bytes", "L2 bytes", "L3 bytes", "memory bytes"}


def sparse(*shape, density=0.3):
    return np.where(random.random(shape) < density, random.standard_normal(shape), 0)


def small_network():
    layers = [
        *(Conv2d(sparse(24, 3, 3, 3), random.standard_normal(24)), MaxPool2d(2), KWinners(4, scope="channels")),
        *(Conv2d(sparse(16, 24, 3, 3)), KWinners(3, scope="channels"), Flatten(), Linear(sparse(20, 144))),
        *(KWinners(5), Linear(sparse(4, 20))),
    ]
    return Network.sequential((3, 12, 12), layers)


@pytest.fixture(scope="module")
def inputs():
    return random.standard_normal((6, 3, 12, 12)).astype(np.float32)


@pytest.fixture(scope="module", params=[1, 4])
def engine(request):
    chosen = {"conv2d2": "conv2d_f32_csc_active", "linear1": "linear_f32_csc_active", "linear2": "linear_f32_csr_dense"}
    return sparsenet.compile(small_network(), batch=request.param, threads=1, kernels=chosen, progress=False)


@pytest.fixture(scope="module")
def found(engine, inputs):
    return profile(engine, inputs, rounds=4)


def test_steps_one_at_a_time_give_what_the_engine_gives(engine, inputs):
    steps = StepRunner(engine)
    x = inputs[: steps.chunk]
    for _ in range(2):  # the scratch of the first run must not matter to the second
        steps.load({"input": x})
        for index in range(len(steps.steps)):
            steps.call(index, len(x))
    np.testing.assert_array_equal(steps.result(len(x), 4), engine(x))


def test_every_step_is_there_with_its_layer(found, engine):
    assert [step.kernel for step in found.steps] == [kernel.name for kernel in engine.program.kernels]
    names = {node.name for node in engine.network.nodes} | {"input"}
    assert {step.layer for step in found.steps} <= names
    assert found.inputs == 6 // found.samples * found.samples


def test_dense_and_weight_sparse_kernels_do_what_the_weights_say(found, engine):
    net = engine.network
    linear2 = next(step for step in found.steps if step.kernel.startswith("linear_f32_csr"))
    assert linear2.multiplications == found.samples * np.count_nonzero(net["linear2"].weight)
    assert linear2.active is None


def test_active_kernels_do_what_the_active_inputs_say(found, engine):
    net = engine.network
    by_kernel = {step.kernel: step for step in found.steps}
    conv, linear = by_kernel["conv2d_f32_csc_active"], by_kernel["linear_f32_csc_active"]
    assert conv.active == pytest.approx(4 / 24)
    assert linear.active == pytest.approx(3 * 9 / 144)
    kept = np.count_nonzero(net["linear1"].weight)
    assert linear.multiplications == round(found.samples * kept * linear.active)
    kept = np.count_nonzero(net["conv2d2"].weight) * 9
    assert conv.multiplications == round(found.samples * kept * conv.active)


def test_active_inputs_are_counted_from_the_lists_themselves():
    net = Network.sequential((8,), [KWinners(4), Linear(np.ones((3, 8)))])
    kernels = {"linear1": "linear_f32_csc_active"}
    engine = sparsenet.compile(net, batch=1, threads=1, kernels=kernels, progress=False)
    x = np.array([[1, 2, 0, 0, 0, 0, 0, 0]], np.float32)  # two winners are zero, and need not be stored
    linear = profile(engine, x, rounds=2).steps[-1]
    assert linear.active in (2 / 8, 4 / 8)
    assert linear.multiplications == 24 * linear.active


def test_bytes_are_those_of_the_arrays():
    net = Network.sequential((10,), [Linear(np.ones((64, 10)), np.zeros(64))])
    kernels = {"linear1": "linear_f32_csc_dense"}
    engine = sparsenet.compile(net, batch=1, threads=1, kernels=kernels, progress=False)
    step = profile(engine, np.ones((2, 10)), rounds=2).steps[0]
    assert step.weight_bytes == 4 * (11 + 640 + 640 + 64)  # where each column begins, rows, weights, bias
    assert step.activation_bytes == 4 * (10 + 64)


def test_rates_and_limits_follow_from_the_median(found):
    for step in found.steps:
        assert 0 <= step.minimum_us <= step.median_us
        assert step.bound in BOUNDS
        if step.median_us > 1e-3:
            assert step.multiplications_per_s == pytest.approx(step.multiplications / step.median_us * 1e6)
            if step.share_of_limit is not None:
                assert step.share_of_limit == pytest.approx(step.least_us / step.median_us)
    assert found.parts_us == sum(step.median_us for step in found.steps)
    assert found.level in found.limits.read_bytes_per_s


@pytest.mark.parametrize("width", [80, 140])
def test_a_profile_prints_in_any_terminal(found, width):
    console = Console(width=width)
    with console.capture() as captured:
        console.print(found)
    text = captured.get()
    for expected in ("conv2d_f32_csc_active", "parts", "one native call", "do not add up"):
        assert expected in text
    assert ("GB/s" in text.splitlines()[2]) == (width == 140)
    assert max(map(len, text.splitlines())) <= width


def test_a_profile_as_html_and_json(found):
    assert "conv2d_f32_csc_active" in found._repr_html_()
    shown = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(shown["steps"]) == len(found.steps)
    assert shown["limits"]["read_bytes_per_s"]["memory"] > 0


@pytest.mark.parametrize("x", [np.zeros((0, 3, 12, 12)), np.zeros((3, 12, 12)), np.full((1, 3, 12, 12), np.nan)])
def test_inputs_that_do_not_fit_are_errors(engine, x):
    with pytest.raises(SparsenetError, match="expected"):
        profile(engine, x)


@pytest.mark.parametrize(("rounds", "error"), [(0, SparsenetError), (-1, SparsenetError), (1.5, TypeError)])
def test_rounds_are_at_least_one(engine, inputs, rounds, error):
    for ask in (profile, explain):
        with pytest.raises(error, match="expected rounds"):
            ask(engine, inputs, rounds=rounds)


def test_what_is_no_array_of_numbers_is_refused(engine):
    with pytest.raises(TypeError, match="array of real numbers"):
        profile(engine, "words")


def test_the_clock_decides_what_is_measured(engine, inputs):
    ticks = iter(range(0, 10**9, 1_000))
    told = profile(engine, inputs, rounds=3, clock=lambda: next(ticks))
    assert told.call_us == 1.0
    assert all(step.median_us == 0.0 for step in told.steps)  # as long as a call that does nothing
    assert told.whole_median_us == 1.0


def test_steps_too_short_to_be_told_apart_from_the_call_have_no_share(found):
    for step in found.steps:
        assert (step.share_of_limit is None) == (step.median_us < SHORTEST_US)


def test_convolutions_in_blocks_say_how_many_inputs_were_active(inputs):
    """Their kernel calls something else ``groups`` than byte kernels, whose lists of groups are counted."""
    chosen = {"conv2d2": "conv2d_f32_blocks_active"}
    engine = sparsenet.compile(small_network(), threads=1, planner="predict", kernels=chosen, progress=False)
    (step,) = [one for one in profile(engine, inputs, rounds=2).steps if one.kernel == "conv2d_f32_blocks_active"]
    assert step.active == pytest.approx(4 / 24)
