"""Cases of operations on single elements or on the channels of one position."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.case import Case, Expected, leftovers
from sparsenet_kernels.testing.comparable import beyond_float32, expected_sum
from sparsenet_kernels.testing.contents import ALL, ORDINARY, SPOILED, numbers
from sparsenet_kernels.testing.tolerance import ROUNDING


@dataclass(frozen=True)
class ElementwiseProblem:
    """Activations of shape (samples, positions, channels), and how they are treated.

    ``in_place`` writes a sum over its first addend; ``logarithm`` asks for the logarithm of the softmax.
    """

    samples: int
    positions: int
    channels: int
    content: str = "normal"
    in_place: bool = False
    logarithm: bool = False
    seed: int = 0


BASE = ElementwiseProblem(samples=2, positions=3, channels=5)


def elementwise_edges(kernel: Kernel) -> Mapping[str, ElementwiseProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    sizes = {f"{n} channels": replace(BASE, channels=n) for n in (1, 7, 8, 15, 16, 17, 33, 64)}
    held = {f"{content} numbers": replace(BASE, channels=40, content=content) for content in _contents(kernel)}
    held |= {f"{content} numbers, again": replace(BASE, samples=9, content=content, seed=1) for content in SPOILED}
    logarithms = {
        f"{name}, logarithm": replace(BASE, channels=20, logarithm=True, content=name) for name in _contents(kernel)
    }
    return (
        sizes
        | held
        | (logarithms if kernel.operation == "softmax" else {})
        | {
            "no samples": replace(BASE, samples=0),
            "one of everything": ElementwiseProblem(1, 1, 1),
            "in place": replace(BASE, in_place=True),
        }
    )


def elementwise_sized(kernel: Kernel, sizes: Mapping[str, int]) -> ElementwiseProblem:
    """Return B samples of R positions, or one, with C channels."""
    return ElementwiseProblem(sizes["B"], sizes.get("R", 1), sizes["C"])


def elementwise_problems(kernel: Kernel) -> st.SearchStrategy[ElementwiseProblem]:
    """Draw activations."""
    return st.builds(
        ElementwiseProblem,
        samples=st.integers(0, 4),
        positions=st.integers(1, 5),
        channels=st.integers(1, 70),
        content=st.sampled_from(_contents(kernel)),
        in_place=st.booleans(),
        logarithm=st.booleans(),
        seed=st.integers(0, 2**16),
    )


def relu_case(kernel: Kernel, problem: ElementwiseProblem) -> Case:
    """Build the arguments of a rectifier; infinities are allowed, and either zero may come for a zero."""
    x = _draw(problem)[0].reshape(problem.samples, problem.positions * problem.channels)
    values = reference.relu(x)
    return Case({"x": x, "out": leftovers(x.shape)}, {"out": Expected(values, 0.0, unknown=np.isnan(values))})


def add_case(kernel: Kernel, problem: ElementwiseProblem) -> Case:
    """Build the arguments of a sum; one float32 addition has one right answer, which float64 gives when rounded."""
    x, y = (array.reshape(problem.samples, problem.positions * problem.channels) for array in _draw(problem))
    total = reference.add(x, y).astype(np.float32)  # the sum of the largest numbers is infinite
    arguments = {"x": x, "y": y, "out": leftovers(x.shape)}
    expected = Expected(total, 0.0, unknown=np.isnan(total))
    return Case(arguments, {"out": expected}, aliases={"out": "x"} if problem.in_place else {})


def affine_case(kernel: Kernel, problem: ElementwiseProblem) -> Case:
    """Build the arguments of a scaling and shifting of channels."""
    x = _draw(problem)[0]
    rng = np.random.default_rng(problem.seed + 1)
    scale, shift = (numbers(rng, (problem.channels,), problem.content) for _ in range(2))
    exact = [np.asarray(array, np.float64) for array in (x, scale, shift)]
    magnitude = np.abs(exact[0] * exact[1]) + np.abs(exact[2])
    values = np.moveaxis(reference.affine(np.moveaxis(x, -1, 1), scale, shift), 1, -1)
    arguments = {"x": x, "scale": scale, "shift": shift, "out": leftovers(x.shape)}
    return Case(arguments, {"out": expected_sum(values, magnitude, terms=0)})


def watch_case(kernel: Kernel, problem: ElementwiseProblem) -> Case:
    """Build the arguments of a watch among others, with a limit that is the size of one of the numbers."""
    x = _draw(problem)[0].reshape(problem.samples, problem.positions * problem.channels)
    sizes = np.abs(x[np.isfinite(x)])
    limit = np.float32(np.random.default_rng(problem.seed).choice(sizes) if len(sizes) else 1.0)
    others = leftovers((problem.samples, 3), np.int32)
    expected = others.copy()
    expected[:, 1] = reference.watch(x, limit)
    arguments = {"x": x, "limit": np.array([limit]), "place": 1, "trips": others}
    return Case(arguments, {"trips": Expected(expected)})


def softmax_case(kernel: Kernel, problem: ElementwiseProblem) -> Case:
    """Build the arguments of a softmax over channels, or of its logarithm.

    It computes in float64 and rounds once. Twice the error of that rounding is granted, and what rounding costs near
    zero: half the smallest float32 for probabilities; for logarithms, which begin at a sum near 1, the float64 error of
    a sum of so many terms.
    """
    x = _draw(problem)[0]
    means = reference.log_softmax if problem.logarithm else reference.softmax
    values = means(x, axis=-1)
    near_zero = (problem.channels + 4) * 2.0**-52 if problem.logarithm else 2.0**-150
    arguments = {"x": x, "logarithm": int(problem.logarithm), "out": leftovers(x.shape)}
    unknown = beyond_float32(values) | ~np.isfinite(x).all(axis=-1, keepdims=True)
    expected = Expected(values, 2 * ROUNDING * np.abs(values) + near_zero, unknown=unknown)
    return Case(arguments, {"out": expected})


def _contents(kernel: Kernel) -> tuple[str, ...]:
    """Return the contents that the operation is defined for and that its error bound holds for."""
    known = {"relu": ALL, "watch": ALL, "add": (*ORDINARY, "special")}
    return (*known.get(kernel.operation, ORDINARY), *SPOILED)


def _draw(problem: ElementwiseProblem) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(problem.seed)
    shape = (problem.samples, problem.positions, problem.channels)
    return [numbers(rng, shape, problem.content) for _ in range(2)]
