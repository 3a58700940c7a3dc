"""Cases of the kernels that work on bytes; whatever stays a whole number must be exact."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.formats.blocks4x16 import pack_blocks4x16
from sparsenet_kernels.formats.bytes import pack_dense_i8, padded_to_tiles
from sparsenet_kernels.formats.lookup import pack_lookup
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.case import Argument, Case, Expected, leftovers
from sparsenet_kernels.testing.contents import ALL, numbers
from sparsenet_kernels.testing.pool_cases import PoolProblem, pool_edges
from sparsenet_kernels.testing.tolerance import gamma

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


@dataclass(frozen=True)
class ByteLinearProblem:
    """A layer and its inputs. ``density`` is the fraction of weights kept, of whole blocks where ``blocky``."""

    samples: int
    inputs: int
    outputs: int
    density: float = 0.3
    blocky: bool = False
    content: str = "sparse"
    weights: str = "random"
    keep_zeros: bool = False
    seed: int = 0


QUANTIZE = QuantizeProblem(samples=2, size=40)
WINNERS = ByteWinnersProblem(samples=2, positions=9, channels=64, k=6)
LINEAR = ByteLinearProblem(samples=2, inputs=128, outputs=40)


def quantize_edges(kernel: Kernel) -> Mapping[str, QuantizeProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    sizes = {f"{n} numbers": replace(QUANTIZE, size=n) for n in (1, 7, 8, 15, 16, 17, 63, 64, 65, 1024)}
    held = {f"{content} numbers": replace(QUANTIZE, content=content) for content in (*ALL, "halves")}
    zeros = {f"zero at {zero}": replace(QUANTIZE, zero=zero, content="wide") for zero in (0, 1, 255)}
    return sizes | held | zeros | {"no samples": replace(QUANTIZE, samples=0)}


def quantize_problems(kernel: Kernel) -> st.SearchStrategy[QuantizeProblem]:
    """Draw numbers, scales and zeros."""
    scales = st.floats(2.0**-20, 2.0**20, width=32)
    contents, seeds = st.sampled_from([*ALL, "halves"]), st.integers(0, 2**16)
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
        }
    )


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


def byte_linear_edges(kernel: Kernel) -> Mapping[str, ByteLinearProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    outputs = {f"{n} outputs": replace(LINEAR, outputs=n) for n in (1, 15, 16, 17, 31, 32, 33)}
    samples = {f"{n} samples": replace(LINEAR, samples=n) for n in (0, 1, 7, 8, 9, 16, 17)}
    held = {f"bytes: {content}": replace(LINEAR, content=content, samples=9) for content in BYTES}
    extremes = {
        f"{content}, weights all {weights}": replace(LINEAR, content=content, weights=weights, density=1.0)
        for content in ("largest", "ends")
        for weights in ("lowest", "highest")
    }
    return (
        outputs
        | samples
        | held
        | extremes
        | {
            "64 inputs": replace(LINEAR, inputs=64),
            "many inputs": replace(LINEAR, inputs=960, outputs=20, density=0.05),
            "sums beyond exact floats": replace(LINEAR, inputs=1024, content="largest", weights="highest", density=1.0),
            "no weights": replace(LINEAR, density=0.0),
            "all weights": replace(LINEAR, density=1.0),
            "whole blocks": replace(LINEAR, blocky=True),
            "kept zeros": replace(LINEAR, keep_zeros=True, weights="few"),
        }
    )


def byte_linear_problems(kernel: Kernel) -> st.SearchStrategy[ByteLinearProblem]:
    """Draw layers."""
    return st.builds(
        ByteLinearProblem,
        samples=st.integers(0, 18),
        inputs=st.sampled_from([64, 128, 256]),
        outputs=st.integers(1, 70),
        density=st.sampled_from([0.0, 0.03, 0.1, 0.5, 1.0]),
        blocky=st.booleans(),
        content=st.sampled_from(BYTES),
        weights=st.sampled_from(["random", "few", "lowest", "highest"]),
        keep_zeros=st.booleans(),
        seed=st.integers(0, 2**16),
    )


def byte_linear_case(kernel: Kernel, problem: ByteLinearProblem) -> Case:
    """Build a kernel's arguments for a layer; sums are exact, and so are outputs that are sums below 2**24."""
    rng = np.random.default_rng(problem.seed)
    x = byte_numbers(rng, (problem.samples, problem.inputs), problem.content)
    weight, mask = _weights(rng, problem)
    scale, bias = _scales(rng, problem)
    out = leftovers((problem.samples, problem.outputs))
    floats = {"scale": padded_to_tiles(scale), "bias": padded_to_tiles(bias)}
    packed, scratch = _PACK[kernel.weights](weight, mask)
    arguments = {"x": x, **packed, **floats, **scratch, "out": out}
    return Case(arguments, {"out": _linear_expected(x, weight, scale, bias)}, frozenset(scratch))


def byte_numbers(rng: np.random.Generator, shape: tuple[int, ...], content: str) -> Bytes:
    """Draw an array of bytes of one kind of contents."""
    return np.asarray(_DRAW[content](rng, shape), np.uint8)


def _linear_expected(x: Bytes, weight: NDArray[np.int8], scale: NDArray, bias: NDArray) -> Expected:
    """Allow three roundings, of the sum, the product and the result, where there are any."""
    values = reference.linear_i8(x, weight, scale, bias)
    sums = reference.linear_i8(x, weight, np.ones_like(scale), np.zeros_like(bias))
    magnitude = np.abs(sums) * np.abs(scale) + np.abs(bias)
    exact = (np.abs(sums) <= 2**24) & (scale == 1.0) & (bias == 0.0)
    return Expected(values, np.where(exact, 0.0, gamma(3) * magnitude))


def _weights(rng: np.random.Generator, problem: ByteLinearProblem) -> tuple[NDArray[np.int8], NDArray[np.bool_] | None]:
    N, D = problem.outputs, problem.inputs
    if problem.blocky:
        blocks = rng.random((-(-N // 16), D // 4)) < problem.density
        mask = np.kron(blocks, np.ones((16, 4), bool))[:N]
    else:
        mask = rng.random((N, D)) < problem.density
    drawn = {
        "random": rng.integers(-128, 128, (N, D)),
        "few": rng.integers(-1, 2, (N, D)),
        "lowest": np.full((N, D), -128),
        "highest": np.full((N, D), 127),
    }[problem.weights]
    return np.where(mask, drawn, 0).astype(np.int8), mask if problem.keep_zeros else None


def _scales(rng: np.random.Generator, problem: ByteLinearProblem) -> tuple[NDArray, NDArray]:
    """Draw scales and biases; every second output has neither, so that its sum shows."""
    N = problem.outputs
    plain = np.arange(N) % 2 == 0
    scale = np.where(plain, 1.0, rng.uniform(0.001, 0.1, N)).astype(np.float32)
    return scale, np.where(plain, 0.0, rng.standard_normal(N)).astype(np.float32)


Arrays = dict[str, Argument]


def _dense(weight: NDArray[np.int8], mask: NDArray[np.bool_] | None) -> tuple[Arrays, Arrays]:
    return {"weights": pack_dense_i8(weight)}, {}


def _lookup(weight: NDArray[np.int8], mask: NDArray[np.bool_] | None) -> tuple[Arrays, Arrays]:
    packed = pack_lookup(weight, mask)
    names = ("indptr", "offsets", "indices", "weights")
    return {name: getattr(packed, name) for name in names}, {}


def _blocks(weight: NDArray[np.int8], mask: NDArray[np.bool_] | None) -> tuple[Arrays, Arrays]:
    packed = pack_blocks4x16(weight, mask)
    arrays: Arrays = {name: getattr(packed, name) for name in ("indptr", "starts", "weights")}
    outputs = padded_to_tiles(np.zeros(len(weight))).size
    return arrays, {
        "groups": leftovers((packed.indptr.size - 1,), np.int32),
        "totals": leftovers((outputs,), np.int32),
    }


_PACK: Mapping[str, Callable[..., tuple[Arrays, Arrays]]] = {"dense": _dense, "lookup": _lookup, "blocks": _blocks}

FORMATS = tuple(_PACK)

_DRAW = {
    "random": lambda rng, shape: rng.integers(0, 256, shape),
    "ties": lambda rng, shape: rng.choice([0, 1, 127, 128], shape),
    "zeros": lambda rng, shape: np.zeros(shape),
    "largest": lambda rng, shape: np.full(shape, 255),
    "sparse": lambda rng, shape: rng.integers(0, 256, shape) * (rng.random(shape) < 0.1),
    "ends": lambda rng, shape: rng.choice([0, 255], shape),
}
