"""Which cases a kernel must pass: for each operation the problems that are tried, and the way from problem to case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing import (
    compact_cases,
    conv2d_cases,
    elementwise_cases,
    kwta_cases,
    layout_cases,
    linear_cases,
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
    case : function of a kernel and a problem
        The kernel's arguments, and what it must write.
    """

    edges: Callable[[Kernel], Mapping[str, Any]]
    problems: Callable[[Kernel], st.SearchStrategy[Any]]
    case: Callable[[Kernel, Any], Case]


def _elementwise(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(elementwise_cases.elementwise_edges, elementwise_cases.elementwise_problems, case)


def _layout(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(layout_cases.layout_edges, layout_cases.layout_problems, case)


def _pool(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(pool_cases.pool_edges, pool_cases.pool_problems, case)


def _k_winners(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(kwta_cases.k_winners_edges, kwta_cases.k_winners_problems, case)


def _lists(case: Callable[[Kernel, Any], Case]) -> Suite:
    return Suite(compact_cases.lists_edges, compact_cases.lists_problems, case)


SUITES: Mapping[str, Suite] = {
    "add": _elementwise(elementwise_cases.add_case),
    "affine": _elementwise(elementwise_cases.affine_case),
    "avg_pool2d": _pool(pool_cases.avg_pool2d_case),
    "compact": _lists(compact_cases.compact_case),
    "conv2d": Suite(conv2d_cases.conv2d_edges, conv2d_cases.conv2d_problems, conv2d_cases.conv2d_case),
    "expand": _lists(compact_cases.expand_case),
    "flatten_active": _lists(compact_cases.flatten_active_case),
    "kwta": _k_winners(kwta_cases.kwta_case),
    "kwta_map": _k_winners(kwta_cases.kwta_map_case),
    "linear": Suite(linear_cases.linear_edges, linear_cases.linear_problems, linear_cases.linear_case),
    "max_pool2d": _pool(pool_cases.max_pool2d_case),
    "pad2d": _layout(layout_cases.pad2d_case),
    "place": _layout(layout_cases.place_case),
    "relu": _elementwise(elementwise_cases.relu_case),
    "softmax": _elementwise(elementwise_cases.softmax_case),
    "split_phases": _layout(layout_cases.split_phases_case),
    "swap_axes": _layout(layout_cases.swap_axes_case),
}
"""The suite of each operation, by its name in the registry."""


def suite_of(kernel: Kernel) -> Suite:
    """Return the suite of a kernel's operation.

    Raises
    ------
    ValueError
        When there is none: the operation, or the format of the weights, is not one of this package's.
    """
    weighted = {"linear": linear_cases.FORMATS, "conv2d": conv2d_cases.FORMATS}
    if kernel.operation not in SUITES:
        raise ValueError(
            f"expected one of the operations {', '.join(SUITES)}, got {kernel.operation!r}; "
            "pass cases of your own as case="
        )
    known = weighted.get(kernel.operation)
    if known is not None and kernel.weights not in known:
        raise ValueError(
            f"expected weights as {', '.join(known)}, got {kernel.weights!r}; pass cases of your own as case="
        )
    return SUITES[kernel.operation]
