"""Tensors in either order of elements: a step is emitted only where elements lie otherwise."""

import numpy as np
import pytest

import sparsenet as sn
from sparsenet.lowering import lower as walk
from sparsenet.lowering import orders
from sparsenet.lowering.draft import Draft
from sparsenet.lowering.elementwise import LOWERINGS
from sparsenet.lowering.layout import CHANNELS_LAST, LOGICAL, layout_of
from sparsenet.lowering.lower import lower
from sparsenet.lowering.table import LOWERINGS as ALL
from sparsenet.lowering.task import Lowering, Plan, Task
from sparsenet.lowering.tensor import (
    Tensor,
    active_lists,
    channels_last,
    dense_buffer,
    from_logical,
    in_one_order,
    logical,
)
from sparsenet.machine.facts import machine

MOVING = [(7, 5), (3, 4, 5), (2, 1, 3)]
STILL = [(6,), (1, 5), (5, 1), (1, 2, 3), (9, 1, 1)]


def given(draft, shape, order=LOGICAL):
    return from_logical(draft, draft.buffer(int(np.prod(shape))), shape, order=order)


def kernels_of(draft):
    return [step.kernel.name for step in draft.steps]


@pytest.mark.parametrize("shape", [*MOVING, *STILL])
def test_elements_are_moved_only_where_they_lie_otherwise(shape):
    draft = Draft(batch=2)
    tensor = given(draft, shape)
    assert logical(draft, tensor) is tensor
    assert draft.steps == []
    turned = channels_last(draft, tensor)
    assert channels_last(draft, turned) is turned
    back = logical(draft, turned)
    assert kernels_of(draft) == ["swap_axes_f32"] * (2 if shape in MOVING else 0)
    assert turned.layout == layout_of(shape, CHANNELS_LAST)
    assert back.layout == layout_of(shape, LOGICAL)
    assert turned.shape == back.shape == shape


def test_rows_are_of_the_innermost_axis():
    draft = Draft(batch=2)
    tokens = given(draft, (7, 5))
    assert (tokens.rows, tokens.channels) == (7, 5)
    image = channels_last(draft, tokens)
    assert (image.rows, image.channels) == (5, 7)
    assert tokens.expected * tokens.rows == image.expected * image.rows


def test_tensors_that_lie_alike_stay_as_they_are():
    draft = Draft(batch=2)
    one, other = given(draft, (7, 5)), given(draft, (7, 5))
    assert in_one_order(draft, [one, other]) == [one, other]
    assert draft.steps == []
    mixed = in_one_order(draft, [one, given(draft, (7, 5), CHANNELS_LAST)])
    assert {tensor.layout.order for tensor in mixed} == {CHANNELS_LAST}


@pytest.mark.parametrize("order", [LOGICAL, CHANNELS_LAST])
def test_what_is_computed_element_by_element_keeps_the_order(order):
    draft = Draft(batch=2)
    task = Task(draft, Plan(machine(), {}), sn.ReLU(), (given(draft, (7, 5), order),), (7, 5))
    (how,) = LOWERINGS["ReLU"]
    assert how.emit(task).layout.order == order


def test_a_flattened_sample_of_tokens_lies_in_the_order_of_its_meaning():
    draft = Draft(batch=2)
    tokens = given(draft, (7, 5))
    how = ALL["Flatten"][0]
    flat = how.emit(Task(draft, Plan(machine(), {}), sn.Flatten(), (tokens,), (35,)))
    assert not flat.turned
    assert dense_buffer(draft, flat) is tokens.dense
    assert draft.steps == []


def test_lists_are_written_once():
    draft = Draft(batch=2)
    tensor = given(draft, (6,))
    assert active_lists(draft, tensor) is active_lists(draft, tensor)
    assert kernels_of(draft) == ["compact_f32"]
    listed = Tensor("float32", (6,), layout_of((6,)), lists=tensor.lists)
    assert dense_buffer(draft, listed) is dense_buffer(draft, listed)
    assert kernels_of(draft) == ["compact_f32", "expand_f32"]


def test_an_image_that_is_given_is_turned_once():
    net = sn.Network.sequential((3, 4, 4), [sn.MaxPool2d(2), sn.AvgPool2d(2), sn.Flatten()])
    lowered = lower(net, 1, machine(), {})
    assert kernels_of(lowered.draft) == ["swap_axes_f32", "max_pool2d_f32", "avg_pool2d_f32"]


def test_what_is_only_computed_element_by_element_is_never_turned():
    net = sn.Network.sequential((3, 4, 4), [sn.ReLU(), sn.LeakyReLU()])
    assert kernels_of(lower(net, 1, machine(), {}).draft) == ["relu_f32", "leaky_relu_f32"]


def test_what_takes_either_order_asks_for_that_of_its_readers(monkeypatch):
    tokenwise = {**ALL, "Softmax": (Lowering(lambda task: logical(task.draft, task.x), reads=LOGICAL),)}
    for module in (orders, walk):
        monkeypatch.setattr(module, "LOWERINGS", tokenwise)
    nodes = [
        sn.Node("positive", sn.ReLU(), ("input",)),
        sn.Node("sum", sn.Add(), ("input", "positive")),
        sn.Node("classes", sn.Softmax(), ("sum",)),
    ]
    net = sn.Network((7, 5), nodes, "classes")
    assert set(orders.orders_read(net).values()) == {LOGICAL}
    assert kernels_of(lower(net, 1, machine(), {}).draft) == ["relu_f32", "add_f32"]
