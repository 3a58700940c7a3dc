"""Cases of fully connected layers, for every format of weights and both forms of inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.formats import (
    pack_blocks,
    pack_complementary,
    pack_csc,
    pack_csr,
    pack_panels,
)
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.activity import Activity, active_rows
from sparsenet_kernels.testing.case import Argument, Case, leftovers
from sparsenet_kernels.testing.comparable import expected_sum
from sparsenet_kernels.testing.contents import ORDINARY, SPOILED, numbers, weight_content


@dataclass(frozen=True)
class LinearProblem:
    """A fully connected layer and its inputs.

    ``density`` is the fraction of weights that the mask keeps. Kept weights may be zero; with ``keep_zeros`` they are
    stored all the same.
    """

    samples: int
    inputs: int
    outputs: int
    density: float
    activity: Activity
    content: str = "normal"
    keep_zeros: bool = False
    seed: int = 0


BASE = LinearProblem(samples=3, inputs=20, outputs=37, density=0.3, activity=Activity(6))


def linear_edges(kernel: Kernel) -> Mapping[str, LinearProblem]:
    """Return the problems that every kernel for fully connected layers must solve, by what is special about them."""
    sizes = {f"{n} samples": replace(BASE, samples=n) for n in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33)}
    outputs = {f"{n} outputs": replace(BASE, outputs=n) for n in (1, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 129)}
    spoiled = {
        f"{content} numbers, {most} active": replace(
            BASE, samples=9, content=content, activity=Activity(most), seed=most
        )
        for content in SPOILED
        for most in (1, 6, 20)
    }
    return (
        sizes
        | outputs
        | spoiled
        | {
            "one of everything": LinearProblem(1, 1, 1, 1.0, Activity(1)),
            "no weights": replace(BASE, density=0.0),
            "all weights": replace(BASE, density=1.0),
            "nothing active": replace(BASE, activity=Activity(0)),
            "nothing active, room for some": replace(BASE, activity=Activity(0, spare=2)),
            "one active": replace(BASE, activity=Activity(1)),
            "all active": replace(BASE, activity=Activity(20)),
            "rows of different length": replace(BASE, samples=9, activity=Activity(20, ragged=True)),
            "room to spare": replace(BASE, activity=Activity(5, spare=3)),
            "ties and zeros among the inputs": replace(BASE, content="integers"),
            "signed zeros": replace(BASE, content="signed zeros"),
            "stored zeros": replace(BASE, content="integers", keep_zeros=True),
            "long sums": replace(BASE, inputs=500, activity=Activity(500), density=1.0),
            "more outputs than a byte counts tiles of": replace(BASE, outputs=4097, activity=Activity(2)),
            "wide range of magnitudes": replace(BASE, inputs=100, activity=Activity(50), content="wide"),
        }
    )


def linear_sized(kernel: Kernel, sizes: Mapping[str, int]) -> LinearProblem:
    """Return a layer of B samples, D inputs, of which half are active, and N outputs."""
    inputs = sizes["D"]
    return LinearProblem(sizes["B"], inputs, sizes["N"], 0.5, Activity(inputs // 2 + 1))


def linear_problems(kernel: Kernel) -> st.SearchStrategy[LinearProblem]:
    """Draw fully connected layers."""
    return st.builds(
        LinearProblem,
        samples=st.integers(0, 17),
        inputs=st.integers(1, 40),
        outputs=st.integers(1, 140),
        density=st.sampled_from([1.0, 0.0, 0.05, 0.3, 0.7]),
        activity=st.builds(Activity, st.integers(0, 40), st.booleans(), st.integers(0, 2)),
        content=st.sampled_from([*ORDINARY, *SPOILED]),
        keep_zeros=st.booleans(),
        seed=st.integers(0, 2**16),
    )


def linear_case(kernel: Kernel, problem: LinearProblem) -> Case:
    """Build a kernel's arguments for a fully connected layer, and what it must compute."""
    rng = np.random.default_rng(problem.seed)
    B, D, N = problem.samples, problem.inputs, problem.outputs
    x, columns, values = (rows[:, 0] for rows in active_rows(rng, (B, 1, D), problem.activity, problem.content))
    mask = rng.random((N, D)) < problem.density
    weight = np.where(mask, numbers(rng, (N, D), weight_content(problem.content)), np.float32(0.0))
    bias = numbers(rng, (N,), problem.content)
    packed = FORMATS[kernel.weights](kernel, weight, bias, mask if problem.keep_zeros else None)
    inputs = {"columns": columns, "values": values} if kernel.inputs == "active" else {"x": x}
    scratch = {"turned": leftovers((D, 16)), "lanes": leftovers((16,)), "sums": leftovers((-(-N // 16) * 16,))}
    magnitude = reference.linear(np.abs(x), np.abs(weight), np.abs(bias))
    expected = expected_sum(reference.linear(x, weight, bias), magnitude, D)
    together = 1 if (B + N) % 2 else 8
    arguments = inputs | packed | scratch | {"together": together, "out": leftovers((B, N))}
    return Case(arguments, {"out": expected}, frozenset(scratch))


Floats = NDArray[np.float32]
Mask = NDArray[np.bool_] | None


def _panels(kernel: Kernel, weight: Floats, bias: Floats, mask: Mask) -> dict[str, Argument]:
    return pack_panels(weight[None], bias, **kernel.packing).arrays(group=0)


def _csc(kernel: Kernel, weight: Floats, bias: Floats, mask: Mask) -> dict[str, Argument]:
    return pack_csc(weight, mask).arrays() | {"bias": bias}


def _csr(kernel: Kernel, weight: Floats, bias: Floats, mask: Mask) -> dict[str, Argument]:
    return pack_csr(weight, mask).arrays() | {"bias": bias}


def _complementary(kernel: Kernel, weight: Floats, bias: Floats, mask: Mask) -> dict[str, Argument]:
    return pack_complementary(weight, mask=mask).arrays() | {"bias": bias}


def _blocks(kernel: Kernel, weight: Floats, bias: Floats, mask: Mask) -> dict[str, Argument]:
    packed = pack_blocks(weight, mask)
    if kernel.inputs == "dense":
        return packed.by_tile().arrays() | {"bias": np.pad(bias, (0, -len(bias) % 16))}
    return packed.arrays() | {"bias": bias}


FORMATS = {"dense": _panels, "csc": _csc, "csr": _csr, "complementary": _complementary, "blocks": _blocks}
