"""Cases of operations that move activations without computing: every bit must arrive."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.formats import Planes
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.case import Case, Expected, leftovers
from sparsenet_kernels.testing.contents import ALL, SPOILED, numbers

Pair = tuple[int, int]


@dataclass(frozen=True)
class LayoutProblem:
    """An image (samples, height, width, channels), channels last, and where it goes.

    Around it, ``before`` and ``behind`` are the rows and columns of padding, or the channels of others. The image is
    taken apart into planes for a stride.
    """

    samples: int
    size: Pair
    channels: int
    before: Pair = (0, 0)
    behind: Pair = (0, 0)
    stride: Pair = (1, 1)
    content: str = "infinite"
    seed: int = 0


BASE = LayoutProblem(samples=2, size=(3, 5), channels=4)


def layout_edges(kernel: Kernel) -> Mapping[str, LayoutProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    sizes = {f"{n} channels": replace(BASE, channels=n) for n in (1, 7, 8, 15, 16, 17, 33)}
    return sizes | {
        "no samples": replace(BASE, samples=0),
        "image of one pixel": replace(BASE, size=(1, 1)),
        "one of everything": LayoutProblem(1, (1, 1), 1),
        "signed zeros": replace(BASE, content="signed zeros"),
        "not finite numbers": replace(BASE, content="not finite"),
        "something before": replace(BASE, before=(2, 1)),
        "something behind": replace(BASE, behind=(1, 2)),
        "something on either side": replace(BASE, before=(1, 3), behind=(2, 1)),
        "stride": replace(BASE, stride=(2, 3), before=(1, 2)),
        "stride beyond the image": replace(BASE, stride=(4, 6)),
        "long side": replace(BASE, size=(1, 40)),
    }


def layout_sized(kernel: Kernel, sizes: Mapping[str, int]) -> LayoutProblem:
    """Return B images of H rows, or one, W columns and C channels, padded and with a stride."""
    return LayoutProblem(sizes["B"], (sizes.get("H", 1), sizes["W"]), sizes["C"], (1, 2), (2, 1), (1, 2), "normal")


def layout_problems(kernel: Kernel) -> st.SearchStrategy[LayoutProblem]:
    """Draw images."""
    return st.builds(
        LayoutProblem,
        samples=st.integers(0, 3),
        size=_pairs(1, 9),
        channels=st.integers(1, 20),
        before=_pairs(0, 3),
        behind=_pairs(0, 3),
        stride=_pairs(1, 3),
        content=st.sampled_from([*ALL, *SPOILED]),
        seed=st.integers(0, 2**16),
    )


def swap_axes_case(kernel: Kernel, problem: LayoutProblem) -> Case:
    """Build the arguments of a turn of positions and channels."""
    x = _draw(problem).reshape(problem.samples, prod(problem.size), problem.channels)
    turned = x.swapaxes(1, 2)
    return Case({"x": x, "out": leftovers(turned.shape)}, {"out": Expected(turned)})


def pad2d_case(kernel: Kernel, problem: LayoutProblem) -> Case:
    """Build the arguments of a copy into the middle of zeros."""
    x, before, behind = _draw(problem), problem.before, problem.behind
    padded = np.pad(x, ((0, 0), (before[0], behind[0]), (before[1], behind[1]), (0, 0)))
    arguments = {"x": x, "top": before[0], "left": before[1], "out": leftovers(padded.shape)}
    return Case(arguments, {"out": Expected(padded)})


def place_case(kernel: Kernel, problem: LayoutProblem) -> Case:
    """Build the arguments of a copy among the channels of others, which must stay as they were."""
    x = _draw(problem).reshape(problem.samples, prod(problem.size), problem.channels)
    first = problem.before[0]
    joined = leftovers((*x.shape[:2], first + problem.channels + problem.behind[0]))
    expected = joined.copy()
    expected[:, :, first : first + problem.channels] = x
    return Case({"x": x, "first": first, "out": joined}, {"out": Expected(expected)})


def split_phases_case(kernel: Kernel, problem: LayoutProblem) -> Case:
    """Build the arguments of the way from an image to planes, with room behind the last one."""
    x, (sy, sx), (py, px) = _draw(problem), problem.stride, problem.before
    planes = Planes(problem.channels, problem.size, problem.stride, problem.before, (1, 1))
    split = split_into_planes(x, planes, planes.count * planes.rows * planes.row + problem.behind[0])
    settings = {"stride_y": sy, "stride_x": sx, "pad_y": py, "pad_x": px, "rows": planes.rows, "row": planes.row}
    return Case({"x": x, **settings, "planes": leftovers(split.shape)}, {"planes": Expected(split)})


def expand_phases_case(kernel: Kernel, problem: LayoutProblem) -> Case:
    """Build the arguments of the way from lists to planes: half of the image is active."""
    wanted = split_phases_case(kernel, problem)
    image, channels = wanted.arguments["x"], problem.channels
    x = np.where(np.random.default_rng(problem.seed).random(image.shape) < 0.5, image, 0)
    columns, values = reference.compact(x.reshape(len(x), prod(problem.size), channels), channels)
    planes = Planes(problem.channels, problem.size, problem.stride, problem.before, (1, 1))
    split = split_into_planes(x.astype(np.float32), planes, wanted.arguments["planes"].shape[1])
    own = {"columns": columns, "values": values.astype(np.float32), "width": problem.size[1]}
    arguments = wanted.arguments | own | {"channels": channels}
    return Case(arguments, {"planes": Expected(split, 0.0)})


def split_into_planes(x: NDArray[np.float32], planes: Planes, size: int) -> NDArray[np.float32]:
    """Take an image apart into planes, phase by phase: what ``split_phases`` means.

        out[b, ((py * stride_x + px) * C + c) * rows * row + y * row + x] = padded[b, y * sy + py, x * sx + px, c]

    x    (B, H, W, C)  float32  without padding
    out  (B, size)     float32  zero where no number of the image goes
    """
    (sy, sx), (py, px) = planes.stride, planes.padding
    padded = np.pad(x, ((0, 0), (py, py), (px, px), (0, 0)))
    apart = np.zeros((len(x), sy, sx, planes.channels, planes.rows, planes.row), np.float32)
    for phase_y, phase_x in np.ndindex(sy, sx):
        phase = np.moveaxis(padded[:, phase_y::sy, phase_x::sx], -1, 1)
        apart[:, phase_y, phase_x, :, : phase.shape[2], : phase.shape[3]] = phase
    out = np.zeros((len(x), size), np.float32)
    used = planes.count * planes.rows * planes.row
    out[:, :used] = apart.reshape(len(x), used)
    return out


def _pairs(low: int, high: int) -> st.SearchStrategy[Pair]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def _draw(problem: LayoutProblem) -> NDArray[np.float32]:
    rng = np.random.default_rng(problem.seed)
    return numbers(rng, (problem.samples, *problem.size, problem.channels), problem.content)
