"""Records of kernels: names follow from their parts, arguments can be read, and registering compiles nothing."""

import numpy as np
import pytest
from numba import config, types

from sparsenet_kernels import reference
from sparsenet_kernels.arguments import ROLES, parse
from sparsenet_kernels.registry import find_kernel, kernel, kernels, kernels_for, registered_temporarily, variants_of
from sparsenet_kernels.testing.suites import suite_of

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
def test_bundled_kernels_state_the_role_of_each_argument(name):
    """Everything that is read stands before the first output, so a call reads from left to right."""
    record = kernels()[name]
    roles = [argument.role for argument in record.arguments]
    assert set(roles) <= set(ROLES)
    outputs = roles.count("out")
    assert outputs >= 1
    assert roles[-outputs:] == ["out"] * outputs
    assert ("weight" in roles) == bool(record.weights)
    for argument in record.arguments:
        assert argument.is_array or argument.role == "constant"
        if argument.role == "out":
            assert argument.name in {"out", "planes", "trips", "columns", "values", "columns_out", "values_out"}
        if argument.role == "weight":
            assert argument.name == "weights"


@pytest.mark.parametrize("name", sorted(kernels()))
def test_roles_are_those_of_the_cases(name):
    """What a case expects is what the line calls out, and what it fills with leftovers is scratch."""
    record = kernels()[name]
    suite = suite_of(record)
    case = suite.case(record, next(iter(suite.edges(record).values())))
    by_role = {role: {one.name for one in record.arguments if one.role == role} for role in ROLES}
    assert set(case.expected) == by_role["out"]
    assert set(case.scratch) & {one.name for one in record.arguments} == by_role["scratch"]


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
    ("wrong", "said"),
    [
        ("weights x f32[B]; constant count int; out out f32[B]", "got 'weights' in .*; did you mean 'weight'"),
        (
            "input x f32[B]; constant count int; out out f32[B]",
            "one of in, weight, index, constant, scratch, out, .*'in'",
        ),
        (
            "in x f32[B]; count int; out out f32[B]",
            "a role before every argument, or before none, got none before count",
        ),
        ("in x f32[B]; in count int; out out f32[B]", "integers to be constants, got 'in'; write constant count int"),
        (
            "in x f32[B]; constant count int; in out f32[B]",
            "the outputs to be the last .* got the roles in, constant, in",
        ),
        ("out x f32[B]; constant count int; in out f32[B]", "the outputs to be the last arguments"),
        (
            "in x f32[B], constant count int, out out f32[B]",
            "did you mean 'in x f32.B.; constant count int; out out f32",
        ),
        ("in x: float32[B]; constant count int; out out f32[B]", r"did you mean 'in x f32\[B\]'"),
    ],
)
def test_wrong_roles_are_told(wrong, said):
    with pytest.raises(ValueError, match=said):

        @kernel("halve", arguments=wrong)
        def halve_f32(x, count, out):
            """Say nothing."""


def test_lines_without_roles_have_them_by_rule():
    @kernel("halve", arguments=ARGUMENTS)
    def halve_f32(x, count, out):
        """Say nothing."""

    @kernel("third", arguments="x f32[B]; room f32[B]; out f32[B]", reference=lambda x: x / 3)
    def third_f32(x, room, out):
        """Say nothing."""

    @kernel("relu", variant="mine", arguments="x f32[B, N]; out f32[B, N]")
    def relu_mine(x, out):
        """Say nothing."""

    roles = {name: [argument.role for argument in kernels()[name].arguments] for name in ("halve_f32", "third_f32")}
    assert roles == {"halve_f32": ["in", "constant", "out"], "third_f32": ["in", "scratch", "out"]}
    assert [argument.role for argument in parse("x f32[B]; out f32[B]")] == ["", ""]


def test_kernels_are_found_by_what_they_are():
    @kernel("linear", weights="csc", inputs="active", variant="mine", arguments=ARGUMENTS)
    def whatever(x, count, out):
        """Say nothing."""

    names = [record.name for record in variants_of("linear_f32_csc_active")]
    assert names == ["linear_f32_csc_active", "linear_f32_csc_active__mine"]
    assert find_kernel("linear_f32_csc_active__mine") in kernels_for("linear")
    assert find_kernel("linear_f32_dense_dense").variant == "wide"
    with pytest.raises(ValueError, match="name of a registered kernel, got 'linear_f32'; close to it are "):
        find_kernel("linear_f32")
    assert variants_of("linear_f32") == ()
    assert {record.fused for record in kernels_for("conv2d", "i8")} == {""}
    assert {record.fused for record in kernels_for("conv2d", "i8", fused="pool2")} == {"pool2"}


def test_a_fused_operation_may_be_given_in_one():
    @kernel("conv2d_pool2", weights="csc", inputs="active", variant="mine", arguments=ARGUMENTS)
    def whatever(x, count, out):
        """Say nothing."""

    record = kernels()["conv2d_pool2_f32_csc_active__mine"]
    assert (record.operation, record.fused, record.base) == ("conv2d", "pool2", "conv2d_pool2_f32_csc_active")


def test_a_reference_may_be_named():
    @kernel("halve", arguments="x f32[B, N]; out f32[B, N]", reference="relu")
    def halve_f32(x, out):
        """Say nothing."""

    assert kernels()["halve_f32"].reference is reference.relu
    with pytest.raises(ValueError, match=r"name of a function of the reference, such as relu, .* got 'rel'"):
        kernel("halve", arguments=ARGUMENTS, reference="rel")


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
