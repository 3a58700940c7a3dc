"""Kernels for the device mean what the references say: the processors' suites, with smaller sizes for the simulator."""

from dataclasses import replace
from operator import le
from types import MappingProxyType

import hypothesis
import pytest

from sparsenet_kernels.cuda.api import is_simulated
from sparsenet_kernels.registry import kernels
from sparsenet_kernels.testing import check_kernel, complaints
from sparsenet_kernels.testing.conv2d_cases import Conv2dProblem
from sparsenet_kernels.testing.kwta_cases import KWinnersProblem
from sparsenet_kernels.testing.linear_cases import LinearProblem
from sparsenet_kernels.testing.suites import suite_of

NAMES = sorted(kernels("cuda"))

MOST = {"samples": 1, "outputs": 5, "positions": 1, "channels": 13}
MOST_IN_LINEAR = {"samples": 9, "outputs": 5}
"""In the simulator three threads of a block take turns in Python: these are many. The batched form takes eight samples
at a time."""

IMAGE = 4, 5
"""An image that is larger becomes so small, if its filter still fits."""


def in_scale(problem, more=MappingProxyType({})):
    """Return the problem, in the simulator with fewer samples, outputs, positions and channels."""
    if not is_simulated():
        return problem
    most = MOST_IN_LINEAR if isinstance(problem, LinearProblem) else MOST | more
    sizes = {name: min(size, getattr(problem, name)) for name, size in most.items() if hasattr(problem, name)}
    if isinstance(problem, KWinnersProblem):
        sizes |= {"k": min(problem.k, sizes["channels"])}
    if isinstance(problem, Conv2dProblem):
        sizes |= _image_in_scale(problem)
        sizes |= {"outputs": max(1, sizes["outputs"] // problem.groups) * problem.groups, "channels": problem.channels}
    return replace(problem, **sizes)


def _image_in_scale(problem):
    small = replace(problem, size=tuple(map(min, problem.size, IMAGE)))
    reach = (dilation * (taps - 1) + 1 for dilation, taps in zip(problem.dilation, problem.kernel, strict=True))
    room = (side + 2 * pad for side, pad in zip(small.size, problem.padding, strict=True))
    return {"size": small.size} if all(map(le, reach, room)) else {}


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("name", NAMES)
def test_edges_agree_with_the_reference(name):
    kernel = kernels("cuda")[name]
    suite = suite_of(kernel)
    problems = {in_scale(problem): edge for edge, problem in suite.edges(kernel).items()}
    for problem, edge in problems.items():
        assert not complaints(kernel, suite.case(kernel, problem)), f"{edge}: {problem}"


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("name", NAMES)
def test_drawn_problems_agree_with_the_reference(name):
    kernel = kernels("cuda")[name]
    suite = suite_of(kernel)
    drawn = suite.problems(kernel).map(
        lambda problem: suite.case(kernel, in_scale(problem, {"positions": 3, "samples": 2}))
    )
    check_kernel(kernel, case=drawn, max_examples=max(3, hypothesis.settings().max_examples // 2))


@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_has_a_twin_on_the_processor(name):
    """The engine lowers for the CPU, and replaces each kernel by the device's, which takes no more arguments."""
    base = name.partition("__")[0]
    twins = [twin for known, twin in kernels().items() if known.partition("__")[0] == base]
    assert twins
    for argument in kernels("cuda")[name].arguments:
        same = [other for other in twins[0].arguments if other.name == argument.name]
        assert [(other.dtype, len(other.axes)) for other in same] == [(argument.dtype, len(argument.axes))]


@pytest.mark.parametrize("name", NAMES)
def test_blocks_and_threads_are_axes_of_the_arguments(name):
    kernel = kernels("cuda")[name]
    axes = {axis for argument in kernel.arguments for axis in argument.axes}
    assert {*kernel.blocks.split(), kernel.threads} <= axes


@pytest.mark.parametrize("name", NAMES)
def test_docstring_has_a_row_for_every_array(name):
    kernel = kernels("cuda")[name]
    words = set(kernel.source.__doc__.replace(",", " ").split())
    assert {argument.name for argument in kernel.arguments if argument.is_array} <= words


def test_the_planner_never_sees_them():
    assert {kernel.device for kernel in kernels().values()} == {"cpu"}
    assert {kernel.device for kernel in kernels("cuda").values()} == {"cuda"}
