"""Cases of fully connected layers of bytes; sums must be exact."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.cpu.linear_i8_tiles import TOTALS
from sparsenet_kernels.cpu.tile_sums import TILE_SUMS
from sparsenet_kernels.formats import (
    pack_blocks4x16,
    pack_dense_i8,
    pack_lookup,
    pack_tiles,
    padded_to_tiles,
)
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.byte_cases import BYTES, Bytes, byte_numbers, whole_vectors
from sparsenet_kernels.testing.case import Argument, Case, Expected, leftovers
from sparsenet_kernels.testing.comparable import beyond_float32
from sparsenet_kernels.testing.contents import SPOILED, numbers
from sparsenet_kernels.testing.tolerance import gamma


@dataclass(frozen=True)
class ByteLinearProblem:
    """A layer and its inputs. ``density`` is the fraction of weights kept, of whole blocks where ``blocky``.

    ``floats`` are the contents of scales and biases.
    """

    samples: int
    inputs: int
    outputs: int
    density: float = 0.3
    blocky: bool = False
    content: str = "sparse"
    weights: str = "random"
    keep_zeros: bool = False
    floats: str = "ordinary"
    seed: int = 0


LINEAR = ByteLinearProblem(samples=2, inputs=128, outputs=40)


def byte_linear_edges(kernel: Kernel) -> Mapping[str, ByteLinearProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    outputs = {f"{n} outputs": replace(LINEAR, outputs=n) for n in (1, 15, 16, 17, 31, 32, 33)}
    samples = {f"{n} samples": replace(LINEAR, samples=n) for n in (0, 1, 7, 8, 9, 16, 17, 32, 95, 97, 113)}
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
            "scales not finite": replace(LINEAR, floats="not finite"),
            "scales overflowing": replace(LINEAR, floats="overflowing"),
            "64 inputs": replace(LINEAR, inputs=64),
            "many inputs": replace(LINEAR, inputs=960, outputs=20, density=0.05),
            "sums beyond exact floats": replace(LINEAR, inputs=1024, content="largest", weights="highest", density=1.0),
            "no weights": replace(LINEAR, density=0.0),
            "all weights": replace(LINEAR, density=1.0),
            "whole blocks": replace(LINEAR, blocky=True),
            "kept zeros": replace(LINEAR, keep_zeros=True, weights="few"),
        }
    )


def byte_linear_sized(kernel: Kernel, sizes: Mapping[str, int]) -> ByteLinearProblem:
    """Return a layer of B samples and N outputs; inputs are D whole vectors, or at least D numbers."""
    return ByteLinearProblem(sizes["B"], whole_vectors(sizes["D"]), sizes["N"], 0.5, content="random")


def byte_linear_problems(kernel: Kernel) -> st.SearchStrategy[ByteLinearProblem]:
    """Draw layers."""
    return st.builds(
        ByteLinearProblem,
        samples=st.integers(0, 18) | st.integers(0, 100),
        inputs=st.sampled_from([64, 128, 256]),
        outputs=st.integers(1, 70),
        density=st.sampled_from([0.0, 0.03, 0.1, 0.5, 1.0]),
        blocky=st.booleans(),
        content=st.sampled_from(BYTES),
        weights=st.sampled_from(["random", "few", "lowest", "highest"]),
        keep_zeros=st.booleans(),
        floats=st.sampled_from(["ordinary", "ordinary", *SPOILED]),
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
    packed, scratch = _tiles(kernel, weight) if kernel.weights == "tiles" else _PACK[kernel.weights](weight, mask)
    arguments = {"x": x, **packed, **floats, **scratch, "out": out}
    return Case(arguments, {"out": _linear_expected(x, weight, scale, bias)}, frozenset(scratch))


def _linear_expected(x: Bytes, weight: NDArray[np.int8], scale: NDArray, bias: NDArray) -> Expected:
    """Allow three roundings, of the sum, the product and the result, where there are any."""
    values = reference.linear_i8(x, weight, scale, bias)
    sums = reference.linear_i8(x, weight, np.ones_like(scale), np.zeros_like(bias))
    magnitude = np.abs(sums) * np.abs(scale) + np.abs(bias)
    exact = (np.abs(sums) <= 2**24) & (scale == 1.0) & (bias == 0.0)
    unknown = beyond_float32((1.0 + gamma(3)) * magnitude)
    return Expected(values, np.where(exact, 0.0, gamma(3) * magnitude), unknown=unknown)


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
    if problem.floats != "ordinary":
        return numbers(rng, (N,), problem.floats), numbers(rng, (N,), problem.floats)
    plain = np.arange(N) % 2 == 0
    scale = np.where(plain, 1.0, rng.uniform(0.001, 0.1, N)).astype(np.float32)
    return scale, np.where(plain, 0.0, rng.standard_normal(N)).astype(np.float32)


Arrays = dict[str, Argument]


def _dense(weight: NDArray[np.int8], mask: NDArray[np.bool_] | None) -> tuple[Arrays, Arrays]:
    return {"weights": pack_dense_i8(weight)}, {}


def _lookup(weight: NDArray[np.int8], mask: NDArray[np.bool_] | None) -> tuple[Arrays, Arrays]:
    return pack_lookup(weight, mask).arrays(), {}


def _blocks(weight: NDArray[np.int8], mask: NDArray[np.bool_] | None) -> tuple[Arrays, Arrays]:
    packed = pack_blocks4x16(weight, mask)
    outputs = padded_to_tiles(np.zeros(len(weight))).size
    return packed.arrays(), {
        "groups": leftovers((packed.indptr.size - 1,), np.int32),
        "totals": leftovers((outputs,), np.int32),
    }


def _tiles(kernel: Kernel, weight: NDArray[np.int8]) -> tuple[Arrays, Arrays]:
    arrays = pack_tiles(weight, **kernel.packing).arrays()
    return arrays, {"sums": leftovers((TILE_SUMS if kernel.variant == "amx" else TOTALS,), np.int32)}


_PACK: Mapping[str, Callable[..., tuple[Arrays, Arrays]]] = {"dense": _dense, "lookup": _lookup, "blocks": _blocks}

FORMATS = (*_PACK, "tiles")
