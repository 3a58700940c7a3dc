"""Records of kernels: names follow from their parts, arguments can be read, and registering compiles nothing."""

import numpy as np
import pytest
from numba import config, types

from sparsenet_kernels.registry import kernel, kernels, registered_temporarily

ARGUMENTS = "x f32[B, N]; count int; out f32[B, N]"


@pytest.fixture(autouse=True)
def _registry_as_it_was():
    with registered_temporarily():
        yield


@pytest.mark.parametrize("name", sorted(kernels()))
def test_names_follow_the_scheme(name):
    record = kernels()[name]
    base, _, variant = name.partition("__")
    weights = [record.weights, record.inputs] if record.weights else []
    fused = [record.fused] if record.fused else []
    assert base == record.base == "_".join([record.operation, *fused, record.dtype, *weights])
    assert variant == record.variant
    assert record.name == name


@pytest.mark.parametrize("name", sorted(kernels()))
def test_arguments_are_those_of_the_function(name):
    record = kernels()[name]
    code = record.source.__code__
    assert tuple(argument.name for argument in record.arguments) == code.co_varnames[: code.co_argcount]


@pytest.mark.parametrize("name", sorted(kernels()))
def test_outputs_come_last(name):
    """Everything that is read stands before the first output, so a call reads from left to right."""
    names = [argument.name for argument in kernels()[name].arguments if argument.is_array]
    assert names[-1] in {"out", "planes", "trips", "values", "values_out"}


def test_a_kernel_is_registered_uncompiled():
    @kernel("halve", arguments=ARGUMENTS)
    def halve_f32(x, count, out):
        """Say nothing."""

    record = kernels()["halve_f32"]
    assert record.function is halve_f32
    assert record.source.__doc__ == "Say nothing."
    assert (record.operation, record.dtype, record.weights, record.inputs, record.variant) == (
        "halve",
        "f32",
        "",
        "",
        "",
    )
    assert record.device == "cpu"
    assert record.features == frozenset()
    assert "step" not in vars(record)
    assert getattr(halve_f32, "signatures", []) == []


def test_arguments_have_types_for_numba_and_numpy():
    @kernel("halve", arguments="x i32[B, 16]; count int; out f32[N1]")
    def halve_f32(x, count, out):
        """Say nothing."""

    x, count, out = kernels()["halve_f32"].arguments
    assert (x.name, x.axes, x.is_array, x.numpy_dtype) == ("x", ("B", "16"), True, np.int32)
    assert x.numba_type == types.Array(types.int32, 2, "C")
    assert (count.name, count.axes, count.is_array, count.numba_type) == ("count", (), False, types.int64)
    assert out.numba_type == types.Array(types.float32, 1, "C")


def test_features_and_variants_are_recorded():
    @kernel("halve", weights="csc", inputs="active", variant="mine", features=("avx2",), arguments=ARGUMENTS)
    def whatever(x, count, out):
        """Say nothing."""

    record = kernels()["halve_f32_csc_active__mine"]
    assert record.features == {"avx2"}
    assert record.variant == "mine"


def test_a_kernel_without_variant_carries_its_own_name():
    with pytest.raises(ValueError, match="expected a kernel called halve_f32, got half"):

        @kernel("halve", arguments=ARGUMENTS)
        def half(x, count, out):
            """Say nothing."""


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="expected a kernel name of its own, got relu_f32 twice"):

        @kernel("relu", arguments=ARGUMENTS)
        def relu_f32(x, count, out):
            """Say nothing."""


@pytest.mark.parametrize(
    "wrong", ["x", "x f64[B]", "x f32", "x f32[]", "x f32[B", "count int[B]", "x f32[B]; ", "x: f32[B]"]
)
def test_arguments_that_cannot_be_read_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected arguments such as 'x f32\[B, D\]' or 'k int', .* got "):

        @kernel("halve", arguments=wrong)
        def halve_f32(x):
            """Say nothing."""

    assert "halve_f32" not in kernels()


def test_arguments_may_be_spread_over_lines():
    @kernel("halve", arguments="\n    x f32[B,\n  N];\n    count   int\n")
    def halve_f32(x, count):
        """Say nothing."""

    assert [argument.axes for argument in kernels()["halve_f32"].arguments] == [("B", "N"), ()]


def test_the_list_of_kernels_cannot_be_changed():
    with pytest.raises(TypeError):
        kernels()["mine"] = None


def register_and_fail():
    with registered_temporarily():

        @kernel("halve", arguments=ARGUMENTS)
        def halve_f32(x, count, out):
            """Say nothing."""

        raise RuntimeError(f"on purpose, with {len(kernels())} kernels")


def test_kernels_registered_temporarily_are_forgotten_even_after_an_error():
    before = set(kernels())
    with pytest.raises(RuntimeError, match=f"on purpose, with {len(before) + 1} kernels"):
        register_and_fail()
    assert set(kernels()) == before


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="steps are compiled")
def test_the_step_is_compiled_once():
    assert kernels()["relu_f32"].step is kernels()["relu_f32"].step
    assert kernels()["relu_f32"].step.address != 0
