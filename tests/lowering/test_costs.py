"""What compiling costs is in proportion to the network: counted in operations and bytes, never in seconds."""

import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sparsenet as sn
import sparsenet.made_inputs as made_inputs_module
from sparsenet.engine import compiling, drivers
from sparsenet.lowering import footprint, measure
from sparsenet.made_inputs import LARGEST_INPUTS, made_inputs
from sparsenet.passes.byte_paths import loses_negatives, tail_of


def chain(shape, *layers):
    """Return a function that chains so many layers."""
    return lambda n: sn.Network.sequential(shape, [layers[i % len(layers)] for i in range(n)])


def fan(join):
    """Return a function that joins so many values."""

    def make(n):
        nodes = [sn.Node(f"relu{i}", sn.ReLU(), ("input",)) for i in range(n)]
        return sn.Network((4,), [*nodes, sn.Node("join", join, tuple(node.name for node in nodes))], "join")

    return make


def ladder(n):
    """Each layer adds its input to what came before: all values are read twice."""
    names = ["input", *(f"add{i}" for i in range(n))]
    nodes = [sn.Node(names[i + 1], sn.Add(), (names[i], names[max(0, i - 1)])) for i in range(n)]
    return sn.Network((4,), nodes, names[-1])


def on_bytes(n):
    conv = sn.QuantizedConv2d(np.ones((2, 2, 1, 1), np.int8), np.zeros(2, np.int32), 1)
    layers = [sn.Quantize(0.1), *[conv, sn.MaxPool2d(1)] * (n // 2), sn.Dequantize(0.1)]
    return sn.Network.sequential((2, 3, 3), layers)


def different(n):
    """Linear layers of which no two are alike."""
    return sn.Network.sequential((8,), [sn.Linear(np.arange(64).reshape(8, 8) % (i + 2) == 0) for i in range(n)])


NETWORKS = {
    "relu": chain((4,), sn.ReLU()),
    "linear": chain((4,), sn.Linear(np.eye(4))),
    "different": different,
    "batch norm": chain((4,), sn.Linear(np.eye(4)), sn.BatchNorm(np.zeros(4), np.ones(4))),
    "winners": chain((8,), sn.KWinners(3), sn.Linear(np.eye(8))),
    "images": chain((2, 3, 3), sn.Conv2d(np.ones((2, 2, 1, 1)) / 2), sn.MaxPool2d(1), sn.AvgPool2d(1)),
    "shapes": chain((2, 2, 2), sn.Flatten(), sn.Reshape((2, 2, 2))),
    "add": fan(sn.Add()),
    "concat": fan(sn.Concat()),
    "ladder": ladder,
    "bytes": on_bytes,
}


def operations(function):
    """Count the operations of Python's interpreter that a function takes."""
    counted = 0

    def trace(frame, event, argument):
        nonlocal counted
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        counted += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return counted


@pytest.mark.parametrize("planner", ["predict", "measure"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_four_times_the_layers_take_four_times_the_work(kind, planner, monkeypatch):
    def times(runs, *_, **__):  # what is timed takes as long as it takes; here all kernels are equally fast
        return [1.0 for _ in runs]

    monkeypatch.setattr(measure, "least_us", times)
    monkeypatch.setattr(measure, "MOST_STEPS", 100)
    few, many = NETWORKS[kind](8), NETWORKS[kind](32)
    for net in (few, many):
        sn.compile(net, planner=planner, progress=False)  # what happens once has happened
    work = [operations(lambda net=net: sn.compile(net, planner=planner, progress=False)) for net in (few, many)]
    assert work[1] < 6 * work[0], f"{work[1] / work[0]:.1f} times the work"


def test_layers_alike_are_timed_once(monkeypatch):
    lowered = []
    lower = compiling.lower
    monkeypatch.setattr(compiling, "lower", lambda *what: lowered.append(1) or lower(*what))
    counts = []
    for layers in (2, 40):
        lowered.clear()
        engine = sn.compile(chain((4,), sn.Linear(np.eye(4)))(layers), progress=False)
        counts.append(len(lowered))
        assert len({choice.kernel for choice in engine.plan}) == 1
        assert all(choice.measured_us for choice in engine.plan)
    assert counts[0] == counts[1]


def test_timing_ends_with_its_budget_and_says_so(monkeypatch):
    timed = []
    monkeypatch.setattr(measure, "least_us", lambda runs, *_, **__: timed.append(len(runs)) or [1.0] * len(runs))
    net = different(12)
    monkeypatch.setattr(measure, "MOST_STEPS", 60)
    engine = sn.compile(net, progress=False)
    assert 0 < sum(timed) * len(engine.program.steps) <= 60
    left = [choice for choice in engine.plan if not choice.measured_us]
    assert len(left) == 12 - len(timed)
    assert all(choice.reason.endswith("; not measured, for that would take too long") for choice in left)
    np.testing.assert_array_equal(engine(np.ones((1, 8))), net.reference(np.ones((1, 8))).astype(np.float32))


@pytest.mark.parametrize("limit", ["seconds a call", "scratch memory"])
def test_what_takes_too_long_to_time_is_not_timed(monkeypatch, limit):
    monkeypatch.setattr(measure, "least_us", lambda *_, **__: pytest.fail("it was timed"))
    if limit == "seconds a call":
        monkeypatch.setattr(measure, "call_s", lambda lowered: 60.0)
    else:
        monkeypatch.setattr(measure, "LARGEST_SCRATCH_BYTES", 10)
    engine = sn.compile(different(2), progress=False)
    assert all("not measured" in choice.reason for choice in engine.plan)


@given(
    outputs=st.integers(1, 5),
    density=st.sampled_from([0.0, 0.001, 0.3, 1.0]),
    planner=st.sampled_from(["predict", "measure"]),
)
def test_few_outputs_take_memory_in_proportion(outputs, density, planner):
    weight = np.where(np.random.default_rng(0).random((outputs, 2**16)) < density, np.float32(1), 0)
    net = sn.Network.sequential((2**16,), [sn.Linear(weight)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(footprint, "ALLOWED_BYTES", 2**16)
        patch.setattr(made_inputs_module, "LARGEST_INPUTS", 2**16)
        sn.compile(net, planner=planner, progress=False)  # what happens once has happened
        tracemalloc.start()
        engine = sn.compile(net, planner=planner, progress=False)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    constants = sum(array.nbytes for array in engine.program.constants)
    assert constants <= 3 * net.nodes[0].layer.weight.nbytes + 2**12
    # packing looks up the places of all weights, as int64
    assert peak < 24 * net.nodes[0].layer.weight.nbytes + 64 * 2**16 + 2**21


@pytest.mark.parametrize(
    "net",
    [
        sn.Network.sequential(
            (2**21,), [sn.Quantize(0.1), sn.QuantizedLinear(np.ones((1, 2**21), np.int8), np.zeros(1), np.ones(1))]
        ),
        sn.Network.sequential(
            (1, 512, 512),
            [
                sn.Quantize(0.1),
                sn.QuantizedConv2d(np.ones((1, 1, 512, 512), np.int8), np.zeros(1, np.int32), 1),
                sn.Dequantize(0.1),
            ],
        ),
    ],
    ids=["linear", "conv2d"],
)
def test_bytes_that_would_be_mostly_padding_are_refused(net):
    tracemalloc.start()
    with pytest.raises(sn.CompileError, match=r"layer 'quantized.*1': expected weights of at most 16,777,216 bytes"):
        sn.compile(net, planner="predict", progress=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@given(st.integers(1, 2**23), st.integers(1, 4))
def test_inputs_made_up_for_timing_take_no_more_than_one_call(elements, samples):
    made = made_inputs((elements,), samples)
    assert all(x.shape == (samples, elements) and x.dtype == np.float32 for x in made)
    assert made.nbytes <= 4 * max(samples * elements, LARGEST_INPUTS)
    assert all(np.abs(x).max() <= 1 for x in made)


def test_long_chains_are_followed_without_recursion():
    n = 2 * sys.getrecursionlimit()
    net = sn.Network.sequential((2, 1, 1), [sn.Conv2d(np.ones((2, 2, 1, 1))), *[sn.MaxPool2d(1)] * n, sn.ReLU()])
    assert len(tail_of(net, "conv2d1")) == n + 1
    assert not loses_negatives(sn.Network.sequential((2, 1, 1), [node.layer for node in net.nodes[:-1]]), "conv2d1")
    with_end = sn.Network.sequential((2, 1, 1), [*(node.layer for node in net.nodes), sn.AvgPool2d(1)])
    assert loses_negatives(with_end, "conv2d1")


def test_too_little_memory_is_an_error_of_ours(monkeypatch):
    def full(*_, **__):
        raise MemoryError("Unable to allocate 1.00 TiB")

    net = chain((4,), sn.ReLU())(1)
    ready = sn.compile(net, progress=False)
    monkeypatch.setattr(drivers, "aligned_scratch", full)
    ready._scratches.clear()
    with pytest.raises(sn.SparsenetError, match="bytes of memory for activations, got less"):
        ready(np.ones((1, 4)))
    monkeypatch.setattr(compiling, "assemble", full)
    with pytest.raises(sn.CompileError, match=r"expected memory enough to compile .* 1\.00 TiB"):
        sn.compile(net, progress=False)
    monkeypatch.setattr(compiling, "available_bytes", lambda: 100)
    monkeypatch.setattr(compiling, "LARGEST_SCRATCH_BYTES", 10)
    with pytest.raises(sn.CompileError, match="expected activations that fit into the 100 bytes of memory"):
        sn.compile(net, progress=False)


def test_readers_are_found_once():
    net = NETWORKS["ladder"](5)
    assert {name: [node.name for node in nodes] for name, nodes in net.readers.items()} == {
        name: [node.name for node in net.nodes if name in node.inputs]
        for name in ("input", *net.shapes)
        if name != "add4"
    }
