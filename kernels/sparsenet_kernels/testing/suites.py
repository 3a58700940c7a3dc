"""Which cases a kernel must pass: for each operation the problems that are tried, and the way from problem to case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from sparsenet_kernels.registry import Kernel
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
    """

    edges: Callable[[Kernel], Mapping[str, Any]]
    problems: Callable[[Kernel], st.SearchStrategy[Any]]
    build: Callable[[Kernel, Any], Case]

    def case(self, kernel: Kernel, problem: Any) -> Case:
        """Build the case of a problem; NumPy warns of nothing, because overflow and NaN are drawn on purpose."""
        with np.errstate(all="ignore"):
            return self.build(kernel, problem)


def _elementwise(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(elementwise_cases.elementwise_edges, elementwise_cases.elementwise_problems, case)


def _layout(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(layout_cases.layout_edges, layout_cases.layout_problems, case)


def _pool(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(pool_cases.pool_edges, pool_cases.pool_problems, case)


def _byte_pool(kernel: Kernel) -> st.SearchStrategy[Any]:
    return byte_cases.byte_pool_problems(pool_cases.pool_problems(kernel))


def _convert(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(convert_cases.convert_edges, convert_cases.convert_problems, case)


def _k_winners(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(kwta_cases.k_winners_edges, kwta_cases.k_winners_problems, case)


def _lists(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(compact_cases.lists_edges, compact_cases.lists_problems, case)


_BYTE_CONV2D = Suite(
    byte_conv2d_cases.byte_conv2d_edges,
    byte_conv2d_cases.byte_conv2d_problems,
    byte_conv2d_cases.byte_conv2d_case,
)

_CONV2D = Suite(conv2d_cases.conv2d_edges, conv2d_cases.conv2d_problems, conv2d_cases.conv2d_case)

SUITES: Mapping[str, Suite] = {
    "add_f32": _elementwise(elementwise_cases.add_case),
    "affine_f32": _elementwise(elementwise_cases.affine_case),
    "avg_pool2d_f32": _pool(pool_cases.avg_pool2d_case),
    "compact_f32": _lists(compact_cases.compact_case),
    "conv2d_i8": _BYTE_CONV2D,
    "conv2d_pool2_i8": _BYTE_CONV2D,
    "conv2d_f32": _CONV2D,
    "conv2d_pool2_f32": _CONV2D,
    "dequantize_i8": _convert(convert_cases.dequantize_case),
    "expand_f32": _lists(compact_cases.expand_case),
    "expand_phases_f32": _layout(layout_cases.expand_phases_case),
    "flatten_active_f32": _lists(compact_cases.flatten_active_case),
    "kwta_f32": _k_winners(kwta_cases.kwta_case),
    "kwta_i8": Suite(byte_cases.winners_edges, byte_cases.winners_problems, byte_cases.winners_case),
    "kwta_map_f32": _k_winners(kwta_cases.kwta_map_case),
    "linear_f32": Suite(linear_cases.linear_edges, linear_cases.linear_problems, linear_cases.linear_case),
    "linear_i8": Suite(
        byte_linear_cases.byte_linear_edges, byte_linear_cases.byte_linear_problems, byte_linear_cases.byte_linear_case
    ),
    "max_pool2d_f32": _pool(pool_cases.max_pool2d_case),
    "max_pool2d_i8": Suite(byte_cases.byte_pool_edges, _byte_pool, byte_cases.byte_max_pool2d_case),
    "pad2d_f32": _layout(layout_cases.pad2d_case),
    "pad2d_i8": _convert(convert_cases.byte_pad2d_case),
    "place_f32": _layout(layout_cases.place_case),
    "quantize_i8": Suite(byte_cases.quantize_edges, byte_cases.quantize_problems, byte_cases.quantize_case),
    "quantize_rows_i8": _convert(convert_cases.quantize_rows_case),
    "relu_f32": _elementwise(elementwise_cases.relu_case),
    "softmax_f32": _elementwise(elementwise_cases.softmax_case),
    "split_phases_f32": _layout(layout_cases.split_phases_case),
    "spread_channels_i8": _convert(convert_cases.spread_channels_case),
    "swap_axes_f32": _layout(layout_cases.swap_axes_case),
    "watch_f32": _elementwise(elementwise_cases.watch_case),
}
"""The suite of each operation in each number type: ``<operation>_<dtype>``, as kernels' names begin."""


OWN = Suite(own_cases.own_edges, own_cases.own_problems, own_cases.own_case)
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
    if kernel.reference is not None:
        return OWN
    name = f"{kernel.operation}_{kernel.dtype}"
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
