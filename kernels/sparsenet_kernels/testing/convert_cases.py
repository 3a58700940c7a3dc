"""Cases of the kernels that turn floats to bytes and back, or move bytes, where channels are padded: all exact."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from sparsenet_kernels import reference
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.byte_cases import BYTES, byte_numbers
from sparsenet_kernels.testing.case import Case, Expected, leftovers
from sparsenet_kernels.testing.contents import ALL, SPOILED, numbers


@dataclass(frozen=True)
class ConvertProblem:
    """An image (samples, height, width, channels) whose positions are padded by so many channels.

    ``frame`` are rows and columns around it, of the byte ``zero``.
    """

    samples: int
    size: tuple[int, int]
    channels: int
    padding: int
    scale: float = 0.0078125
    zero: int = 128
    frame: tuple[int, int] = (1, 2)
    content: str = "normal"
    bytes_content: str = "random"
    seed: int = 0


BASE = ConvertProblem(samples=2, size=(3, 5), channels=5, padding=3)


def convert_edges(kernel: Kernel) -> Mapping[str, ConvertProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    held = {f"{content} numbers": replace(BASE, content=content) for content in (*ALL, *SPOILED, "halves")}
    bytes_held = {f"bytes: {content}": replace(BASE, bytes_content=content) for content in BYTES}
    zeros = {f"zero at {zero}": replace(BASE, zero=zero, content="wide") for zero in (0, 1, 255)}
    return (
        held
        | bytes_held
        | zeros
        | {
            "no samples": replace(BASE, samples=0),
            "products beyond float32": replace(BASE, scale=1e37, content="overflowing"),
            "no padding": replace(BASE, padding=0, frame=(0, 0)),
            "one of everything": ConvertProblem(1, (1, 1), 1, 63),
            "whole vectors": replace(BASE, channels=64, padding=64),
        }
    )


def convert_sized(kernel: Kernel, sizes: Mapping[str, int]) -> ConvertProblem:
    """Return B images of H rows, or one, W columns and C channels, padded to whole vectors of 16."""
    channels = sizes["C"]
    return ConvertProblem(sizes["B"], (sizes.get("H", 1), sizes["W"]), channels, -channels % 16)


def convert_problems(kernel: Kernel) -> st.SearchStrategy[ConvertProblem]:
    """Draw images."""
    return st.builds(
        ConvertProblem,
        samples=st.integers(0, 3),
        size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
        channels=st.integers(1, 70),
        padding=st.integers(0, 5),
        scale=st.floats(2.0**-20, 2.0**20, width=32),
        zero=st.integers(0, 255),
        frame=st.tuples(st.integers(0, 3), st.integers(0, 3)),
        content=st.sampled_from([*ALL, *SPOILED, "halves"]),
        bytes_content=st.sampled_from(BYTES),
        seed=st.integers(0, 2**16),
    )


def quantize_rows_case(kernel: Kernel, problem: ConvertProblem) -> Case:
    """Build the arguments of a conversion to padded bytes."""
    rng, shape = np.random.default_rng(problem.seed), _rows(problem)
    if problem.content == "halves":
        x = ((rng.integers(-300, 300, shape) + 0.5) * problem.scale).astype(np.float32)
    else:
        x = numbers(rng, shape, problem.content)
    out = np.zeros((*shape[:2], problem.channels + problem.padding), np.uint8)
    out[..., : problem.channels] = reference.quantize(x, problem.scale, problem.zero)
    reciprocal = np.float32(1.0) / np.float32([problem.scale])
    arguments = {"x": x, "reciprocal": reciprocal, "zero": problem.zero, "out": leftovers(out.shape, np.uint8)}
    return Case(arguments, {"out": Expected(out)})


def dequantize_case(kernel: Kernel, problem: ConvertProblem) -> Case:
    """Build the arguments of a conversion from padded bytes: one rounding, of an exact difference times the scale."""
    x = _padded_bytes(problem)
    out = reference.dequantize(x[..., : problem.channels], problem.scale, problem.zero).astype(np.float32)
    scale = np.float32([problem.scale])
    arguments = {"x": x, "scale": scale, "zero": problem.zero, "out": leftovers(out.shape)}
    return Case(arguments, {"out": Expected(out)})


def cast_case(kernel: Kernel, problem: ConvertProblem) -> Case:
    """Build the arguments of a conversion from whole numbers, the largest among them: one rounding."""
    rng, (samples, rows, channels) = np.random.default_rng(problem.seed), _rows(problem)
    x = rng.integers(-(2**31), 2**31, (samples, rows * channels)).astype(np.int32)
    x[rng.random(x.shape) < 0.3] //= 2**16
    x[:, 0] = rng.choice(np.int32([-(2**31), 2**31 - 1, 2**24 + 1, 0, -1]), samples)
    return Case({"x": x, "out": leftovers(x.shape)}, {"out": Expected(reference.cast(x).astype(np.float32))})


def spread_channels_case(kernel: Kernel, problem: ConvertProblem) -> Case:
    """Build the arguments of a copy to padded positions."""
    x = byte_numbers(np.random.default_rng(problem.seed), _rows(problem), problem.bytes_content)
    out = np.pad(x, ((0, 0), (0, 0), (0, problem.padding)))
    return Case({"x": x, "out": leftovers(out.shape, np.uint8)}, {"out": Expected(out)})


def byte_pad2d_case(kernel: Kernel, problem: ConvertProblem) -> Case:
    """Build the arguments of a copy into the middle of a frame."""
    shape = (problem.samples, *problem.size, problem.channels)
    x = byte_numbers(np.random.default_rng(problem.seed), shape, problem.bytes_content)
    top, left = problem.frame
    out = np.pad(x, ((0, 0), (top, top), (left, left), (0, 0)), constant_values=problem.zero)
    arguments = {"x": x, "top": top, "left": left, "value": problem.zero, "out": leftovers(out.shape, np.uint8)}
    return Case(arguments, {"out": Expected(out)})


def _rows(problem: ConvertProblem) -> tuple[int, int, int]:
    return problem.samples, problem.size[0] * problem.size[1], problem.channels


def _padded_bytes(problem: ConvertProblem) -> np.ndarray:
    samples, rows, channels = _rows(problem)
    shape = samples, rows, channels + problem.padding
    return byte_numbers(np.random.default_rng(problem.seed), shape, problem.bytes_content)
