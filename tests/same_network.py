"""Equality of networks, for tests: layers compare by identity. Arrays must be equal, to the bit but for -0.0."""

from dataclasses import fields

import numpy as np


def assert_same_network(one, other):
    assert dict(one.inputs) == dict(other.inputs)
    assert one.outputs == other.outputs
    assert one.labels == other.labels
    assert dict(one.details) == dict(other.details)
    assert [(node.name, node.inputs) for node in one.nodes] == [(node.name, node.inputs) for node in other.nodes]
    for mine, theirs in zip(one.nodes, other.nodes, strict=True):
        assert_same_layer(mine.layer, theirs.layer)


def assert_same_layer(one, other):
    assert type(one) is type(other)
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape), field.name
            assert np.array_equal(mine, theirs), field.name  # neither holds NaN
            assert not theirs.flags.writeable
        else:
            assert mine == theirs, field.name
