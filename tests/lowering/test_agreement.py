"""``engine(x)`` equals ``net.reference(x)``: to the bit where float32 is exact, within the derived bound elsewhere."""

import numpy as np
import pytest
from error_bound import bounded_output
from hypothesis import event, given
from hypothesis import strategies as st
from kernel_choices import forced_kernels
from strategies import inputs, networks

import sparsenet as sn
from sparsenet.models import BUNDLED

PLANNERS = ["predict", "predict", "predict", "measure"]


@st.composite
def problems(draw, exact):
    """Draw a network, how to compile it (some kernels chosen by chance), and inputs."""
    net = draw(networks(exact=exact))
    batch = draw(st.integers(1, 9))
    planner, threads = draw(st.sampled_from(PLANNERS)), draw(st.integers(1, 2))
    settings = {"batch": batch, "threads": threads, "planner": planner, "kernels": draw(forced_kernels(net))}
    return net, settings, draw(inputs(net, exact=exact, batch=draw(st.integers(0, batch))))


@given(problems(exact=True))
def test_exact_arithmetic_agrees_to_the_bit(drawn):
    net, settings, x = drawn
    y = sn.compile(net, **settings, progress=False)(x)
    np.testing.assert_array_equal(y, net.reference(x).astype(np.float32))


@given(problems(exact=False))
def test_rounding_stays_within_its_bound(drawn):
    net, settings, x = drawn
    expected = bounded_output(net, x)
    y = sn.compile(net, **settings, progress=False)(x)
    assert y.shape == expected.value.shape
    event(f"samples that can be compared: {expected.decided.mean() if len(x) else 1:.0%}")
    # the answer itself is float32: half a unit in its last place
    allowed = expected.error + np.abs(expected.value) * 2.0**-24
    beyond = np.abs(y - expected.value) > allowed
    assert not beyond[expected.decided].any()


@st.composite
def quantized_problems(draw):
    """Draw a quantised network, how to compile it, and inputs."""
    net = draw(networks(quantized=True))
    batch = draw(st.integers(1, 9))
    settings = {"batch": batch, "threads": draw(st.integers(1, 2)), "planner": draw(st.sampled_from(PLANNERS))}
    return net, settings, draw(inputs(net, batch=draw(st.integers(0, batch))))


@given(quantized_problems())
def test_bytes_are_exact(drawn):
    net, settings, x = drawn
    expected = bounded_output(net, x)
    y = sn.compile(net, **settings, progress=False)(x)
    event(f"samples that can be compared: {expected.decided.mean() if len(x) else 1:.0%}")
    allowed = expected.error + np.abs(expected.value) * 2.0**-24
    beyond = np.abs(y - expected.value) > allowed
    assert not beyond[expected.decided].any()


@given(quantized_problems())
def test_every_candidate_for_bytes_is_exact(drawn):
    net, settings, x = drawn
    settings = settings | {"planner": "predict"}
    first = sn.compile(net, **settings, progress=False)
    for choice in first.plan:
        for kernel in choice.predicted_us if "_i8_" in choice.kernel else ():
            y = sn.compile(net, **settings, kernels={choice.layer: kernel}, progress=False)(x)
            np.testing.assert_array_equal(y, first(x), err_msg=kernel)


@pytest.mark.parametrize("scope", ["all", "channels"])
def test_ties_go_to_the_lowest_index(scope):
    x = np.zeros((2, 3, 4, 4), np.float32)
    x[:, :, 1, 1] = 1.0
    net = sn.Network.sequential((3, 4, 4), [sn.KWinners(2, scope=scope)])
    np.testing.assert_array_equal(sn.compile(net, batch=2)(x), net.reference(x))


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_networks_agree(name):
    rng = np.random.default_rng(1)
    net = sn.load(name)
    x = rng.uniform(-1, 1, (20, *net.input_shape)).astype(np.float32)
    expected = bounded_output(net, x)
    y = sn.compile(net, batch=20, threads=2)(x)
    assert expected.decided.sum() >= 1
    error = np.abs(y - expected.value)[expected.decided]
    assert (error <= expected.error[expected.decided] + 2.0**-24 * np.abs(expected.value[expected.decided])).all()
