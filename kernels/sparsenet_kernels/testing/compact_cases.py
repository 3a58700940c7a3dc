"""Cases of the ways between dense activations and active lists: what is listed must agree bit by bit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from sparsenet_kernels import reference
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.activity import Activity, active_rows
from sparsenet_kernels.testing.case import Case, Expected, leftovers, listed
from sparsenet_kernels.testing.contents import ALL, SPOILED


@dataclass(frozen=True)
class ListsProblem:
    """Activations of shape (samples, positions, channels) of which some are active, and lists of them.

    ``short`` lists have room for half of what may be active.
    """

    samples: int
    positions: int
    channels: int
    activity: Activity
    content: str = "normal"
    short: bool = False
    seed: int = 0


BASE = ListsProblem(samples=2, positions=3, channels=20, activity=Activity(6))


def lists_edges(kernel: Kernel) -> Mapping[str, ListsProblem]:
    """Return the problems that every such kernel must solve, by what is special about them."""
    sizes = {f"{n} channels": replace(BASE, channels=n, activity=Activity(n)) for n in (1, 15, 16, 17, 31, 32, 33, 70)}
    many = replace(BASE, channels=40, activity=Activity(30))
    held = {f"{content} numbers": replace(many, content=content) for content in (*ALL, *SPOILED)}
    return (
        sizes
        | held
        | {
            "no samples": replace(BASE, samples=0),
            "one of everything": ListsProblem(1, 1, 1, Activity(1)),
            "nothing active": replace(BASE, activity=Activity(0)),
            "nothing active, room for some": replace(BASE, activity=Activity(0, spare=3)),
            "all active": replace(BASE, activity=Activity(20)),
            "rows of different length": replace(BASE, activity=Activity(20, ragged=True)),
            "room to spare": replace(BASE, activity=Activity(5, spare=3)),
            "too little room": replace(BASE, channels=40, activity=Activity(40, ragged=True), short=True),
            "room for one more": replace(BASE, activity=Activity(19, spare=1)),
        }
    )


def lists_sized(kernel: Kernel, sizes: Mapping[str, int]) -> ListsProblem:
    """Return B samples of R positions with C channels, of which any number is active."""
    return ListsProblem(sizes["B"], sizes["R"], sizes["C"], Activity(sizes["C"], ragged=True))


def lists_problems(kernel: Kernel) -> st.SearchStrategy[ListsProblem]:
    """Draw activations."""
    return st.builds(
        ListsProblem,
        samples=st.integers(0, 3),
        positions=st.integers(1, 5),
        channels=st.integers(1, 70),
        activity=st.builds(Activity, st.integers(0, 70), st.booleans(), st.integers(0, 2)),
        content=st.sampled_from([*ALL, *SPOILED]),
        short=st.booleans(),
        seed=st.integers(0, 2**16),
    )


def compact_case(kernel: Kernel, problem: ListsProblem) -> Case:
    """Build the arguments of a listing of non-zeros; where the room is short, the first ones are listed."""
    x, columns, _ = _draw(problem)
    room = columns.shape[-1] // 2 if problem.short else columns.shape[-1]
    fitting = np.where(np.cumsum(x != 0, axis=-1) <= room, x, np.float32(0.0))
    wanted = reference.compact(fitting, room)
    expected = dict(zip(("columns", "values"), listed(*wanted), strict=True))
    outputs = {"columns": leftovers(wanted[0].shape, np.int32), "values": leftovers(wanted[0].shape)}
    return Case({"x": x, **outputs}, expected)


def expand_case(kernel: Kernel, problem: ListsProblem) -> Case:
    """Build the arguments of the way back to dense activations."""
    x, columns, values = _draw(problem)
    return Case({"columns": columns, "values": values, "out": leftovers(x.shape)}, {"out": Expected(x)})


def flatten_active_case(kernel: Kernel, problem: ListsProblem) -> Case:
    """Build the arguments of a joining of the lists of all positions."""
    _, columns, values = _draw(problem)
    wanted = reference.flatten_active(columns, values, problem.channels)
    names = ("columns_out", "values_out")
    outputs = {name: leftovers(wanted[0].shape, kind) for name, kind in zip(names, (np.int32, np.float32), strict=True)}
    expected = dict(zip(names, listed(*wanted), strict=True))
    return Case({"columns": columns, "values": values, "channels": problem.channels, **outputs}, expected)


def _draw(problem: ListsProblem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(problem.seed)
    shape = (problem.samples, problem.positions, problem.channels)
    return active_rows(rng, shape, problem.activity, problem.content)
