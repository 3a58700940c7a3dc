"""Shapes whose bytes or numbers reach 2**31: every offset that a kernel reads is right, or its layer is refused.

Networks are lowered only, so nothing of their size is ever allocated.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparsenet as sn
from sparsenet.lowering.draft import View
from sparsenet.lowering.lower import lower
from sparsenet.machine.facts import machine
from sparsenet_kernels.registry import kernels_for
from sparsenet_kernels.simd.amx import amx_available

MOST_NUMBERS = 2**28
"""A sample may have so many."""


@st.composite
def large_images(draw):
    """Draw channels, and the sides of an image of nearly so many numbers as a sample may have, or a part of them."""
    channels = draw(st.sampled_from([1, 1, 2, 3, 16, 64, 128]))
    height = draw(st.sampled_from([1, 9, 1000, 20_000, 2**15 + 1]))
    widest = MOST_NUMBERS // (channels * height)
    return channels, height, draw(st.sampled_from([widest, widest, max(widest // 7, 1), max(widest // 100, 1)]))


@st.composite
def windows(draw, height, width):
    """Draw a small filter that is dilated as far as the image allows, and sometimes less."""
    kernel = tuple(draw(st.integers(1, min(3, side))) for side in (height, width))
    dilation = []
    for taps, side in zip(kernel, (height, width), strict=True):
        most = min((side - 1) // max(taps - 1, 1), 2**15) or 1
        dilation.append(draw(st.sampled_from([most, most, 1])))
    return kernel, tuple(dilation)


@st.composite
def byte_convolutions(draw):
    channels, height, width = draw(large_images())
    kernel, dilation = draw(windows(height, width))
    outputs = draw(st.sampled_from([1, 65 if 65 * height * width <= MOST_NUMBERS else 1]))
    weight = np.ones((outputs, channels, *kernel), np.int8)
    layer = sn.QuantizedConv2d(weight, np.zeros(len(weight), np.int32), 8, dilation=dilation)
    return sn.Network.sequential((channels, height, width), [sn.Quantize(1.0), layer, sn.Dequantize(1.0)])


def conv_step(lowered, name):
    (step,) = [step for step in lowered.draft.steps if step.layer == name and step.kernel.weights]
    return {declared.name: value for declared, value in zip(step.kernel.arguments, step.arguments, strict=True)}


def refused(net, forced, name):
    """Lower a network; return its program, or None where it is refused by the layer's name and a number."""
    try:
        return lower(net, 1, machine(), forced)
    except sn.CompileError as error:
        if not re.search(rf"^layer '{name}': .*got \d{{9,}}", str(error)):
            raise
        return None


@given(byte_convolutions())
def test_bytes_of_windows_are_counted_or_refused(net):
    layer, (_, _, width) = net["quantizedconv2d1"], net.input_shape
    lowered = refused(net, {}, "quantizedconv2d1")
    channels, (kernel_height, kernel_width) = layer.weight.shape[1], layer.weight.shape[2:]
    pixels = channels == 1 and layer.dilation == (1, 1)
    stride = 8 if pixels else -(-channels // 64) * 64
    below = 0 if pixels else (kernel_height - 1) * layer.dilation[0] * width
    reach = (below + (kernel_width - 1) * layer.dilation[1] + 1) * stride
    assert (lowered is None) == (reach > 2**31)
    if lowered is not None:
        arguments = conv_step(lowered, "quantizedconv2d1")
        size = arguments["x"].buffer.sample_bytes * (8 if pixels else 1)
        if "offsets" in arguments:
            assert 0 <= arguments["offsets"].min() <= arguments["offsets"].max() < min(reach, size)


@st.composite
def float_convolutions(draw):
    """Draw a convolution of floats on a large image, behind k-winners or not, and a kernel for it."""
    channels, height, width = draw(large_images())
    kernel, dilation = draw(windows(height, width))
    stride = draw(st.sampled_from([1, 1, 2, 2**15])), draw(st.sampled_from([1, 1, 3, 2**15]))
    outputs = draw(st.sampled_from([1, 17 if 17 * height * width <= MOST_NUMBERS else 1]))
    weight = np.ones((outputs, channels, *kernel), np.float32)
    layers = [sn.Conv2d(weight, stride=stride, dilation=dilation)]
    if draw(st.booleans()):
        layers = [sn.KWinners(1, scope="channels"), *layers]
    chosen = draw(st.sampled_from([None, *CONVOLUTIONS]))
    return sn.Network.sequential((channels, height, width), layers), {} if chosen is None else {"conv2d1": chosen}


CONVOLUTIONS = sorted({kernel.base for kernel in kernels_for("conv2d")})


@given(float_convolutions())
def test_floats_of_windows_are_counted_or_refused(drawn):
    net, forced = drawn
    lowered = refused(net, forced, "conv2d1")
    if lowered is None:
        assert forced, "without a wish there is always a kernel"
        return
    arguments = conv_step(lowered, "conv2d1")
    if "offsets" in arguments:
        room = arguments["planes" if "planes" in arguments else "sums"]
        numbers = room.shape[-1]
        assert 0 <= arguments["offsets"].min() <= arguments["offsets"].max() < numbers < 2**31
    assert all(value.buffer.sample_bytes < 2**36 for value in arguments.values() if isinstance(value, View))


def test_the_step_of_a_single_window_takes_no_memory():
    """A plane for each of 2**30 phases took 4 GiB for an image of nine numbers; of five channels, their places wrap."""
    layer = sn.Conv2d(np.arange(90, dtype=np.float32).reshape(2, 5, 3, 3), stride=2**15)
    net = sn.Network.sequential((5, 3, 3), [layer])
    x = np.arange(90, dtype=np.float32).reshape(2, 5, 3, 3)
    for kernel in CONVOLUTIONS:
        engine = sn.compile(net, 2, 1, planner="predict", kernels={"conv2d1": kernel})
        assert engine.program.scratch_bytes < 2**16
        np.testing.assert_array_equal(engine(x), net.reference(x))


def test_the_file_of_a_kilobyte():
    """Its window reaches 2.2 GB into an image whose pixels take 64 bytes each: it ended the process.

    Kernels that count from the corner of a window refuse it. Where there are AMX tiles, the one for octets takes it:
    its offsets count bytes of the sets, of which there is one, and it finds them in the image by indices of 64 bits.
    """
    layer = sn.QuantizedConv2d(np.ones((1, 1, 2, 1), np.int8), [0], 2, dilation=(19_999, 1))
    net = sn.Network.sequential((1, 20_000, 1700), [sn.Quantize(1.0), layer, sn.Dequantize(1.0)])
    message = "layer 'quantizedconv2d1': expected at most 2147483647 bytes .*, got 2175891263; use a smaller dilation"
    if not amx_available():
        with pytest.raises(sn.CompileError, match=message):
            lower(net, 1, machine(), {})
        return
    arguments = conv_step(lower(net, 1, machine(), {}), "quantizedconv2d1")
    reach = 4 * arguments["weights"].shape[1]  # bytes of a row of a left-hand tile
    assert arguments["chosen"].shape == (1, 64)
    assert arguments["offsets"].tolist() == [0, 19_999 * 1700 * 8]
    assert 19_999 * 1700 * 8 + (1700 - 1) * 8 + reach <= np.prod(arguments["sets"].shape) < 2**31


def test_a_vector_of_too_many_bytes_is_refused():
    """Two channels take 64 bytes at each of 2**26 pixels; a row of weights would take as many."""
    layer = sn.QuantizedLinear(np.zeros((1, 2**27), np.int8), [0.0], [1.0])
    net = sn.Network.sequential((2, 2**13, 2**13), [sn.Quantize(1.0), sn.MaxPool2d(1), sn.Flatten(), layer])
    with pytest.raises(sn.CompileError, match=r"layer 'quantizedlinear1': expected .* at most .* bytes"):
        lower(net, 1, machine(), {})


def test_a_kernel_that_cannot_count_so_far_is_refused_by_what_it_lacks():
    net = sn.Network.sequential((1, 2**14, 2**14), [sn.Conv2d(np.ones((1, 1, 3, 3), np.float32))])
    message = "layer 'conv2d1': conv2d_f32_blocks_active cannot run it: expected at most 2147483647 numbers of sums"
    with pytest.raises(sn.CompileError, match=message):
        lower(net, 1, machine(), {"conv2d1": "conv2d_f32_blocks_active"})
