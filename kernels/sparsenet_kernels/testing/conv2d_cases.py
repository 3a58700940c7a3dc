"""Cases of convolutions, for every format of weights and both forms of inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.formats import (
    PaddedSums,
    Planes,
    pack_blocks_conv2d,
    pack_complementary_conv2d,
    pack_csc_conv2d,
    pack_csr_conv2d,
    pack_panels_conv2d,
)
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.activity import Activity, active_rows
from sparsenet_kernels.testing.case import Argument, Case, Expected, leftovers
from sparsenet_kernels.testing.comparable import expected_sum
from sparsenet_kernels.testing.contents import ORDINARY, SPOILED, numbers, weight_content
from sparsenet_kernels.testing.layout_cases import split_into_planes

Floats = NDArray[np.float32]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Conv2dProblem:
    """A convolution and its input; pairs are (vertical, horizontal), channels and outputs those of all groups.

    ``density`` is the fraction of weights that the mask keeps. Kept weights may be zero; with ``keep_zeros`` they are
    stored all the same.
    """

    samples: int
    size: Pair
    channels: int
    outputs: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    density: float = 0.5
    activity: Activity = Activity(2)  # noqa: RUF009  (it is frozen)
    content: str = "normal"
    keep_zeros: bool = False
    seed: int = 0
    pooled: bool = False

    @property
    def summed(self) -> Pair:
        """Height and width of what is computed: of a pooled convolution, as much of it as its windows cover."""
        height, width = reference.conv2d_shape(self.size, self.kernel, self.stride, self.padding, self.dilation)
        return (height // 2 * 2, width // 2 * 2) if self.pooled else (height, width)

    @property
    def out(self) -> Pair:
        """Height and width of the output."""
        height, width = self.summed
        return (height // 2, width // 2) if self.pooled else (height, width)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The arrays of a problem, channels last."""

    image: Floats
    columns: NDArray[np.int32]
    values: Floats
    weight: Floats
    mask: NDArray[np.bool_] | None
    bias: Floats


BASE = Conv2dProblem(samples=2, size=(6, 9), channels=4, outputs=17, kernel=(3, 2))


def conv2d_edges(kernel: Kernel) -> Mapping[str, Conv2dProblem]:
    """Return the problems that every kernel for convolutions must solve, by what is special about them."""
    widths = {f"{w} positions in a row": replace(BASE, size=(4, w + 1)) for w in (*range(1, 13), 16, 17)}
    outputs = {f"{n} outputs": replace(BASE, outputs=n, size=(4, 6)) for n in (1, 15, 16, 31, 32, 33, 63, 64, 65, 129)}
    grouped = replace(BASE, groups=2, outputs=34)
    edges = (
        widths
        | outputs
        | _geometry_edges()
        | {
            "no samples": replace(BASE, samples=0),
            "one sample": replace(BASE, samples=1),
            "no weights": replace(BASE, density=0.0),
            "all weights": replace(BASE, density=1.0),
            "nothing active": replace(BASE, activity=Activity(0)),
            "all active": replace(BASE, activity=Activity(4)),
            "rows of different length": replace(BASE, activity=Activity(4, ragged=True)),
            "room to spare": replace(BASE, activity=Activity(1, spare=2)),
            "ties and zeros among the inputs": replace(BASE, content="integers"),
            "stored zeros": replace(BASE, content="integers", keep_zeros=True),
            "not finite numbers": replace(BASE, samples=4, content="not finite"),
            "not finite numbers, again": replace(BASE, samples=4, content="not finite", activity=Activity(4), seed=1),
            "overflowing numbers": replace(BASE, samples=4, content="overflowing"),
            "overflowing numbers, again": replace(BASE, samples=4, content="overflowing", activity=Activity(4), seed=1),
            "many channels": replace(BASE, channels=37, size=(4, 5), activity=Activity(20)),
        }
        | ({} if _one_group(kernel) else _group_edges(grouped))
    )
    return {name: _fitted(kernel, problem) for name, problem in edges.items() if not _too_small(kernel, problem)}


def _geometry_edges() -> dict[str, Conv2dProblem]:
    return {
        "image of one pixel": replace(BASE, size=(1, 1), kernel=(1, 1)),
        "one pixel, padded": replace(BASE, size=(1, 1), kernel=(3, 3), padding=(1, 1)),
        "filter of one tap": replace(BASE, kernel=(1, 1)),
        "filter as large as the image": replace(BASE, kernel=(6, 9)),
        "one channel": replace(BASE, channels=1, activity=Activity(1)),
        "stride": replace(BASE, stride=(2, 3)),
        "stride beyond the filter": replace(BASE, stride=(4, 3)),
        "padding": replace(BASE, padding=(2, 1)),
        "padding beyond the filter": replace(BASE, kernel=(1, 2), padding=(2, 2)),
        "dilation": replace(BASE, dilation=(2, 3)),
        "stride, padding and dilation": replace(BASE, stride=(2, 3), padding=(2, 1), dilation=(2, 2)),
    }


def _group_edges(grouped: Conv2dProblem) -> dict[str, Conv2dProblem]:
    return {
        "two groups": grouped,
        "two groups, dilated": replace(grouped, dilation=(1, 2), padding=(1, 1)),
        "a group for each channel": replace(BASE, groups=4, outputs=4),
        "many outputs in each group": replace(grouped, outputs=130, size=(4, 5)),
    }


def conv2d_sized(kernel: Kernel, sizes: Mapping[str, int]) -> Conv2dProblem:
    """Return a convolution of B images with C channels, half of them active, to H rows of W positions of N outputs."""
    of_window = 2 if kernel.fused == "pool2" else 1
    size = (of_window * sizes["H"] + 1, of_window * sizes["W"] + 1)
    active = Activity(sizes["C"] // 2 + 1)
    problem = Conv2dProblem(sizes["B"], size, sizes["C"], sizes["N"], (2, 2), density=0.5, activity=active)
    return _fitted(kernel, problem)


@st.composite
def conv2d_problems(draw: Callable, kernel: Kernel) -> Conv2dProblem:
    """Draw convolutions."""
    taps, stride, padding, dilation = (draw(_pairs(low, high)) for low, high in ((1, 3), (1, 3), (0, 2), (1, 2)))
    reach = [dilation[axis] * (taps[axis] - 1) + 1 for axis in (0, 1)]
    size = tuple(max(1, reach[axis] - 2 * padding[axis]) + draw(st.integers(0, 9)) for axis in (0, 1))
    groups = 1 if _one_group(kernel) else draw(st.integers(1, 3))
    problem = Conv2dProblem(
        samples=draw(st.integers(0, 3)),
        size=size,
        channels=groups * draw(st.integers(1, 6)),
        outputs=groups * draw(st.integers(1, 40)),
        kernel=taps,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        density=draw(st.sampled_from([1.0, 0.0, 0.1, 0.4])),
        activity=draw(st.builds(Activity, st.integers(0, 18), st.booleans(), st.integers(0, 2))),
        content=draw(st.sampled_from([*ORDINARY, *SPOILED])),
        keep_zeros=draw(st.booleans()),
        seed=draw(st.integers(0, 2**16)),
    )
    if _too_small(kernel, problem):
        problem = replace(problem, size=(size[0] + stride[0], size[1] + stride[1]))
    return _fitted(kernel, problem)


def _fitted(kernel: Kernel, problem: Conv2dProblem) -> Conv2dProblem:
    """Pool where the kernel does."""
    return replace(problem, pooled=kernel.fused == "pool2")


def _too_small(kernel: Kernel, problem: Conv2dProblem) -> bool:
    """Tell whether the output has no window to pool."""
    return kernel.fused == "pool2" and min(problem.out) < 2


def conv2d_case(kernel: Kernel, problem: Conv2dProblem) -> Case:
    """Build a kernel's arguments for a convolution, and what it must compute."""
    drawn = _draw(problem)
    weights, scratch = FORMATS[kernel.weights](kernel, problem, drawn)
    inputs = _lists(problem, drawn) if kernel.inputs == "active" else _IMAGES[kernel.weights](kernel, problem, drawn)
    out = leftovers((problem.samples, *problem.out, problem.outputs))
    return Case(
        inputs | weights | scratch | {"out": out}, {"out": _expected(kernel, problem, drawn)}, frozenset(scratch)
    )


def _one_group(kernel: Kernel) -> bool:
    return (kernel.weights, kernel.inputs) == ("dense", "active")


def _pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def _draw(problem: Conv2dProblem) -> Drawn:
    rng = np.random.default_rng(problem.seed)
    (H, W), C, N = problem.size, problem.channels, problem.outputs
    x, columns, values = active_rows(rng, (problem.samples, H * W, C), problem.activity, problem.content)
    shape = (N, C // problem.groups, *problem.kernel)
    mask = rng.random(shape) < problem.density
    weight = np.where(mask, numbers(rng, shape, weight_content(problem.content)), np.float32(0.0))
    bias = numbers(rng, (N,), problem.content)
    image = x.reshape(problem.samples, H, W, C)
    return Drawn(image, columns, values, weight, mask if problem.keep_zeros else None, bias)


def _expected(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> Expected:
    image = np.moveaxis(drawn.image, -1, 1)
    settings = problem.stride, problem.padding, problem.dilation, problem.groups
    convolve = reference.conv2d_pool2 if problem.pooled else reference.conv2d
    values = convolve(image, drawn.weight, drawn.bias, *settings)
    # the largest of four sums is off by no more than the one that may be off most
    magnitude = convolve(np.abs(image), np.abs(drawn.weight), np.abs(drawn.bias), *settings)
    if problem.groups > 1 and kernel.weights == "blocks":
        # a block of 16 outputs may span groups, and multiplies the channels of each by zeros of the others
        every = np.zeros((1, problem.channels, *problem.kernel))
        magnitude = magnitude + convolve(image, every, np.zeros(1), *settings[:3])
    return expected_sum(np.moveaxis(values, 1, -1), np.moveaxis(magnitude, 1, -1), drawn.weight[0].size)


def _lists(problem: Conv2dProblem, drawn: Drawn) -> dict[str, Argument]:
    height, width = problem.size
    lists: dict[str, Argument] = {"columns": drawn.columns, "values": drawn.values}
    return lists | {"height": height, "width": width, "channels": problem.channels} | _settings(problem)


def _image(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> dict[str, Argument]:
    return {"x": drawn.image} | _settings(problem)


def _padded_image(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> dict[str, Argument]:
    (py, px), image = problem.padding, drawn.image
    padded = np.pad(image, ((0, 0), (py, py), (px, px), (0, 0)))
    return {"x": padded} | _settings(replace(problem, padding=(0, 0)))


def _planes(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> dict[str, Argument]:
    planes = _planes_of(problem)
    split = split_into_planes(drawn.image, planes, planes.total_size(problem.summed))
    return {"planes": split, "row": planes.row}


def _planes_of(problem: Conv2dProblem) -> Planes:
    return Planes(problem.channels, problem.size, problem.stride, problem.padding, problem.dilation)


def _settings(problem: Conv2dProblem) -> dict[str, Argument]:
    settings: dict[str, Argument] = {}
    for name in ("kernel", "stride", "pad", "dilation"):
        vertical, horizontal = {"kernel": ("height", "width")}.get(name, ("y", "x"))
        pair = getattr(problem, {"pad": "padding"}.get(name, name))
        settings |= {f"{name}_{vertical}": pair[0], f"{name}_{horizontal}": pair[1]}
    return settings


Packed = tuple[dict[str, Argument], dict[str, Argument]]


def _dense(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> Packed:
    panels = pack_panels_conv2d(drawn.weight, drawn.bias, problem.groups, **kernel.packing)
    return panels.arrays(), {"sums": leftovers((prod(problem.summed) * panels.weights.shape[-1],))}


def _csr(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> Packed:
    packed, planes = pack_csr_conv2d(drawn.weight, problem.groups, drawn.mask), _planes_of(problem)
    arrays = planes.arrays(packed.arrays(), problem.kernel[1])
    return arrays | {"bias": drawn.bias}, {"sums": leftovers((planes.sums_size(problem.summed),))}


def _csc(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> Packed:
    return pack_csc_conv2d(drawn.weight, problem.groups, drawn.mask).arrays() | {"bias": drawn.bias}, {}


def _complementary(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> Packed:
    packed = pack_complementary_conv2d(drawn.weight, problem.groups, mask=drawn.mask)
    return packed.arrays() | {"bias": drawn.bias}, {}


def _blocks(kernel: Kernel, problem: Conv2dProblem, drawn: Drawn) -> Packed:
    packed = pack_blocks_conv2d(drawn.weight, problem.groups, drawn.mask)
    if kernel.inputs == "dense":
        arrays = _planes_of(problem).arrays(packed.by_tile().arrays(), problem.kernel[1])
        return arrays | {"bias": np.pad(drawn.bias, (0, -problem.outputs % 16))}, {}
    settings = problem.kernel, problem.stride, problem.padding, problem.dilation
    padded = PaddedSums(problem.outputs, problem.size, problem.summed, *settings)
    weights: dict[str, Argument] = padded.grouped(packed).arrays() | {"bias": drawn.bias}
    scratch = {
        "ends": leftovers((problem.channels,), np.int32),
        "listed": leftovers((2 * problem.channels * prod(problem.size),), np.int32),
        "sums": leftovers((padded.total_size,)),
    }
    return weights | {"row": padded.row, "first": padded.first, "lanes": padded.lanes}, scratch


FORMATS = {"dense": _dense, "csr": _csr, "csc": _csc, "complementary": _complementary, "blocks": _blocks}
_IMAGES = {"dense": _padded_image, "csr": _planes, "blocks": _planes, "csc": _image, "complementary": _image}
