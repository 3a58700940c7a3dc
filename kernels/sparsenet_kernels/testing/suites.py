"""Which cases a kernel must pass: for each operation the problems that are tried, and the way from problem to case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import strategies as st

from sparsenet_kernels.registry import Kernel, base_name
from sparsenet_kernels.testing import (
    byte_cases,
    byte_conv2d_cases,
    byte_linear_cases,
    compact_cases,
    conv2d_cases,
    convert_cases,
    elementwise_cases,
    kwta_cases,
    layout_cases,
    linear_cases,
    own_cases,
    pool_cases,
)
from sparsenet_kernels.testing.case import Case
from sparsenet_kernels.testing.sizes import sizes_to_try


@dataclass(frozen=True)
class Suite:
    """The tests of an operation.

    Parameters
    ----------
    edges : function of a kernel
        Problems that are always tried, by what is special about them.
    problems : function of a kernel
        Strategy for more problems.
    build : function of a kernel and a problem
        The kernel's arguments, and what it must write.
    letters : function of a kernel
        The dimensions whose sizes may be anything.
    sized : function of a kernel and a mapping of letters to sizes
        An ordinary problem of these sizes.
    """

    edges: Callable[[Kernel], Mapping[str, Any]]
    problems: Callable[[Kernel], st.SearchStrategy[Any]]
    build: Callable[[Kernel, Any], Case]
    letters: Callable[[Kernel], Sequence[str]]
    sized: Callable[[Kernel, Mapping[str, int]], Any]

    def case(self, kernel: Kernel, problem: Any) -> Case:
        """Build the case of a problem; NumPy warns of nothing, because overflow and NaN are drawn on purpose."""
        with np.errstate(all="ignore"):
            return self.build(kernel, problem)

    def sizes(self, kernel: Kernel) -> Mapping[str, Any]:
        """Return ordinary problems of all sizes that are always tried, each once, by their sizes."""
        names: dict[Any, str] = {}
        for sizes in sizes_to_try(kernel, self.letters(kernel)):
            name = ", ".join(f"{letter} = {size}" for letter, size in sizes.items())
            names.setdefault(self.sized(kernel, sizes), name)
        return {name: problem for problem, name in names.items()}


def _suites(module: ModuleType, family: str, letters: str, cases: Mapping[str, str]) -> dict[str, Suite]:
    """Return a suite for each operation of a module's family of problems, from the name of its case."""
    edges, problems, sized = (getattr(module, f"{family}_{part}") for part in ("edges", "problems", "sized"))
    return {
        operation: Suite(edges, problems, getattr(module, case), lambda kernel: letters, sized)
        for operation, case in cases.items()
    }


def _by_name(*operations: str) -> dict[str, str]:
    """Return the names of the cases that are called as their operations are."""
    return {operation: f"{operation.rpartition('_')[0]}_case" for operation in operations}


def _byte_pool(kernel: Kernel) -> st.SearchStrategy[Any]:
    return byte_cases.byte_pool_problems(pool_cases.pool_problems(kernel))


SUITES: Mapping[str, Suite] = {
    **_suites(elementwise_cases, "elementwise", "BC", _by_name("add_f32", "relu_f32", "watch_f32")),
    **_suites(elementwise_cases, "elementwise", "BRC", _by_name("affine_f32", "softmax_f32")),
    **_suites(pool_cases, "pool", "BHWC", _by_name("avg_pool2d_f32", "max_pool2d_f32")),
    **_suites(compact_cases, "lists", "BRC", _by_name("compact_f32", "expand_f32", "flatten_active_f32")),
    **_suites(layout_cases, "layout", "BHWC", _by_name("expand_phases_f32", "pad2d_f32", "split_phases_f32")),
    **_suites(layout_cases, "layout", "BWC", _by_name("place_f32", "swap_axes_f32")),
    **_suites(
        convert_cases,
        "convert",
        "BWC",
        _by_name("cast_i32", "dequantize_i8", "quantize_rows_i8", "spread_channels_i8"),
    ),
    **_suites(convert_cases, "convert", "BHWC", {"pad2d_i8": "byte_pad2d_case"}),
    **_suites(kwta_cases, "k_winners", "BRCK", _by_name("kwta_f32", "kwta_map_f32")),
    **_suites(linear_cases, "linear", "BDN", _by_name("linear_f32")),
    **_suites(byte_linear_cases, "byte_linear", "BDN", {"linear_i8": "byte_linear_case"}),
    **_suites(conv2d_cases, "conv2d", "BHWCN", dict.fromkeys(("conv2d_f32", "conv2d_pool2_f32"), "conv2d_case")),
    **_suites(
        byte_conv2d_cases,
        "byte_conv2d",
        "BHWCN",
        dict.fromkeys(("conv2d_i8", "conv2d_pool2_i8"), "byte_conv2d_case"),
    ),
    **_suites(byte_cases, "quantize", "BN", _by_name("quantize_i8")),
    **_suites(byte_cases, "winners", "BRCK", {"kwta_i8": "winners_case"}),
    "max_pool2d_i8": Suite(
        byte_cases.byte_pool_edges,
        _byte_pool,
        byte_cases.byte_max_pool2d_case,
        lambda kernel: "BHWC",
        byte_cases.byte_pool_sized,
    ),
}
"""The suite of each operation in each number type: ``<operation>_<dtype>``, as kernels' names begin."""


OWN = Suite(own_cases.own_edges, own_cases.own_problems, own_cases.own_case, own_cases.own_letters, own_cases.own_sized)
"""For operations that are registered with a reference of their own."""

FORMATS = {
    "linear_f32": linear_cases.FORMATS,
    "linear_i8": byte_linear_cases.FORMATS,
    "conv2d_f32": conv2d_cases.FORMATS,
    "conv2d_pool2_f32": conv2d_cases.FORMATS,
    "conv2d_i8": byte_conv2d_cases.FORMATS,
    "conv2d_pool2_i8": byte_conv2d_cases.FORMATS,
}
"""The formats of weights that the suites of weighted operations can pack."""

INPUTS = ("dense", "active", "pixels")
"""The ways that inputs may lie in memory."""


def suite_of(kernel: Kernel) -> Suite:
    """Return the suite of a kernel's operation.

    Raises
    ------
    ValueError
        When there is none: the operation, or the format of the weights, is not one of this package's.
    """
    name = base_name(kernel.fused_operation, kernel.dtype)
    if kernel.reference is not None and not (kernel.bundled and name in SUITES):
        return OWN
    if name not in SUITES:
        raise ValueError(
            f"expected one of the operations {', '.join(SUITES)}, or a kernel registered with its reference=, got "
            f"{name!r}; pass cases of your own as case="
        )
    known = FORMATS.get(name)
    if known is not None and kernel.weights not in known:
        raise ValueError(
            f"expected weights as {', '.join(known)}, got {kernel.weights!r}; pass cases of your own as case="
        )
    if kernel.inputs not in ("", *INPUTS):
        raise ValueError(
            f"expected inputs as {', '.join(INPUTS)}, got {kernel.inputs!r}; pass cases of your own as case="
        )
    return SUITES[name]
