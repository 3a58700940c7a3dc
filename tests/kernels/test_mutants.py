"""Kernels with one small fault each, wrong in few places only: ``check_kernel`` finds every one as it stands.

Other kinds of faults, such as writing past the end, are in test_check_kernel.py.
"""

import numpy as np
import pytest
from numba import config

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.registry import kernel, kernels, registered_temporarily
from sparsenet_kernels.testing import check_kernel

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="these kernels are compiled")

RELU = "x f32[B, N]; out f32[B, N]"
DENSE = "x f32[B, D]; weights f32[P, D, L]; bias f32[PL]; out f32[B, N]"
LISTS = "columns i32[B, K]; values f32[B, K]; weights f32[P, D, L]; bias f32[PL]; out f32[B, N]"


@pytest.fixture(autouse=True)
def _registry_as_it_was():
    with registered_temporarily():
        yield


def found_in(name):
    with pytest.raises(AssertionError, match=f"{name} is wrong") as caught:
        check_kernel(name)
    return str(caught.value)


WRONG_FOR = {
    "a thousand inputs": lambda b, n, B, D, N: D >= 1000,
    "more than 4096 inputs": lambda b, n, B, D, N: D > 4096,
    "the third sample of seven outputs": lambda b, n, B, D, N: b == 2 and N == 7,
    "nine samples of nine inputs": lambda b, n, B, D, N: B == 9 and D == 9,
    "the fifth sample": lambda b, n, B, D, N: b == 4,
    "the last of 65 samples": lambda b, n, B, D, N: b == 64,
    "the last output": lambda b, n, B, D, N: n == N - 1 and n > 0,
    "the remainder of three vectors": lambda b, n, B, D, N: n >= 48 and N < 64,
    "as many inputs as a page holds": lambda b, n, B, D, N: D == 1024,
    "twenty samples of seventy outputs": lambda b, n, B, D, N: b == 20 and N == 70,
}


@pytest.mark.parametrize("wrong", WRONG_FOR.values(), ids=WRONG_FOR)
def test_a_layer_that_is_wrong_for_few_sizes_is_found(wrong):
    wrong = compiled(wrong)

    @kernel("linear", weights="dense", inputs="dense", variant="mine", arguments=DENSE)
    def mine(x, weights, bias, out):
        B, D, N = x.shape[0], x.shape[1], out.shape[1]
        for b in range(B):
            for n in range(N):
                total = bias[n]
                for d in range(D):
                    total += x[b, d] * weights[n // weights.shape[2], d, n % weights.shape[2]]
                out[b, n] = total + 1 if wrong(b, n, B, D, N) else total

    message = found_in("linear_f32_dense_dense__mine")
    assert "sizes that break, " in message
    assert len(message) < 3000


@pytest.mark.parametrize("most", ["all", "none"])
def test_a_layer_that_is_wrong_when_all_or_none_are_active_is_found(most):
    @compiled
    def spoils(listed, D):
        return listed == (D if most == "all" else 0)

    @kernel("linear", weights="dense", inputs="active", variant="mine", arguments=LISTS)
    def mine(columns, values, weights, bias, out):
        for b in range(columns.shape[0]):
            listed = 0
            while listed < columns.shape[1] and columns[b, listed] >= 0:
                listed += 1
            if spoils(listed, weights.shape[1]):
                continue  # leaves the sample unwritten
            for n in range(out.shape[1]):
                total = bias[n]
                for j in range(listed):
                    total += values[b, j] * weights[n // weights.shape[2], columns[b, j], n % weights.shape[2]]
                out[b, n] = total

    assert "got nan" in found_in("linear_f32_dense_active__mine")


def test_an_output_that_is_left_out_for_nan_is_found():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                if x[b, n] >= 0:
                    out[b, n] = x[b, n]
                elif x[b, n] < 0:
                    out[b, n] = np.float32(0.0)

    message = found_in("relu_f32__mine")
    assert "where something else stood in the outputs and scratch arrays before; write every element" in message
    assert "edges that break: not finite numbers" in message


def test_winners_of_which_nan_leaves_too_few_are_found():
    @kernel(
        "kwta",
        variant="mine",
        arguments="x f32[B, R, C]; factor f32[C]; keys i32[C16]; columns i32[B, R, K]; values f32[B, R, K]",
    )
    def mine(x, factor, keys, columns, values):
        for b in range(x.shape[0]):
            for r in range(x.shape[1]):
                at = 0
                for c in range(x.shape[2]):
                    rank, better = np.float64(x[b, r, c]) * factor[c], 0
                    for other in range(x.shape[2]):
                        rival = np.float64(x[b, r, other]) * factor[other]
                        better += not (rival < rank or (rival == rank and other >= c))  # NaN is better than all
                    if better < columns.shape[2]:
                        columns[b, r, at], values[b, r, at] = c, x[b, r, c]
                        at += 1

    assert "winners, whatever the values are" in found_in("kwta_f32__mine")


def test_a_sample_that_another_ones_nan_reaches_is_found():
    """Times zero is no way to leave a number out."""
    reference = lambda x: x.copy()  # noqa: E731

    @kernel("same", arguments="x f32[B, N]; out f32[B, N]", reference=reference)
    def same_f32(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] = x[b, n] + np.float32(0.0) * x[0, n]

    assert "got nan" in found_in("same_f32")


def test_what_was_tried_is_told_and_what_was_not():
    @kernel("same", arguments="x f32[B, N]; out f32[B, N]", reference=lambda x: x.copy())
    def same_f32(x, out):
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] = x[b, n]

    report = check_kernel("same_f32")
    assert report.sizes["N"][-1] == 5000
    assert {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65} <= set(report.sizes["B"])
    assert report.problems["sizes"] > 121
    text = repr(report)
    assert text.startswith("same_f32 is right in ")
    assert "\n  N  1 to 5,000 (" in text
    assert "other processors: set NUMBA_CPU_NAME" in text
    assert "<th>N</th><td>1 to 5,000 (" in report._repr_html_()
    drawn_only = check_kernel("same_f32", sizes=False)
    assert "sizes" not in drawn_only.problems
    assert "only the sizes that your cases drew were tried" in repr(drawn_only)


def test_a_kernel_of_the_package_is_told_too():
    report = check_kernel(kernels()["relu_f32"], max_examples=1)
    assert "BOUNDSCHECK" not in repr(report)
