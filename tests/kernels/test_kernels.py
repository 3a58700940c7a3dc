"""Every registered kernel means what its reference says: one property for all of them.

Runs as it stands, and with NUMBA_BOUNDSCHECK=1, NUMBA_DISABLE_JIT=1 or another NUMBA_CPU_NAME; test_targets.py does so.
"""

import hypothesis
import pytest

from sparsenet_kernels.registry import kernels
from sparsenet_kernels.testing import can_run, check_kernel
from sparsenet_kernels.testing.suites import SUITES, suite_of

NAMES = sorted(kernels())


@pytest.mark.parametrize("name", NAMES)
def test_kernel_agrees_with_the_reference(name):
    if not can_run(kernels()[name]):
        pytest.skip(
            "needs vector instructions that this run cannot give: NUMBA_DISABLE_JIT is set, or the CPU lacks them"
        )
    examples = hypothesis.settings().max_examples
    check_kernel(name, sizes=examples >= 40, max_examples=3 * examples)  # a call takes microseconds


def test_no_suite_is_without_kernels():
    assert set(SUITES) <= {f"{kernel.fused_operation}_{kernel.dtype}" for kernel in kernels().values()}


@pytest.mark.parametrize("name", NAMES)
def test_edges_differ(name):
    """An edge that equals another one tests nothing."""
    edges = suite_of(kernels()[name]).edges(kernels()[name])
    assert len(set(edges.values())) >= len(edges) - 1  # the plain problem may come under one other name


@pytest.mark.parametrize("name", NAMES)
def test_docstring_has_a_row_for_every_array(name):
    kernel = kernels()[name]
    words = set(kernel.source.__doc__.replace(",", " ").split())
    assert {argument.name for argument in kernel.arguments if argument.is_array} <= words
