"""Arrays as people give them: any byte order and layout is read, and what is no array is said in our own words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsenet as sn
from sparsenet import packing
from sparsenet.speech import log_mel, windows

RANDOM = np.random.default_rng(0)
X = RANDOM.integers(-9, 9, (3, 6)).astype(np.float32)
NET = sn.Network.sequential((6,), [sn.Linear(RANDOM.standard_normal((4, 6))), sn.ReLU()])


@pytest.fixture(scope="module")
def engine():
    return sn.compile(NET, batch=4, planner="predict", threads=1)


def strided(x):
    wide = np.zeros((2 * len(x), 3 * x.shape[1]), x.dtype)
    wide[::2, ::3] = x
    return wide[::2, ::3]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x):
    room = np.zeros(x.nbytes + 1, np.uint8)
    array = np.ndarray(x.shape, x.dtype, room, 1)
    array[...] = x
    return array


LAYOUTS = {
    "as it is": lambda x: x,
    "Fortran": np.asfortranarray,
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "strided": strided,
    "read-only": read_only,
    "unaligned": unaligned,
    "matrix": np.asmatrix,
    "without masked elements": lambda x: np.ma.MaskedArray(x, mask=False),
    "list": lambda x: x.tolist(),
    "tuple of arrays": tuple,
}
TYPES = ("<f4", ">f4", "<f8", ">f8", "<f2", ">f2", ">i2", "<i8", ">i4", "longdouble")


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of np.matrix
@settings(deadline=None)
@given(dtype=st.sampled_from(TYPES), layout=st.sampled_from(sorted(LAYOUTS)))
def test_every_type_and_layout_gives_the_same(engine, dtype, layout):
    x = LAYOUTS[layout](X.astype(dtype))
    np.testing.assert_array_equal(engine(x), engine(X))
    np.testing.assert_array_equal(NET.reference(x), NET.reference(X))
    layer = sn.Linear(x)
    np.testing.assert_array_equal(layer.weight, X)
    assert layer.weight.dtype == np.float32
    assert layer.weight.dtype.isnative
    assert layer.weight.flags.carray or not layer.weight.flags.writeable


@pytest.mark.parametrize("dtype", [">i4", "<i4", ">i2", "int8"])
def test_whole_numbers_of_any_byte_order(dtype):
    weight = RANDOM.integers(-9, 9, (4, 8))
    layer = sn.QuantizedLinear(weight.astype(dtype), np.arange(4).astype(dtype), np.ones(4, ">f4"))
    np.testing.assert_array_equal(layer.weight, weight)
    assert layer.weight.dtype == np.int8


class Obstinate:
    def __array__(self, *_, **__):
        raise RuntimeError("not as an array")


WRONG = {
    "ragged": [[1, 2], [3]],
    "masked": np.ma.MaskedArray(np.ones((1, 6)), mask=[[True] + 5 * [False]]),
    "text": np.array([["a"] * 6]),
    "object": np.array([[None] * 6]),
    "complex": np.ones((1, 6), complex),
    "date": np.zeros((1, 6), "datetime64[s]"),
    "record": np.zeros((1, 6), [("a", "f4")]),
    "obstinate": Obstinate(),
    "huge": [[10**400] * 6],
    "dict": {"x": 1},
    "nothing": ...,
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize(
    "ask",
    [
        lambda engine, x: engine(x),
        lambda engine, x: NET.reference(x),
        lambda engine, x: sn.Linear(x),
        lambda engine, x: sn.Linear(np.ones((1, 6)), mask=x),
        lambda engine, x: sn.QuantizedLinear(x, np.ones(1, np.int32), np.ones(1)),
        lambda engine, x: log_mel(x),
        lambda engine, x: windows(x),
        lambda engine, x: packing.pack(x),
        lambda engine, x: engine.profile(x),
    ],
    ids=["engine", "reference", "weight", "mask", "whole weight", "log_mel", "windows", "pack", "profile"],
)
def test_what_is_no_array_is_said_in_our_words(engine, ask, what):
    with pytest.raises((sn.SparsenetError, TypeError), match="expected"):
        ask(engine, WRONG[what])
