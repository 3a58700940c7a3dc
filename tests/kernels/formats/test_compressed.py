"""Csc and Csr: the same arrays as SciPy makes, and what validation refuses."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsenet_kernels import formats

VALUES = st.sampled_from([0.0, 0.0, 1.0, -2.0])
BOTH = pytest.mark.parametrize(("pack", "names"), [(formats.pack_csc, "rows"), (formats.pack_csr, "columns")])


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=VALUES))
def test_arrays_are_those_of_scipy(weight):
    csc, csr = formats.pack_csc(weight), formats.pack_csr(weight)
    for ours, indices, theirs in (
        (csc, csc.rows, scipy.sparse.csc_matrix(weight)),
        (csr, csr.columns, scipy.sparse.csr_matrix(weight)),
    ):
        np.testing.assert_array_equal(ours.indptr, theirs.indptr)
        np.testing.assert_array_equal(indices, theirs.indices)
        np.testing.assert_array_equal(ours.values, theirs.data)
        assert ours.fill == 1.0
        assert ours.size_bytes == theirs.indptr.nbytes + theirs.indices.nbytes + theirs.data.nbytes


# Three lines, of which the second is empty, whether they are read as columns or as rows.
WEIGHT = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [4.0, 0.0, 3.0]])


def ints(*numbers):
    return np.array(numbers, np.int32)


def small(pack):
    return pack(WEIGHT if pack is formats.pack_csc else WEIGHT.T)


MALFORMED = [
    ("shape", (0, 3), "expected shape to be"),
    ("shape", (3, 2**31), "expected shape to be"),
    ("shape", (3, 3, 1), "expected shape to be"),
    ("indptr", ints(0, 2, 1, 4), "expected indptr never to decrease, got 2 then 1 at 1"),
    ("indptr", ints(0, 2, -1, 4), "expected indptr never to decrease"),
    ("indptr", ints(1, 2, 2, 4), "expected indptr to start at 0, got 1"),
    ("indptr", ints(0, 2, 2, 5), r"expected INDICES to have shape \(5,\), got \(4,\)"),
    ("indptr", ints(0, 2, 4), r"expected indptr to have shape \(4,\), got \(3,\)"),
    ("indptr", np.array([0, 2, 2, 4], np.int64), "expected indptr to be int32, got int64; cast it first"),
    ("INDICES", ints(0, 2, 0, 3), r"expected 0 <= INDICES < 3, got INDICES\[3\] = 3"),
    ("INDICES", ints(-1, 2, 0, 2), r"expected 0 <= INDICES < 3, got INDICES\[0\] = -1"),
    ("INDICES", ints(2, 0, 0, 2), "expected rising INDICES in each run, got 2 then 0 in run 0"),
    ("INDICES", ints(0, 2, 1, 1), "expected rising INDICES in each run, got 1 then 1 in run 2"),
    ("INDICES", ints(0, 2, 0, 2).astype(np.uint32), "expected INDICES to be int32, got uint32"),
    ("INDICES", ints(0, 9, 2, 9, 0, 9, 2, 9)[::2], "expected INDICES to be C-contiguous"),
    ("values", np.ones(4), "expected values to be float32, got float64"),
    ("values", np.ones((4, 1), np.float32), r"expected values to have shape \(4,\)"),
    (
        "values",
        np.array([1, np.nan, 1, 1], np.float32),
        r"expected values to be finite in float32, got values\[1\] = nan",
    ),
    ("values", np.array([1, 1, 1, np.inf], np.float32), "expected values to be finite"),
]


@BOTH
@pytest.mark.parametrize(("field", "value", "message"), MALFORMED)
def test_malformed_arrays_are_refused(pack, names, field, value, message):
    changed = {field.replace("INDICES", names): value}
    with pytest.raises(ValueError, match=message.replace("INDICES", names)):
        dataclasses.replace(small(pack), **changed)


@BOTH
def test_what_is_no_array_is_refused(pack, names):
    with pytest.raises(TypeError, match=f"expected {names} to be a NumPy array, got list"):
        dataclasses.replace(small(pack), **{names: [0, 2, 0, 2]})


@BOTH
def test_arrays_changed_behind_the_back_are_found_by_validation(pack, names):
    validate = formats.validate_csc if pack is formats.pack_csc else formats.validate_csr
    packed = small(pack)
    validate(packed)
    indices = getattr(packed, names).copy()
    changed = dataclasses.replace(packed, **{names: indices})
    indices[0] = 7
    with pytest.raises(ValueError, match=f"expected 0 <= {names} < 3"):
        validate(changed)
