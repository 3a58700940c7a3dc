"""Every program that is written obeys the rules, and each rule catches a program that breaks it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_choices import forced_kernels
from strategies import networks

import sparsenet as sn
from sparsenet.lowering.arena import lay_out
from sparsenet.lowering.draft import View
from sparsenet.lowering.lower import lower
from sparsenet.lowering.rules import RULES, broken_rules, check_program
from sparsenet.lowering.table import LOWERINGS
from sparsenet.machine.facts import machine
from sparsenet.ops import OPERATIONS


@st.composite
def programs(draw):
    """Draw a network, on bytes in part, kernels for it, and samples; lower it."""
    net = sn.fold_batchnorm(draw(networks(quantized=draw(st.booleans()))))
    return lower(net, draw(st.integers(1, 40)), machine(), draw(forced_kernels(net)))


@given(programs())
def test_every_program_obeys_the_rules(lowered):
    check_program(lowered)
    lay_out(lowered.draft.buffers, lowered.draft.batch)
    check_program(lowered)


def program():
    """Lower a network whose program has scratch, lists, an image with padding, and steps of several dtypes."""
    rng = np.random.default_rng(0)
    bytewise = sn.QuantizedConv2d(rng.integers(-3, 4, (64, 64, 3, 3)).astype(np.int8), np.zeros(64, np.int32), 4)
    layers = [
        sn.Conv2d(rng.standard_normal((64, 2, 3, 3)), padding=1),
        sn.KWinners(9, scope="channels"),
        sn.Quantize(0.1),
        bytewise,
        sn.Dequantize(0.1),
    ]
    lowered = lower(sn.Network.sequential((2, 6, 6), layers), 3, machine(), {})
    lay_out(lowered.draft.buffers, 3)
    check_program(lowered)
    return lowered


def changed(lowered, number, role, change):
    """Change the first argument of a role that lies in a buffer, of one step."""
    step = lowered.draft.steps[number]
    arguments = list(step.arguments)
    at = next(i for i, declared in enumerate(step.kernel.arguments) if declared.role == role)
    arguments[at] = change(arguments[at])
    lowered.draft.steps[number] = replace(step, arguments=tuple(arguments))


def step_with(lowered, role):
    return next(
        number
        for number, step in enumerate(lowered.draft.steps)
        if any(declared.role == role for declared in step.kernel.arguments)
    )


def see_less(lowered):
    changed(lowered, 0, "in", lambda view: View(view.buffer, (view.shape[0] - 1, *view.shape[1:])))


def lose_an_axis(lowered):
    changed(lowered, 0, "in", lambda view: View(view.buffer, (int(np.prod(view.shape)),)))


def mean_two_sizes(lowered):
    changed(lowered, 0, "in", lambda view: View(view.buffer, view.shape[::-1]))


def give_a_number(lowered):
    changed(lowered, 0, "in", lambda view: 3)


def forget_the_input(lowered):
    lowered.sources.clear()


def share_scratch(lowered):
    step = lowered.draft.steps[step_with(lowered, "scratch")]
    lowered.draft.steps.append(step)


def mix_dtypes(lowered):
    number = next(n for n, step in enumerate(lowered.draft.steps) if step.kernel.dtype == "i8")
    source = lowered.draft.steps[0].arguments[0]
    changed(lowered, number, "out", lambda view: source)


def free_too_early(lowered):
    lowered.source.last = -1


def lie_on_another(lowered):
    one, other = (buffer for buffer in lowered.draft.buffers[:2])
    other.first = one.first
    other.offset_bytes = one.offset_bytes


BREAKING = {
    "views see whole buffers": see_less,
    "views have their kernel's axes": lose_an_axis,
    "a letter is one size": mean_two_sizes,
    "roles agree": give_a_number,
    "written before read": forget_the_input,
    "scratch is a step's own": share_scratch,
    "a buffer has one dtype": mix_dtypes,
    "lifetimes cover uses": free_too_early,
    "buffers needed at once lie apart": lie_on_another,
}


@pytest.mark.parametrize("rule", RULES)
def test_a_program_that_breaks_a_rule_is_caught_by_name(rule):
    lowered = program()
    BREAKING[rule](lowered)
    assert rule in {said.partition(":")[0] for said in broken_rules(lowered)}
    with pytest.raises(AssertionError, match=rule):
        check_program(lowered)


def test_every_kind_of_layer_is_lowered():
    assert set(LOWERINGS) == set(OPERATIONS)


def test_a_kind_that_nobody_lowers_is_an_error_that_names_it(monkeypatch):
    from sparsenet.lowering import lower as walk

    monkeypatch.setattr(walk, "LOWERINGS", {kind: how for kind, how in LOWERINGS.items() if kind != "Softmax"})
    net = sn.Network.sequential((3,), [sn.Softmax()])
    with pytest.raises(sn.CompileError, match=r"layer .softmax1.: expected a kind of layer .* got Softmax"):
        lower(net, 1, machine(), {})


def test_inputs_and_outputs_are_found_by_name():
    nodes = [sn.Node("sum", sn.Add(), ("a", "b")), sn.Node("positive", sn.ReLU(), ("sum",))]
    inputs = {"a": sn.Input((3, 2, 2)), "b": sn.Input((3, 2, 2))}
    lowered = lower(sn.Network(inputs, nodes, ("sum", "positive")), 2, machine(), {})
    check_program(lowered)
    assert list(lowered.sources) == ["a", "b"]
    assert list(lowered.results) == ["sum", "positive"]


@pytest.mark.parametrize("dtype", ["int32", "bool"])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 3)])
def test_whole_numbers_and_truth_values_are_cast(dtype, shape):
    nodes = [sn.Node("cast", sn.Cast(), ("ids",)), sn.Node("positive", sn.ReLU(), ("cast",))]
    lowered = lower(sn.Network({"ids": sn.Input(shape, dtype)}, nodes, "positive"), 2, machine(), {})
    check_program(lowered)
    assert lowered.source.sample_bytes == int(np.prod(shape)) * (4 if dtype == "int32" else 1)
