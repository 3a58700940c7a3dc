"""Cases of pooling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from sparsenet_kernels import reference
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.case import Argument, Case, Expected, leftovers
from sparsenet_kernels.testing.comparable import beyond_float32, expected_sum
from sparsenet_kernels.testing.contents import ALL, ORDINARY, SPOILED, numbers

Pair = tuple[int, int]


@dataclass(frozen=True)
class PoolProblem:
    """A pooling of an image; pairs are (vertical, horizontal)."""

    samples: int
    size: Pair
    channels: int
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    content: str = "normal"
    seed: int = 0


BASE = PoolProblem(samples=2, size=(6, 7), channels=5, kernel=(2, 3), stride=(2, 2))


def pool_edges(kernel: Kernel) -> Mapping[str, PoolProblem]:
    """Return the problems that every pooling must solve, by what is special about them."""
    sizes = {f"{n} channels": replace(BASE, channels=n) for n in (1, 15, 16, 17, 31, 32, 33, 64)}
    held = {f"{content} numbers": replace(BASE, channels=20, content=content) for content in _contents(kernel)}
    return (
        sizes
        | held
        | {
            "no samples": replace(BASE, samples=0),
            "one of everything": PoolProblem(1, (1, 1), 1, (1, 1), (1, 1)),
            "one pixel, padded": PoolProblem(1, (1, 1), 3, (3, 3), (1, 1), (1, 1)),
            "window as large as the image": replace(BASE, kernel=(6, 7)),
            "overlapping windows": replace(BASE, kernel=(3, 3), stride=(1, 2)),
            "stride beyond the window": replace(BASE, kernel=(1, 2), stride=(3, 4)),
            "padding": replace(BASE, kernel=(3, 4), padding=(1, 2)),
            "two by two": replace(BASE, kernel=(2, 2), channels=64),
        }
    )


def pool_sized(kernel: Kernel, sizes: Mapping[str, int]) -> PoolProblem:
    """Return an image of B samples and C channels, whose output has H rows of W positions."""
    size = (2 * sizes["H"], 2 * sizes["W"] + 1)
    return PoolProblem(sizes["B"], size, sizes["C"], (2, 3), (2, 2))


@st.composite
def pool_problems(draw: Callable, kernel: Kernel) -> PoolProblem:
    """Draw poolings; the padding is at most half the window, as the reference asks."""
    window = draw(_pairs(1, 4))
    padding = tuple(draw(st.integers(0, side // 2)) for side in window)
    size = tuple(max(1, window[axis] - 2 * padding[axis]) + draw(st.integers(0, 6)) for axis in (0, 1))
    return PoolProblem(
        samples=draw(st.integers(0, 3)),
        size=size,
        channels=draw(st.integers(1, 40)),
        kernel=window,
        stride=draw(_pairs(1, 4)),
        padding=padding,
        content=draw(st.sampled_from(_contents(kernel))),
        seed=draw(st.integers(0, 2**16)),
    )


def max_pool2d_case(kernel: Kernel, problem: PoolProblem) -> Case:
    """Build the arguments of a largest value; infinities are allowed, and of two zeros either may come."""
    x, geometry = _draw(problem), (problem.kernel, problem.stride, problem.padding)
    values = np.moveaxis(reference.max_pool2d(np.moveaxis(x, -1, 1), *geometry), 1, -1)
    return _case(problem, x, Expected(values, 0.0, unknown=np.isnan(values)))


def avg_pool2d_case(kernel: Kernel, problem: PoolProblem) -> Case:
    """Build the arguments of a mean: a sum of as many terms as the window has, and two roundings for the divisor."""
    x, geometry = _draw(problem), (problem.kernel, problem.stride, problem.padding)
    values, magnitude = (reference.avg_pool2d(np.moveaxis(image, -1, 1), *geometry) for image in (x, np.abs(x)))
    terms = problem.kernel[0] * problem.kernel[1]
    values, magnitude = (np.moveaxis(each, 1, -1) for each in (values, magnitude))
    return _case(problem, x, replace(expected_sum(values, magnitude, terms), unknown=beyond_float32(terms * magnitude)))


def _case(problem: PoolProblem, x: np.ndarray, expected: Expected) -> Case:
    settings: dict[str, Argument] = {
        "kernel_height": problem.kernel[0],
        "kernel_width": problem.kernel[1],
        "stride_y": problem.stride[0],
        "stride_x": problem.stride[1],
        "pad_y": problem.padding[0],
        "pad_x": problem.padding[1],
    }
    return Case({"x": x, **settings, "out": leftovers(expected.values.shape)}, {"out": expected})


def _contents(kernel: Kernel) -> tuple[str, ...]:
    return (*(ALL if kernel.operation == "max_pool2d" else ORDINARY), *SPOILED)


def _pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def _draw(problem: PoolProblem) -> np.ndarray:
    rng = np.random.default_rng(problem.seed)
    return numbers(rng, (problem.samples, *problem.size, problem.channels), problem.content)
