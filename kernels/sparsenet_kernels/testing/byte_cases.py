"""Cases of the kernels that work on bytes; whatever stays a whole number must be exact."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.case import Argument, Case, Expected, leftovers
from sparsenet_kernels.testing.contents import ALL, SPOILED, numbers
from sparsenet_kernels.testing.pool_cases import PoolProblem, pool_edges, pool_sized

Bytes = NDArray[np.uint8]
BYTES = ("random", "ties", "zeros", "largest", "sparse", "ends")
"""Contents of activations: any, few different ones, all the same, mostly zero, the ends of the range."""


@dataclass(frozen=True)
class QuantizeProblem:
    """Floats to turn into bytes; ``content`` is a kind of contents or "halves", midway between two bytes."""

    samples: int
    size: int
    scale: float = 0.0078125
    zero: int = 128
    content: str = "normal"
    seed: int = 0


@dataclass(frozen=True)
class ByteWinnersProblem:
    """Bytes of shape (samples, positions, channels), of which k win at each position."""

    samples: int
    positions: int
    channels: int
    k: int
    content: str = "random"
    in_place: bool = False
    seed: int = 0


QUANTIZE = QuantizeProblem(samples=2, size=40)
WINNERS = ByteWinnersProblem(samples=2, positions=9, channels=64, k=6)


def quantize_edges(kernel: Kernel) -> Mapping[str, QuantizeProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    sizes = {f"{n} numbers": replace(QUANTIZE, size=n) for n in (1, 7, 8, 15, 16, 17, 63, 64, 65, 1024)}
    held = {f"{content} numbers": replace(QUANTIZE, content=content) for content in (*ALL, *SPOILED, "halves")}
    zeros = {f"zero at {zero}": replace(QUANTIZE, zero=zero, content="wide") for zero in (0, 1, 255)}
    return sizes | held | zeros | {"no samples": replace(QUANTIZE, samples=0)}


def quantize_sized(kernel: Kernel, sizes: Mapping[str, int]) -> QuantizeProblem:
    """Return B samples of N numbers."""
    return replace(QUANTIZE, samples=sizes["B"], size=sizes["N"])


def quantize_problems(kernel: Kernel) -> st.SearchStrategy[QuantizeProblem]:
    """Draw numbers, scales and zeros."""
    scales = st.floats(2.0**-20, 2.0**20, width=32)
    contents, seeds = st.sampled_from([*ALL, *SPOILED, "halves"]), st.integers(0, 2**16)
    return st.builds(
        QuantizeProblem, st.integers(0, 3), st.integers(1, 70), scales, st.integers(0, 255), contents, seeds
    )


def quantize_case(kernel: Kernel, problem: QuantizeProblem) -> Case:
    """Build the arguments of a conversion to bytes."""
    rng, shape = np.random.default_rng(problem.seed), (problem.samples, problem.size)
    if problem.content == "halves":
        x = ((rng.integers(-300, 300, shape) + 0.5) * problem.scale).astype(np.float32)
    else:
        x = numbers(rng, shape, problem.content)
    reciprocal = np.float32(1.0) / np.float32([problem.scale])
    out = reference.quantize(x, problem.scale, problem.zero)
    arguments = {"x": x, "reciprocal": reciprocal, "zero": problem.zero, "out": leftovers(shape, np.uint8)}
    return Case(arguments, {"out": Expected(out)})


def winners_edges(kernel: Kernel) -> Mapping[str, ByteWinnersProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    positions = {f"{n} positions": replace(WINNERS, positions=n, samples=1) for n in (1, 7, 8, 15, 16, 17, 25)}
    counts = {
        f"{k} of {channels} win, {content}": replace(WINNERS, channels=channels, k=k, content=content)
        for channels in (64, 128)
        for k in (0, 1, 63, 64, 127, 128, 200)
        for content in BYTES
    }
    return (
        positions
        | counts
        | {
            "no samples": replace(WINNERS, samples=0),
            "in place": replace(WINNERS, in_place=True),
            "in place, ties": replace(WINNERS, in_place=True, content="ties", channels=192, k=70),
            "eight together, over two samples": replace(WINNERS, positions=4),
            "more ties than a byte counts": replace(WINNERS, content="ties", channels=960, k=700),
        }
    )


def winners_sized(kernel: Kernel, sizes: Mapping[str, int]) -> ByteWinnersProblem:
    """Return B samples of R positions, with whole vectors of channels, of which K win."""
    channels = whole_vectors(sizes["C"], rows=sizes["B"] * sizes["R"])
    return ByteWinnersProblem(sizes["B"], sizes["R"], channels, sizes["K"])


def winners_problems(kernel: Kernel) -> st.SearchStrategy[ByteWinnersProblem]:
    """Draw activations and numbers of winners."""
    return st.builds(
        ByteWinnersProblem,
        samples=st.integers(0, 3),
        positions=st.integers(1, 18),
        channels=st.sampled_from([64, 128, 192]),
        k=st.integers(0, 200),
        content=st.sampled_from(BYTES),
        in_place=st.booleans(),
        seed=st.integers(0, 2**16),
    )


def winners_case(kernel: Kernel, problem: ByteWinnersProblem) -> Case:
    """Build the arguments of a choice among the channels of each position."""
    rng, shape = np.random.default_rng(problem.seed), (problem.samples, problem.positions, problem.channels)
    x = byte_numbers(rng, shape, problem.content)
    aliases = {"out": "x"} if problem.in_place else {}
    arguments: dict[str, Argument] = {"x": x, "k": problem.k, "out": leftovers(shape, np.uint8)}
    return Case(arguments, {"out": Expected(reference.k_winners_i8(x, problem.k))}, aliases=aliases)


def byte_pool_edges(kernel: Kernel) -> Mapping[str, PoolProblem]:
    """Return the problems of every pooling, with bytes and whole vectors of channels."""
    edges = {name: replace(problem, channels=64, content="random") for name, problem in pool_edges(kernel).items()}
    named = {name: problem for name, problem in edges.items() if " channels" not in name and " numbers" not in name}
    held = {f"bytes: {content}": replace(edges["padding"], content=content) for content in BYTES[1:]}
    return named | held | {"more channels": replace(edges["padding"], channels=192)}


def byte_pool_sized(kernel: Kernel, sizes: Mapping[str, int]) -> PoolProblem:
    """Return an image as :func:`~sparsenet_kernels.testing.pool_cases.pool_sized`, with whole vectors of channels."""
    channels = whole_vectors(sizes["C"], rows=sizes["B"] * sizes["H"] * sizes["W"])
    return replace(pool_sized(kernel, sizes), channels=channels, content="random")


def byte_pool_problems(problems: st.SearchStrategy[PoolProblem]) -> st.SearchStrategy[PoolProblem]:
    """Draw bytes and whole vectors of channels for any pooling's problems."""
    return st.builds(
        lambda problem, vectors, content: replace(problem, channels=64 * vectors, content=content),
        problems,
        st.integers(1, 3),
        st.sampled_from(BYTES),
    )


def byte_max_pool2d_case(kernel: Kernel, problem: PoolProblem) -> Case:
    """Build the arguments of a largest byte."""
    rng = np.random.default_rng(problem.seed)
    x = byte_numbers(rng, (problem.samples, *problem.size, problem.channels), problem.content)
    pairs = {"kernel": problem.kernel, "stride": problem.stride, "pad": problem.padding}
    settings: dict[str, Argument] = {
        f"{name}_{axis}": pair[at]
        for name, pair in pairs.items()
        for at, axis in enumerate(("height", "width") if name == "kernel" else ("y", "x"))
    }
    best = reference.max_pool2d(np.moveaxis(x, -1, 1), problem.kernel, problem.stride, problem.padding)
    out = np.moveaxis(best, 1, -1)
    return Case({"x": x, **settings, "out": leftovers(out.shape, np.uint8)}, {"out": Expected(out)})


def whole_vectors(size: int, rows: int = 1) -> int:
    """Return a multiple of 64: so many vectors of 64 bytes for small sizes, at least ``size`` bytes for others.

    It is one vector where there are very many rows of them.
    """
    if rows > 1000:
        return 64
    return 64 * size if size < 12 else -(-size // 64) * 64


def byte_numbers(rng: np.random.Generator, shape: tuple[int, ...], content: str) -> Bytes:
    """Draw an array of bytes of one kind of contents."""
    return np.asarray(_DRAW[content](rng, shape), np.uint8)


_DRAW = {
    "random": lambda rng, shape: rng.integers(0, 256, shape),
    "ties": lambda rng, shape: rng.choice([0, 1, 127, 128], shape),
    "zeros": lambda rng, shape: np.zeros(shape),
    "largest": lambda rng, shape: np.full(shape, 255),
    "sparse": lambda rng, shape: rng.integers(0, 256, shape) * (rng.random(shape) < 0.1),
    "ends": lambda rng, shape: rng.choice([0, 255], shape),
}
