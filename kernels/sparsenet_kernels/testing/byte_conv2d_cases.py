"""Cases of convolutions of bytes, pooled or not; every output is an exact byte."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.cpu.conv2d_i8_amx_pixels import PIXEL_SUMS
from sparsenet_kernels.cpu.tile_sums import TILE_SUMS
from sparsenet_kernels.formats.bytes import padded_size
from sparsenet_kernels.formats.octets import pack_octets
from sparsenet_kernels.formats.pixels import SLOT_BYTES, pack_slots, slot_rows, spread_pixels_weight
from sparsenet_kernels.formats.tiles_conv2d import pack_bias, pack_lookup_conv2d, pack_tiles_conv2d, window_arrays
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.byte_cases import BYTES, Bytes, byte_numbers
from sparsenet_kernels.testing.case import Argument, Case, Expected, leftovers

Pair = tuple[int, int]
Weights = NDArray[np.int8]

FORMATS = ("tiles", "lookup", "octets")
"""Formats of weights that these cases can pack."""

KEPT = ("all", "random", "taps", "fours", "channels", "none")
"""Which weights are kept: all, any, or none; of 16 outputs whole taps, fours of inputs, or channels."""


@dataclass(frozen=True)
class ByteConv2dProblem:
    """A convolution whose output, before pooling, is of this size, and its inputs.

    ``spare`` rows and columns of the image are not enough for one more output. The image holds its padding.
    """

    samples: int = 1
    channels: int = 6
    outputs: int = 20
    size: Pair = (4, 6)
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    spare: Pair = (0, 0)
    groups: int = 1
    kept: str = "random"
    weights: str = "random"
    content: str = "random"
    shift: int = 9
    seed: int = 0


PLAIN = ByteConv2dProblem()


def byte_conv2d_edges(kernel: Kernel) -> Mapping[str, ByteConv2dProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    widths = {f"{n} outputs in a row": replace(PLAIN, size=(2, n)) for n in (4, 5, 9, 10, 11, 14, 15, 16, 18, 33, 34)}
    heights = {f"{n} rows": replace(PLAIN, size=(n, 4)) for n in (2, 3, 7, 8, 10, 12, 13)}
    outputs = {f"{n} outputs": replace(PLAIN, outputs=n) for n in (1, 16, 63, 64, 65)}
    held = {f"bytes: {content}": replace(PLAIN, content=content, shift=6) for content in BYTES}
    kept = {f"{kind} weights kept": replace(PLAIN, kept=kind, channels=70, outputs=40) for kind in KEPT}
    shifts = {f"shift by {shift}": replace(PLAIN, shift=shift) for shift in (0, 1, 8, 16, 31)}
    filters = {f"filter {h} x {w}": replace(PLAIN, kernel=(h, w)) for h, w in ((1, 1), (1, 5), (2, 2), (5, 5), (4, 8))}
    extremes = {
        f"{content}, weights all {weights}": replace(PLAIN, content=content, weights=weights, kept="all", shift=0)
        for content in ("largest", "ends")
        for weights in ("lowest", "highest")
    }
    named = {
        "no samples": replace(PLAIN, samples=0),
        "three samples": replace(PLAIN, samples=3, size=(3, 7)),
        "spare rows and columns": replace(PLAIN, spare=(1, 2), size=(5, 7)),
        "the reference network": replace(PLAIN, size=(10, 10), kernel=(5, 5), channels=64, outputs=64, shift=12),
        "its first convolution": replace(PLAIN, size=(28, 28), kernel=(5, 5), channels=1, outputs=64, kept="all"),
    }
    every = widths | heights | outputs | held | kept | shifts | filters | extremes | named
    strided = {} if _only_plain(kernel) else _strided_edges(kernel)
    names: dict[ByteConv2dProblem, str] = {}
    for name, problem in (every | strided).items():
        names.setdefault(_fitted(kernel, problem), name)  # what is changed to fit may equal another edge
    return {name: problem for problem, name in names.items()}


def byte_conv2d_sized(kernel: Kernel, sizes: Mapping[str, int]) -> ByteConv2dProblem:
    """Return a convolution of B images with C channels to H rows of W positions of N outputs, before pooling."""
    of_window = 2 if kernel.fused == "pool2" else 1
    size = (of_window * sizes["H"], of_window * (sizes["W"] + 3))
    return _fitted(
        kernel, replace(PLAIN, samples=sizes["B"], channels=sizes["C"], outputs=sizes["N"], size=size, kernel=(2, 2))
    )


def byte_conv2d_problems(kernel: Kernel) -> st.SearchStrategy[ByteConv2dProblem]:
    """Draw convolutions."""
    pairs = st.tuples(st.integers(1, 2), st.integers(1, 3))
    return st.builds(
        ByteConv2dProblem,
        samples=st.integers(0, 2),
        channels=st.sampled_from([1, 2, 6, 64, 66, 128]),
        outputs=st.integers(1, 4) | st.integers(1, 70),
        size=st.tuples(st.integers(2, 9), st.integers(4, 36)),
        kernel=st.tuples(st.integers(1, 8), st.integers(1, 8)),
        stride=pairs,
        dilation=pairs,
        spare=st.tuples(st.integers(0, 2), st.integers(0, 2)),
        groups=st.sampled_from([1, 1, 2]),
        kept=st.sampled_from(KEPT),
        weights=st.sampled_from(["random", "few", "lowest", "highest"]),
        content=st.sampled_from(BYTES),
        shift=st.integers(0, 14) | st.integers(0, 31),
        seed=st.integers(0, 2**16),
    ).map(lambda problem: _fitted(kernel, problem))


def byte_conv2d_case(kernel: Kernel, problem: ByteConv2dProblem) -> Case:
    """Build a kernel's arguments for a convolution."""
    rng = np.random.default_rng(problem.seed)
    weight, bias = (
        _weight(rng, problem),
        rng.integers(-(2**problem.shift) * 20, 2**problem.shift * 20 + 1, problem.outputs),
    )
    bias = np.clip(bias, -(2**29), 2**29).astype(np.int32)
    x = byte_numbers(rng, (problem.samples, problem.channels, *_image(problem)), problem.content)
    out = _expected(kernel, problem, x, weight, bias)
    pixels = kernel.inputs == "pixels"
    arguments: dict[str, Argument] = {
        "x": np.ascontiguousarray(x[:, 0]) if pixels else _channels_last(kernel, x),
        "bias": pack_bias(bias, weight, problem.shift),
        "shift": problem.shift,
        "stride_y": problem.stride[0],
        "stride_x": problem.stride[1],
        "out": leftovers(out.shape, np.uint8),
        "sums": leftovers((PIXEL_SUMS if pixels else TILE_SUMS,), np.int32),
    }
    packed = _pixel_arguments(kernel, problem, weight) if pixels else _window_arguments(kernel, problem, weight)
    return Case(arguments | packed, {"out": Expected(out)}, frozenset({"slots", "sets", "sums"} & _names(kernel)))


def _strided_edges(kernel: Kernel) -> Mapping[str, ByteConv2dProblem]:
    edges = {
        "stride": replace(PLAIN, stride=(2, 3), size=(4, 5)),
        "stride of a long row": replace(PLAIN, stride=(1, 2), size=(4, 24)),
        "two outputs in a row": replace(PLAIN, size=(3, 2)),
        "three outputs in a row": replace(PLAIN, size=(2, 3)),
    }
    if not kernel.fused:
        edges["one output"] = replace(PLAIN, size=(1, 1))
    if kernel.inputs == "dense":
        edges["dilation"] = replace(PLAIN, dilation=(2, 3), size=(4, 5))
        edges["sets of two tables"] = replace(PLAIN, channels=128, outputs=80, kept="channels")
        edges["more channels in a long row"] = replace(PLAIN, channels=128, size=(4, 12))
        edges["groups"] = replace(PLAIN, groups=2, channels=66, outputs=34)
    else:
        edges["high filter"] = replace(PLAIN, kernel=(8, 3), size=(3, 5))
        edges["wide filter"] = replace(PLAIN, kernel=(7, 13), size=(3, 5))
    return edges


def _only_plain(kernel: Kernel) -> bool:
    return kernel.inputs == "pixels" and kernel.variant == "amx"


def _fitted(kernel: Kernel, problem: ByteConv2dProblem) -> ByteConv2dProblem:
    """Change what a kernel cannot compute: see `fits_pixels`, `fits_octets` and `fits_tiles`."""
    if kernel.inputs == "pixels":
        problem = replace(problem, channels=1, groups=1, dilation=(1, 1))
    if kernel.weights == "octets":
        size = (max(problem.size[0], 2), max(problem.size[1], 4))  # eight positions
        problem = replace(problem, dilation=(problem.dilation[0], 1), size=size)
    if _only_plain(kernel):
        problem = replace(problem, stride=(1, 1), kernel=(min(problem.kernel[0], 5), min(problem.kernel[1], 8)))
    divides = problem.channels % problem.groups == problem.outputs % problem.groups == 0
    return problem if divides else replace(problem, groups=1)


def _image(problem: ByteConv2dProblem) -> tuple[int, ...]:
    spare = [min(spare, stride - 1) for spare, stride in zip(problem.spare, problem.stride, strict=True)]
    pairs = zip(problem.size, problem.kernel, problem.stride, problem.dilation, spare, strict=True)
    return tuple((size - 1) * stride + (taps - 1) * apart + 1 + more for size, taps, stride, apart, more in pairs)


def _weight(rng: np.random.Generator, problem: ByteConv2dProblem) -> Weights:
    N, C, (kh, kw) = problem.outputs, problem.channels // problem.groups, problem.kernel
    shape = (N, C, kh, kw)
    drawn = {
        "random": rng.integers(-128, 128, shape),
        "few": rng.integers(-1, 2, shape),
        "lowest": np.full(shape, -128),
        "highest": np.full(shape, 127),
    }[problem.weights]
    blocks = -(-N // 16)
    kept = {
        "all": np.ones(shape, bool),
        "none": np.zeros(shape, bool),
        "random": rng.random(shape) < 0.2,
        "taps": np.repeat(rng.random((blocks, 1, kh, kw)) < 0.3, 16, axis=0)[:N],
        "channels": np.repeat(rng.random((blocks, C, 1, 1)) < 0.2, 16, axis=0)[:N] & np.ones(shape, bool),
        "fours": np.repeat(np.repeat(rng.random((blocks, -(-C // 4), kh, kw)) < 0.2, 16, axis=0)[:N], 4, axis=1)[:, :C],
    }[problem.kept]
    return np.where(kept, drawn, 0).astype(np.int8)


def _expected(
    kernel: Kernel, problem: ByteConv2dProblem, x: Bytes, weight: Weights, bias: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return the outputs channels last, with zeros in the channels that pad them."""
    settings = {"stride": problem.stride, "dilation": problem.dilation, "groups": problem.groups}
    out = reference.conv2d_i8(x, weight, bias, problem.shift, **settings).astype(np.float64)
    if kernel.fused == "pool2":
        out = reference.max_pool2d(out, (2, 2), (2, 2))
    wide = np.zeros((len(out), *out.shape[2:], padded_size(problem.outputs, 64)))
    wide[..., : problem.outputs] = np.moveaxis(out, 1, -1)
    return wide


def _channels_last(kernel: Kernel, x: Bytes) -> Bytes:
    B, C, H, W = x.shape
    wide = np.zeros((B, H, W, _memory_channels(kernel, C)), np.uint8)
    wide[..., :C] = np.moveaxis(x, 1, -1)
    return wide


def _memory_channels(kernel: Kernel, channels: int) -> int:
    return padded_size(channels, kernel.packing.get("depth", 64))


def _window_arguments(kernel: Kernel, problem: ByteConv2dProblem, weight: Weights) -> dict[str, Argument]:
    channels = _memory_channels(kernel, problem.channels)
    if kernel.weights == "octets":
        return _octet_arguments(problem, weight, channels)
    where = (channels, problem.kernel[1], _image(problem)[1], problem.dilation)
    if kernel.weights == "lookup":
        return window_arrays(pack_lookup_conv2d(weight, channels, problem.groups), *where)
    return window_arrays(pack_tiles_conv2d(weight, channels, groups=problem.groups, **kernel.packing), *where)


def _octet_arguments(problem: ByteConv2dProblem, weight: Weights, channels: int) -> dict[str, Argument]:
    height, width = _image(problem)
    packed = pack_octets(weight, channels, problem.groups)
    sets = leftovers((packed.set_count, height * width, 8), np.uint8)
    return packed.arrays((height, width), problem.dilation[0]) | {"sets": sets}


def _pixel_arguments(kernel: Kernel, problem: ByteConv2dProblem, weight: Weights) -> dict[str, Argument]:
    (height, width), (kernel_height, kernel_width) = _image(problem), problem.kernel
    slots = leftovers((slot_rows(height, kernel_height), width, SLOT_BYTES), np.uint8)
    own: dict[str, Argument] = {"kernel_height": kernel_height, "slots": slots}
    if kernel.variant == "amx":
        return own | {"weights": pack_slots(weight)}
    tiles = pack_tiles_conv2d(spread_pixels_weight(weight), SLOT_BYTES, **kernel.packing)
    return own | window_arrays(tiles, SLOT_BYTES, kernel_width, width)


def _names(kernel: Kernel) -> set[str]:
    return {argument.name for argument in kernel.arguments}
