"""Kernels that users write: registered again, with a reference of their own, and wrong in ways that must be said."""

import numpy as np
import pytest
from numba import config

from sparsenet.lowering.own_kernels import stand_ins
from sparsenet_kernels.jit import compiled
from sparsenet_kernels.registry import KernelCompileError, kernel, kernels, registered_temporarily
from sparsenet_kernels.testing import check_kernel

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="these kernels are compiled")

RELU = "x f32[B, N]; out f32[B, N]"
DOT = "x f32[B, D]; weights f32[D]; out f32[B]"


@pytest.fixture(autouse=True)
def _registry_as_it_was():
    with registered_temporarily():
        yield


def register_dot(step=1, reference=lambda x, weights: x @ weights):
    @kernel("dot", arguments=DOT, reference=reference)
    def dot_f32(x, weights, out):
        for b in range(x.shape[0]):
            total = np.float32(0.0)
            for d in range(x.shape[1] // step * step):
                total += x[b, d] * weights[d]
            out[b] = total


def test_an_operation_with_its_reference_is_tested_like_any_other():
    register_dot()
    check_kernel("dot_f32")


def test_the_edge_that_breaks_is_named_and_the_numbers_shown():
    register_dot(step=8)
    with pytest.raises(AssertionError) as caught:
        check_kernel("dot_f32")
    message = str(caught.value)
    assert "dot_f32 is wrong" in message
    assert "sizes=(('B', 1), ('D', 1))" in message
    assert "where x = [[" in message
    assert "edges that break: all but B = 0; D = 8; D = 16; D = 32" in message
    assert len(message.splitlines()) < 8


def test_a_failure_is_told_without_the_frames_that_found_it():
    register_dot(step=8)
    with pytest.raises(AssertionError) as caught:
        check_kernel("dot_f32")
    assert caught.value.__context__ is None
    assert len(caught.traceback) == 2  # this test and check_kernel


def test_bytes_are_compared_exactly():
    def register(low):
        @kernel(
            "brighten", dtype="u8", arguments="x u8[B, N]; out u8[B, N]", reference=lambda x: np.minimum(x + 9, 255)
        )
        def brighten_u8(x, out):
            for b in range(x.shape[0]):
                for n in range(x.shape[1]):
                    out[b, n] = min(max(np.int32(x[b, n]), low) + 9, 255)

    register(0)
    check_kernel("brighten_u8")
    register(1)
    with pytest.raises(AssertionError, match="brighten_u8 is wrong"):
        check_kernel("brighten_u8", max_examples=300)


def test_a_reference_of_another_shape_is_refused():
    register_dot(reference=lambda x, weights: x * weights)
    with pytest.raises(ValueError, match=r"expected the reference of dot_f32 to return \(0,\), got \(0, 20\)"):
        check_kernel("dot_f32")


def test_what_fails_in_a_reference_is_told_with_its_inputs():
    register_dot(reference=lambda x, weights: x @ x)
    with pytest.raises(ValueError, match="matmul") as caught:
        check_kernel("dot_f32")
    assert caught.value.__notes__ == ["in the reference of dot_f32, given x (0, 20), weights (20,)"]


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"arguments": "x f16[B, N]; out f32[B, N]"}, ValueError, "of f32, i32, i8, u8, with semicolons .* 'x f16"),
        ({"arguments": "x f32[B, N], out f32[B, N]"}, ValueError, "did you mean 'x f32.B, N.; out f32.B, N.'?"),
        ({"arguments": "x f32[B N]; out f32[B, N]"}, ValueError, r"got 'x f32.B N.'; did you mean 'x f32\[B, N\]'?"),
        ({"arguments": "x: float32[B, N]; out f32[B, N]"}, ValueError, r"did you mean 'x f32\[B, N\]'?"),
        ({"arguments": "x f32[B, N]"}, ValueError, "to name what mine takes, x, out, got x$"),
        ({"arguments": "out f32[B, N]; x f32[B, N]"}, ValueError, "takes, x, out, got out, x"),
        ({"dtype": "f64"}, ValueError, "expected dtype among f32, i32, i8, u8, got 'f64'"),
        ({"device": "tpu"}, ValueError, "expected a device of cpu, cuda, got 'tpu'"),
        ({"weights": "csr"}, ValueError, "expected weights= and inputs=, or neither, got weights='csr' and inputs=''"),
        ({"features": "avx2"}, TypeError, r"write \('avx2',\)"),
        ({"reference": 3}, TypeError, "expected reference as a function of arrays, got int"),
        ({"variant": ""}, ValueError, "expected a kernel called relu_f32, got mine"),
    ],
)
def test_registering_says_what_is_wrong(wrong, error, said):
    with pytest.raises(error, match=said):

        @kernel("relu", **{"variant": "mine", "arguments": RELU} | wrong)
        def mine(x, out):
            """Say nothing."""


def test_arguments_that_only_the_author_understands_need_cases():
    @kernel("pick", arguments="x f32[B, N]; place int; out f32[B]", reference=lambda x: x[:, 0])
    def pick_f32(x, place, out):
        for b in range(x.shape[0]):
            out[b] = x[b, place]

    with pytest.raises(ValueError, match="no integers, got place; pass cases of your own as case="):
        check_kernel("pick_f32")


def test_a_cell_that_runs_again_registers_its_kernel_again():
    register_dot(step=8)
    first = kernels()["dot_f32"]
    register_dot()
    assert kernels()["dot_f32"] is not first
    check_kernel("dot_f32")


def test_another_function_may_not_take_the_name():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        """Say nothing."""

    with pytest.raises(ValueError, match="got relu_f32__mine twice"):

        @kernel("relu", variant="mine", arguments=RELU)
        def other(x, out):
            """Say nothing."""


def test_what_numba_cannot_compile_is_said_in_a_line():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        for b in range(x.shape[0]):
            out[b, 0] = x[b, 0] + "a"

    with pytest.raises(KernelCompileError) as caught:
        check_kernel("relu_f32__mine")
    message = str(caught.value)
    assert message.startswith("relu_f32__mine cannot be compiled: No implementation of function")
    assert message.endswith('out[b, 0] = x[b, 0] + "a"')
    assert "\n" not in message


@compiled
def smallest(numbers):
    return sorted(numbers)[0]


def test_what_allocates_is_told_with_the_line_of_the_kernel_or_of_what_it_calls():
    def by_itself(x, out):
        out[0, 0] = sorted(x[0])[0]

    def by_another(x, out):
        out[0, 0] = smallest(x[0])

    def by_an_array(x, out):
        out[0] = x[0] * 2

    lines = {by_itself: "out[0, 0] = sorted(x[0])[0]", by_another: "return sorted(numbers)[0]"}
    for function, line in (lines | {by_an_array: "out[0] = x[0] * 2"}).items():
        kernel("relu", variant=function.__name__, arguments=RELU)(function)
        with pytest.raises(KernelCompileError, match="kernels allocate nothing; write into outputs") as caught:
            check_kernel(f"relu_f32__{function.__name__}")
        assert str(caught.value).endswith(line)


def test_a_name_that_nobody_knows_is_said_in_a_line():
    @kernel("relu", variant="mine", arguments=RELU)
    def mine(x, out):
        out[0, 0] = missing  # noqa: F821

    with pytest.raises(KernelCompileError, match=r"cannot be compiled: NameError: name 'missing' is not defined$"):
        check_kernel("relu_f32__mine")


def test_kernels_know_whether_they_came_with_the_package():
    register_dot()
    assert not kernels()["dot_f32"].bundled
    assert kernels()["relu_f32"].bundled


def test_what_was_found_wrong_stands_in_for_nothing_until_it_is_mended():
    arguments = "x f32[B, D]; weights f32[P, D, L]; bias f32[PL]; out f32[B, N]"

    def register(off):
        @kernel("linear", weights="dense", inputs="dense", variant="mine", arguments=arguments)
        def mine(x, weights, bias, out):
            for b in range(out.shape[0]):
                for n in range(out.shape[1]):
                    total = bias[n] + np.float32(off)
                    for d in range(x.shape[1]):
                        total += x[b, d] * weights[n // weights.shape[2], d, n % weights.shape[2]]
                    out[b, n] = total

    candidates = ("linear_f32_dense_dense__mine",)
    register(off=1)
    assert stand_ins("linear_f32_dense_dense", ()) == candidates
    with pytest.raises(AssertionError, match="is wrong"):
        check_kernel(*candidates)
    assert stand_ins("linear_f32_dense_dense", ()) == ()
    register(off=0)
    assert stand_ins("linear_f32_dense_dense", ()) == candidates
    check_kernel(*candidates, max_examples=5)
    assert stand_ins("linear_f32_dense_dense", ()) == candidates


def test_constants_are_drawn_as_networks_have_them():
    """A single constant is a slope or an epsilon, so it lies between 0 and 1; only what comes in may be NaN."""

    @kernel(
        "leaky",
        arguments="in x f32[B, N]; constant slope f32[1]; out out f32[B, N]",
        reference=lambda x, slope: np.where(x > 0, x, x * np.sqrt(slope)),
    )
    def leaky_f32(x, slope, out):
        steep = np.sqrt(slope[0])
        for b in range(x.shape[0]):
            for n in range(x.shape[1]):
                out[b, n] = x[b, n] if x[b, n] > 0 else x[b, n] * steep

    check_kernel("leaky_f32", sizes=False, max_examples=30)
    assert [argument.role for argument in kernels()["leaky_f32"].arguments] == ["in", "constant", "out"]
