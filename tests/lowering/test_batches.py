"""The same bits however a batch is split, and those that the network means: bytes and floats in any legal order.

What a kernel takes for the second sample of a chunk is where the one before it ended: two ideas of how many bytes a
sample takes show from there on, and in no network of one sample.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import inputs, networks

import sparsenet as sn
from sparsenet.lowering.draft import Draft, View, emit

MOST_SAMPLES = 70
"""More than the largest chunk of either kind, 16 and 64 samples, with a remainder."""


@st.composite
def split_batches(draw):
    """Draw a network whose sums are exact, parts of it on bytes; an engine's settings; a batch, and where it is cut."""
    net = draw(networks(exact=True, quantized=True, max_layers=8))
    count = draw(st.integers(1, MOST_SAMPLES))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=4)))
    parts = np.diff([0, *cuts, count]).tolist()
    batch = draw(st.integers(max(parts), MOST_SAMPLES))
    settings = {"batch": batch, "threads": draw(st.integers(1, 2)), "planner": "predict", "progress": False}
    return net, settings, draw(inputs(net, exact=True, batch=count)), cuts


@given(split_batches())
def test_a_batch_has_the_same_answer_however_it_is_split(drawn):
    net, settings, x, cuts = drawn
    engine = sn.compile(net, **settings)
    answers = np.concatenate([engine(part) for part in np.split(x, cuts)])
    np.testing.assert_array_equal(answers, net.reference(x).astype(np.float32))


FLAT = [sn.Flatten(), sn.Reshape((-1,))]
IMAGES = [(1, 2, 2), (2, 2, 1), (3, 5, 7), (64, 3, 1), (65, 2, 2), (5, 1, 1)]


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("flat", FLAT)
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("then", ["dequantize", "winners", "linear", "image"])
def test_flattened_images_between_layers_of_bytes(shape, flat, before, then):
    """Flattened before they become bytes or after, and read by each kind of layer behind that."""
    size = int(np.prod(shape))
    layers = [flat, sn.Quantize(0.25, 3)] if before else [sn.Quantize(0.25, 3), flat]
    r = np.random.default_rng(0)
    layers += {
        "dequantize": [sn.Dequantize(0.5, 7)],
        "winners": [sn.KWinners(size // 2), sn.Dequantize(0.5)],
        "linear": [sn.QuantizedLinear(r.integers(-9, 9, (3, size)).astype(np.int8), np.ones(3), np.full(3, 0.5))],
        "image": [sn.Reshape(shape), sn.MaxPool2d(1), sn.Dequantize(1.0)],
    }[then]
    net = sn.Network.sequential(shape, layers)
    x = r.integers(-8, 200, (37, *shape)).astype(np.float32) / 4
    np.testing.assert_array_equal(sn.compile(net, 37, 1, planner="predict")(x), net.reference(x).astype(np.float32))


def test_a_view_that_disagrees_with_its_buffer_is_caught_when_it_is_made():
    draft = Draft(batch=2)
    out = draft.buffer(6)
    with pytest.raises(AssertionError, match=r"relu_f32: x f32\[B, N\] sees 20 bytes a sample of 24"):
        emit(draft, "relu_f32", {"x": View(out, (5,)), "out": View(draft.buffer(5), (5,))})


def test_arguments_that_a_kernel_does_not_have_are_named():
    draft = Draft(batch=2)
    x = View(draft.buffer(6), (6,))
    with pytest.raises(AssertionError, match="relu_f32: expected the arguments x, out; missing: out; unknown: y"):
        emit(draft, "relu_f32", {"x": x, "y": x})
