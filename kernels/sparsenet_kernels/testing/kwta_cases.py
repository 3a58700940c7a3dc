"""Cases of k-winners-take-all: the winners must be exact, ties included.

Winners are those of the largest exact products of value and factor, which float64 holds; a kernel that ranks by float32
products must look again where these tie. The reference is asked with the products' places among each other, too: 1 for
the smallest, equal for equal ones, so that winners whose value is zero are seen.
Where a product is NaN, any of its row may win; but as many as shall win, and in order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels import reference
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.case import Case, Expected, leftovers, listed
from sparsenet_kernels.testing.contents import FINITE, SPOILED, numbers

Floats = NDArray[np.float32]
FACTORS = ("ones", "powers of two", "near one", "extreme")
CONTENTS = (*FINITE, "infinite", *SPOILED)


@dataclass(frozen=True)
class KWinnersProblem:
    """Activations of shape (samples, positions, channels), and how many win: ``k`` of those that compete."""

    samples: int
    positions: int
    channels: int
    k: int
    content: str = "normal"
    factor: str = "ones"
    seed: int = 0


LANES = (
    *((16, 8, 1), (17, 8, 8), (16, 16, 2), (33, 24, 5), (40, 64, 6), (16, 72, 7), (20, 136, 8), (5, 9, 9), (16, 15, 3)),
    *((16, 16, 16), (15, 17, 9), (70, 64, 12), (64, 40, 16), (65, 48, 17), (16, 64, 32), (18, 72, 33), (21, 130, 64)),
)
"""Positions, channels and winners that sorting networks tell apart."""
LIMITS = (8, 64)
"""The fewest channels, and the most winners, that sorting networks take."""
BASE = KWinnersProblem(samples=2, positions=5, channels=20, k=4)
SINGLE_EDGES = {
    "many samples of few positions": KWinnersProblem(7, 3, 16, 3, "integers"),
    "factors near one, many numbers": KWinnersProblem(2, 1, 600, 60, "normal", "near one"),
    "extreme factors, many numbers": KWinnersProblem(1, 2, 600, 60, "wide", "extreme"),
    "factors near one, one position in each lane": KWinnersProblem(2, 9, 40, 4, "integers", "near one"),
    "extreme factors, one position in each lane": KWinnersProblem(2, 9, 40, 4, "wide", "extreme"),
    "no samples": replace(BASE, samples=0),
    "one of everything": KWinnersProblem(1, 1, 1, 1),
    "nobody wins": replace(BASE, k=0),
    "one wins": replace(BASE, k=1),
    "all but one win": replace(BASE, k=19),
    "all win": replace(BASE, k=20),
    "all win, ties": replace(BASE, k=20, content="integers"),
    "many win, more ties": replace(BASE, channels=100, k=77, content="integers"),
}
"""Problems that are special in one way each; the others come in families."""


def k_winners_edges(kernel: Kernel) -> Mapping[str, KWinnersProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    sizes = {f"{n} channels": replace(BASE, channels=n, k=-(-n // 3)) for n in (1, 2, 15, 16, 17, 31, 32, 33, 64, 200)}
    positions = {f"{n} positions": replace(BASE, positions=n, samples=1) for n in (1, 2, 3, 4, 6, 7, 8, 9)}
    lanes = {
        f"{k} of {channels} channels win at {n} positions, {content} numbers": KWinnersProblem(
            1, n, channels, k, content
        )
        for n, channels, k in LANES
        for content in CONTENTS
    }
    ranked = {
        f"factors {factor}, {content} numbers": replace(BASE, channels=40, k=17, factor=factor, content=content)
        for factor in (*FACTORS, *SPOILED)
        for content in CONTENTS
    }
    many = {
        f"{k} of {n} win, {content} numbers": KWinnersProblem(2, 1, n, k, content)
        for n, k in ((512, 1), (527, 200), (1500, 150), (1503, 1502), (545, 545))
        for content in CONTENTS
    }
    edges = sizes | positions | lanes | many | ranked | SINGLE_EDGES
    return {what: edge for what, edge in edges.items() if _takes(kernel, edge.channels, edge.k)}


def k_winners_sized(kernel: Kernel, sizes: Mapping[str, int]) -> KWinnersProblem:
    """Return B samples of R positions with C channels, of which K win, as far as there are so many."""
    fewest, most = LIMITS if kernel.variant == "lanes" else (1, sizes["K"])
    channels = sizes["C"] + fewest - 1
    return KWinnersProblem(sizes["B"], sizes["R"], channels, min(sizes["K"], channels, most))


def k_winners_problems(kernel: Kernel) -> st.SearchStrategy[KWinnersProblem]:
    """Draw activations and numbers of winners."""
    eights = st.integers(1, 10).map(lambda eight: 8 * eight)
    fewest, most = LIMITS if kernel.variant == "lanes" else (1, 600)
    return (st.integers(fewest, 80) | eights | st.integers(120, 140) | st.integers(500, 600)).flatmap(
        lambda channels: st.builds(
            KWinnersProblem,
            samples=st.integers(0, 3),
            positions=st.integers(1, 9) | st.integers(16, 70),
            channels=st.just(channels),
            k=st.integers(0, min(channels, most)) | st.integers(0, min(channels, 8)),
            content=st.sampled_from(CONTENTS),
            factor=st.sampled_from([*FACTORS, *SPOILED]),
            seed=st.integers(0, 2**16),
        )
    )


def kwta_case(kernel: Kernel, problem: KWinnersProblem) -> Case:
    """Build the arguments of a choice among the channels of each position."""
    rng, shape = np.random.default_rng(problem.seed), (problem.samples, problem.positions, problem.channels)
    x, factor = numbers(rng, shape, problem.content), _factor(rng, problem.channels, problem.factor)
    columns, values = _lists(x, k_winning(x, factor, problem.k))
    outputs = {"columns": leftovers(columns.shape, np.int32), "values": leftovers(values.shape)}
    if kernel.variant == "lanes":
        scratch = {"ranks": leftovers((80, 16)), "limits": leftovers((64,))}
    else:
        scratch = {"keys": leftovers((_whole_vectors(problem.channels),), np.int32)}
    unknown = np.broadcast_to(np.isnan(x * factor).any(axis=-1, keepdims=True), columns.shape)
    wanted = (replace(each, unknown=unknown) for each in listed(columns, values))
    expected = dict(zip(("columns", "values"), wanted, strict=True))
    arguments = {"x": x, "factor": factor, **scratch, **outputs}
    return Case(arguments, expected, frozenset(scratch), holds=lambda arrays: _invalid_lists(x, arrays))


def _invalid_lists(x: Floats, arrays: Mapping[str, NDArray]) -> list[str]:
    """Say where lists of winners are not lists of x's channels, each with its value, in rising order."""
    columns, values = arrays["columns"], arrays["values"]
    inside = (columns >= 0) & (columns < x.shape[-1])
    rising = np.diff(columns, axis=-1, prepend=-1) > 0
    there = np.take_along_axis(x, np.where(inside, columns, 0), axis=-1)
    wrong = np.argwhere(~(inside & rising & (there.view(np.int32) == values.view(np.int32))))
    if not len(wrong):
        return []
    b, r, j = map(int, wrong[0])
    return [
        f"columns[{b}, {r}] = {columns[b, r].tolist()}, values[{b}, {r}, {j}] = {values[b, r, j]}: expected "
        f"{columns.shape[-1]} winners, whatever the values are, rising and below {x.shape[-1]}, each with its value"
    ]


def kwta_map_case(kernel: Kernel, problem: KWinnersProblem) -> Case:
    """Build the arguments of a choice among all elements of a sample, whose ties go by (channel, position)."""
    B, R, C = problem.samples, problem.positions, problem.channels
    rng = np.random.default_rng(problem.seed)
    x, factor = numbers(rng, (B, R, C), problem.content), _factor(rng, R * C, problem.factor)
    k = problem.k * R  # of R * C elements, as many as k of each position's C
    meant = x.swapaxes(1, 2).reshape(B, R * C), factor.reshape(R, C).T.ravel()
    wins = k_winning(*meant, k).reshape(B, C, R).swapaxes(1, 2)
    out = np.where(wins, x, np.float32(0.0))
    keys = leftovers((_whole_vectors(R * C),), np.int32)
    arguments = {"x": x, "factor": factor, "keys": keys, "k": k, "out": leftovers(out.shape)}
    unknown = np.broadcast_to(np.isnan(x * factor.reshape(R, C)).any(axis=(1, 2), keepdims=True), out.shape)
    expected = {"out": Expected(out, 0.0, unknown=unknown)}
    return Case(arguments, expected, frozenset(["keys"]), holds=lambda arrays: _invalid_map(x, k, arrays["out"]))


def _invalid_map(x: Floats, k: int, out: Floats) -> list[str]:
    """Say where a map holds anything but x and zeros, or more winners than k."""
    strange = np.argwhere((out != 0) & (out.view(np.int32) != x.view(np.int32)))
    if len(strange):
        b, r, c = map(int, strange[0])
        return [f"out[{b}, {r}, {c}]: expected {x[b, r, c]} or 0, got {out[b, r, c]}"]
    counts = (out != 0).sum(axis=(1, 2))
    fewest = k - (x == 0).sum(axis=(1, 2))  # winners may be zero
    wrong = np.flatnonzero((counts > k) | (counts < fewest))
    return [f"out[{b}]: expected {k} winners, whatever the values are, got {counts[b]}" for b in map(int, wrong[:1])]


def k_winning(x: Floats, factor: Floats, k: int) -> NDArray[np.bool_]:
    """Mark the winners along the last axis, ranked by exact products; see the text of this module.

    Examples
    --------
    >>> k_winning(np.float32([[2.0, 3.0, 3.0]]), np.float32([1.0, 0.5, 1.0]), 1)
    array([[False, False,  True]])
    """
    with np.errstate(invalid="ignore"):
        ranks = x.astype(np.float64) * factor
    _, places = np.unique(ranks, return_inverse=True)
    places = places.reshape(x.shape) + 1
    wins: NDArray[np.bool_] = reference.k_winners(places, k) != 0
    if not np.isnan(ranks).any():
        meant = reference.k_winners(x, k, factor)
        assert np.array_equal(np.where(wins, x, 0.0), meant), "the reference contradicts itself"
    return wins


def _lists(x: Floats, wins: NDArray[np.bool_]) -> tuple[NDArray[np.int32], Floats]:
    """List the winners of each row; every row has as many."""
    k = int(wins.sum(axis=-1).max(initial=0))
    columns = np.argsort(~wins, axis=-1, kind="stable")[..., :k].astype(np.int32)
    return columns, np.take_along_axis(x, columns, axis=-1)


def _factor(rng: np.random.Generator, size: int, kind: str) -> Floats:
    """Draw factors for the ranking; they are positive."""
    drawn = {
        "ones": np.ones(size),
        "powers of two": np.ldexp(1.0, rng.integers(-3, 4, size)),
        "near one": rng.uniform(0.5, 2.0, size),
        "extreme": np.ldexp(1.0, rng.integers(-100, 100, size)),
        **{content: np.abs(numbers(rng, (size,), content)) for content in SPOILED},
    }
    return drawn[kind].astype(np.float32)


def _takes(kernel: Kernel, channels: int, k: int) -> bool:
    return kernel.variant != "lanes" or (channels >= LIMITS[0] and k <= LIMITS[1])


def _whole_vectors(count: int) -> int:
    return -(-count // 16) * 16
