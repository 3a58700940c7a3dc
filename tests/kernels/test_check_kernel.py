"""The test kit finds what kernels get wrong: each of these kernels has one fault."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import strategies as st
from numba import config

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.registry import kernel, kernels, registered_temporarily
from sparsenet_kernels.simd.ops import load, store
from sparsenet_kernels.step_abi import address_of
from sparsenet_kernels.testing import Case, Expected, cases, check_kernel, complaints, leftovers, uses_vectors
from sparsenet_kernels.testing.memory import GUARD_BYTES, guarded

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="these kernels are compiled")

RELU = "x f32[B, N]; out f32[B, N]"
CSC = "columns i32[B, K]; values f32[B, K]; indptr i32[D1]; rows i32[Z]; weights f32[Z]; bias f32[N]; out f32[B, N]"
LISTS = "x f32[B, R, C]; columns i32[B, R, K]; values f32[B, R, K]"


@pytest.fixture(autouse=True)
def _registry_as_it_was():
    with registered_temporarily():
        yield


def message_of(name, **options):
    with pytest.raises(AssertionError) as caught:
        check_kernel(name, **options)
    return str(caught.value)


def csc_active(add, reads_on=False, bias_weight=1.0):
    """Register a kernel for compressed columns and active lists that uses ``add`` on an output and a product."""
    add = compiled(add)

    @kernel("linear", weights="csc", inputs="active", variant="mine", arguments=CSC)
    def mine(columns, values, indptr, rows, weights, bias, out):
        for b in range(columns.shape[0]):
            for n in range(out.shape[1]):
                out[b, n] = bias[n] * bias_weight
            for j in range(columns.shape[1]):
                d = columns[b, j]
                if d < 0:
                    if reads_on:
                        continue
                    break
                for z in range(indptr[d], indptr[d + 1]):
                    out[b, rows[z]] = add(out[b, rows[z]], values[b, j] * weights[z])

    return "linear_f32_csc_active__mine"


def test_a_right_kernel_passes():
    check_kernel(csc_active(lambda total, product: total + product))


def test_a_wrong_sum_is_found_and_shrunk():
    message = message_of(csc_active(lambda total, product: total - product))
    assert "linear_f32_csc_active__mine is wrong" in message
    assert "samples=1, inputs=1, outputs=1, density=1.0, activity=Activity(most=1, ragged=False" in message
    assert "out[0, 0]: expected" in message
    assert "edges that break: all but 0 samples; no weights" in message


def test_a_sum_that_is_off_by_a_few_roundings_is_found():
    assert "allowed error" in message_of(csc_active(lambda total, product: (total + product) * np.float32(1 + 1e-5)))


def test_a_forgotten_bias_is_found():
    assert "is wrong" in message_of(csc_active(lambda total, product: total + product, bias_weight=0.0))


def test_reading_on_behind_the_end_of_a_list_is_found():
    message = message_of(csc_active(lambda total, product: total + product, reads_on=True))
    assert "got nan" in message
    assert "rows of different length; room to spare" in message


def test_a_forgotten_last_vector_is_found():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1] // 8 * 8):
                out[b, n] = max(x[b, n], np.float32(0.0))

    assert "got nan" in message_of("relu_f32__mine")


def test_a_write_outside_of_an_output_is_found():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] = max(x[b, n], np.float32(0.0))
            for n in range(x.shape[1], (x.shape[1] + 7) // 8 * 8):
                out[b, n] = np.float32(0.0)

    assert "outside of an array" in message_of("relu_f32__mine")


def test_a_write_outside_of_an_output_by_a_function_it_calls_is_found():
    @compiled
    def clear(out, b, n):
        out[b, n] = np.float32(0.0)

    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] = max(x[b, n], np.float32(0.0))
            clear(out, b, x.shape[1])

    assert "it writes outside of out" in message_of("relu_f32__mine") or config.BOUNDSCHECK


@pytest.mark.parametrize("by_vectors", [False, True])
def test_a_write_so_far_outside_that_it_would_end_the_process_is_found(by_vectors):
    far = 1 << 33

    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            if by_vectors:
                store(out, far, load(x, far))
            else:
                out[b, far] = x[b, 0]

    message = message_of("relu_f32__mine")
    assert "it accesses memory outside of an array" in message
    assert "edges that break: all but no samples" in message


@pytest.mark.parametrize("taken", ["f32[N]", "u8[B, N]", "f32[B, N, M]"])
def test_arguments_of_other_axes_or_dtypes_are_refused(taken):
    @kernel("relu", variant="mine", arguments=f"x {taken}; out {taken}")
    def mine(x, out):
        out[:] = 0

    with pytest.raises(TypeError, match=r"expected relu_f32__mine to take x f32 of 2 axes, .* got x .*; pass cases"):
        check_kernel("relu_f32__mine")


def test_a_changed_input_is_found():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                x[b, n] = max(x[b, n], np.float32(0.0))
                out[b, n] = x[b, n]

    assert "it changes its input x" in message_of("relu_f32__mine")


def test_an_output_that_is_added_to_is_found():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] += max(x[b, n], np.float32(0.0))

    assert "got nan" in message_of("relu_f32__mine")


def test_a_wrong_rule_for_ties_is_found():
    @kernel(
        "kwta",
        variant="mine",
        arguments="x f32[B, R, C]; factor f32[C]; columns i32[B, R, K]; values f32[B, R, K]",
    )
    def mine(x, factor, columns, values):
        for b in range(x.shape[0]):
            for p in range(x.shape[1]):
                at = 0
                for c in range(x.shape[2]):
                    better = 0
                    for other in range(x.shape[2]):
                        rank, rival = x[b, p, c] * factor[c], x[b, p, other] * factor[other]
                        better += rival > rank or (rival == rank and other > c)  # the highest index wins
                    if better < columns.shape[2]:
                        columns[b, p, at], values[b, p, at] = c, x[b, p, c]
                        at += 1

    message = message_of("kwta_f32__mine")
    assert "content='integers'" in message or "content='zeros'" in message


def test_a_list_without_its_end_is_found():
    @kernel("compact", variant="mine", arguments=LISTS)
    def mine(x, columns, values):
        for b in range(x.shape[0]):
            for p in range(x.shape[1]):
                at = 0
                for c in range(x.shape[2]):
                    if x[b, p, c] != 0 and at < columns.shape[2]:
                        columns[b, p, at], values[b, p, at] = c, x[b, p, c]
                        at += 1

    assert "expected -1" in message_of("compact_f32__mine")


def test_a_lost_sign_of_zero_is_found_where_bits_count():
    @kernel("swap_axes", variant="mine", arguments="x f32[B, M, N]; out f32[B, N, M]")
    def mine(x, out):
        for b in range(x.shape[0]):
            for m in range(x.shape[1]):
                for n in range(x.shape[2]):
                    out[b, n, m] = x[b, m, n] + np.float32(0.0)

    assert "expected -0.0, got 0.0" in message_of("swap_axes_f32__mine")


def test_an_operation_of_ones_own_takes_cases_of_ones_own():
    @kernel("double", arguments=RELU)
    def double_f32(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] = 2 * x[b, n] if x[b, n] != 7 else np.float32(0.0)

    def doubled(numbers):
        x = np.float32([numbers])
        return Case({"x": x, "out": leftovers(x.shape)}, {"out": Expected(2.0 * x, 0.0)})

    check_kernel("double_f32", case=st.lists(st.integers(-5, 5)).map(doubled))
    drawn = st.lists(st.integers(-9, 9)).map(doubled)
    assert "expected 14.0, got 0.0" in message_of("double_f32", case=drawn, max_examples=300)
    with pytest.raises(ValueError, match=r"expected one of the operations .* got 'double_f32'; pass cases of your own"):
        check_kernel("double_f32")


def test_a_format_of_ones_own_needs_cases_of_ones_own():
    @kernel("linear", weights="runs", inputs="dense", arguments=RELU)
    def linear_f32_runs_dense(x, out):
        out[:] = 0.0

    with pytest.raises(ValueError, match="expected weights as dense, csc, csr, complementary, blocks, got 'runs'"):
        check_kernel("linear_f32_runs_dense")


def test_inputs_of_ones_own_need_cases_of_ones_own():
    @kernel("linear", weights="csr", inputs="lazy", arguments=RELU)
    def linear_f32_csr_lazy(x, out):
        out[:] = 0.0

    with pytest.raises(ValueError, match="expected inputs as dense, active, pixels, got 'lazy'"):
        check_kernel("linear_f32_csr_lazy")


def test_arguments_of_ones_own_need_cases_of_ones_own():
    @kernel("relu", variant="leaky", arguments="x f32[B, N]; slope f32[N]; out f32[B, N]")
    def leaky(x, slope, out):
        out[:] = 0.0

    with pytest.raises(TypeError, match="expected relu_f32__leaky to take only x, out, got slope; pass cases"):
        check_kernel("relu_f32__leaky")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"expected the name of a registered kernel, got 'relu'; .*relu_f32"):
        check_kernel("relu")
    with pytest.raises(TypeError, match="expected a kernel, or the name of one, got int"):
        check_kernel(3)


def test_the_seed_decides_what_is_drawn():
    name = csc_active(lambda total, product: total + product if product < 2 else total)
    assert message_of(name, seed=1, max_examples=30) == message_of(name, seed=1, max_examples=30)


@pytest.mark.parametrize("name", ["add_f32", "conv2d_f32_csc_active"])
def test_cases_can_be_used_elsewhere(name):
    from hypothesis import given, settings

    @settings(max_examples=5)
    @given(cases(kernels()[name]))
    def passes(case):
        assert not complaints(kernels()[name], case)

    passes()


def test_kernels_that_use_vectors_are_known():
    plain = compiled(lambda x: x[0])
    vectors = compiled(lambda x: store(x, 0, load(x, 0)))
    assert not uses_vectors(plain.py_func)
    assert uses_vectors(vectors.py_func)
    assert uses_vectors(lambda x: vectors(x))
    assert not uses_vectors(kernels()["linear_f32_csc_active"].source)
    assert uses_vectors(kernels()["kwta_f32"].source)


def test_the_package_imports_without_numba_and_hypothesis():
    script = "import sys, sparsenet_kernels; assert not {'numba', 'hypothesis'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", script], check=True, env=dict(os.environ))


def test_a_read_outside_of_an_input_is_found():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] = max(x[b, n], np.float32(0.0)) + np.float32(0.0) * x[b, n + 1]

    assert "outside of an array" in message_of("relu_f32__mine", case=finite_rows())


def test_a_number_read_outside_of_an_input_by_a_function_it_calls_spoils_the_sum():
    @compiled
    def behind(x, b, n):
        return x[b, n + 1]

    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] = max(x[b, n], np.float32(0.0)) + np.float32(0.0) * behind(x, b, n)

    assert "got nan" in message_of("relu_f32__mine", case=finite_rows()) or config.BOUNDSCHECK


def finite_rows():
    """Draw cases of a rectifier; what is finite stays finite where only the row itself is read."""
    x = st.lists(st.integers(-5, 5), min_size=1).map(lambda row: np.float32([row]))
    return x.map(lambda x: Case({"x": x, "out": leftovers(x.shape)}, {"out": Expected(np.maximum(x, 0.0), 0.0)}))


@pytest.mark.parametrize("place", [-GUARD_BYTES, -1, 12, 11 + GUARD_BYTES])
@pytest.mark.parametrize("written", [False, True])
def test_guards_reach_far_on_either_side(place, written):
    copy = guarded(np.float32([1.0, 2.0, 3.0]), written)
    start = address_of(copy.array) - address_of(copy.block)
    assert copy.intact
    assert copy.unchanged
    copy.block[start + place] ^= 1
    assert not copy.intact
    assert copy.unchanged


def test_guards_let_the_array_itself_be_written():
    copy = guarded(np.int32([1, 2, 3]), True)
    copy.array[:] = -1
    assert copy.intact
    assert not copy.unchanged
