"""A sample gets the same bits alone as among others: what a kernel does with one may not depend on how many come."""

import numpy as np
import pytest

from sparsenet_kernels.registry import kernels
from sparsenet_kernels.testing import Case, Expected, can_run, complaints
from sparsenet_kernels.testing.suites import suite_of

SIZES = {"D": 70, "N": 40, "R": 3, "C": 20, "K": 5, "H": 4, "W": 9, "G": 2, "M": 7}


def outputs_of(kernel, case):
    """Call a kernel as the engine does; return what it wrote, by name."""
    seen = {}

    def keep(arrays):
        seen.update({name: arrays[name].copy() for name in case.expected})
        return []

    anything = {
        name: Expected(wanted.values, wanted.allowed, np.zeros(wanted.values.shape, bool))
        for name, wanted in case.expected.items()
    }
    assert not complaints(kernel, Case(case.arguments, anything, case.scratch, holds=keep))
    return seen


def alone(kernel, case, together, b):
    """Return the case of one sample of several, which must get the bits that it got together with them."""
    by_sample = {argument.name for argument in kernel.arguments if argument.axes[:1] == ("B",)}
    arguments = {
        name: np.ascontiguousarray(value[b : b + 1]) if name in by_sample else value
        for name, value in case.arguments.items()
    }
    expected = {name: Expected(values[b : b + 1]) for name, values in together.items()}
    return Case(arguments, expected, case.scratch)


@pytest.mark.parametrize(
    "samples", [pytest.param(2, marks=pytest.mark.long), 9, pytest.param(17, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("name", sorted(kernels()))
def test_a_sample_gets_the_same_bits_alone(name, samples):
    kernel = kernels()[name]
    if not can_run(kernel):
        pytest.skip("needs vector instructions that this run cannot give")
    suite = suite_of(kernel)
    sizes = {letter: samples if letter == "B" else SIZES[letter] for letter in suite.letters(kernel)}
    case = suite.case(kernel, suite.sized(kernel, sizes))
    together = outputs_of(kernel, case)
    for b in range(samples):
        assert not complaints(kernel, alone(kernel, case, together, b)), b
