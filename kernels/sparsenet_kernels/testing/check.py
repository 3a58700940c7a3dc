"""The differential test: a kernel against what its operation means."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from sparsenet_kernels.registry import Kernel, kernels, note_finding
from sparsenet_kernels.testing.call import complaints
from sparsenet_kernels.testing.case import Case
from sparsenet_kernels.testing.report import CheckReport, Tried
from sparsenet_kernels.testing.suites import Suite, suite_of

MOST_SHOWN, MOST_OF_ONE = 200, 12
"""Numbers that a report writes out: of larger problems none, of larger arguments the shape."""
MOST_SIZES = 5
"""Sizes that a report names."""


def check_kernel(
    kernel: Kernel | str,
    *,
    case: st.SearchStrategy[Case] | None = None,
    sizes: bool = True,
    max_examples: int | None = None,
    seed: int | None = None,
) -> CheckReport:
    """Test a registered kernel against the meaning of its operation; works for your own kernels, too.

    What an operation means, :mod:`sparsenet_kernels.reference` says, or the ``reference`` that a kernel for an
    operation of your own was registered with.

    The kernel is called as the engine calls it: first on the edges (an empty batch, one element, nothing active,
    everything active, ties, NaN, sums that overflow, ...), then on ordinary problems of many sizes (see
    :mod:`sparsenet_kernels.testing.sizes`), then on problems that hypothesis draws. Its outputs must agree with
    :mod:`sparsenet_kernels.reference`: sums within the error that float32 sums of so many products may have, everything
    else exactly; where NaN, infinities or overflow reach them, they must be written (see
    :mod:`sparsenet_kernels.testing.comparable`). Its inputs must stay as they were, and so must the memory around all
    arrays. A kernel of your own is first called with checked bounds, because one that reaches far outside of its arrays
    could end the process; functions that it calls are checked with ``NUMBA_BOUNDSCHECK=1`` in the environment only. The
    planner leaves out what was found wrong, until it is registered anew or found right.

    Parameters
    ----------
    kernel : Kernel or str
        A registered kernel, or its name.
    case : strategy of Case, optional
        Cases of your own, for an operation, a format or arguments that this package does not know.
    sizes : bool
        Whether the many sizes are tried; without them it takes a third of the time.
    max_examples : int, optional
        How many problems are drawn; hypothesis's profile decides when left out. The edges are always tried.
    seed : int, optional
        Draw the same problems each time.

    Returns
    -------
    CheckReport
        What was tried, with the sizes of every dimension, and what was not; it prints itself.

    Raises
    ------
    AssertionError
        When the kernel is wrong: with the smallest problem found, its arguments where they are few numbers, what is
        wrong there, and the edges that break.
    KernelCompileError
        When Numba cannot compile the kernel.
    ValueError
        When no kernel of that name is registered, or no cases for its operation are known.

    Examples
    --------
    A dense layer that forgets its bias:

    >>> from sparsenet_kernels.registry import kernel, registered_temporarily
    >>> with registered_temporarily():
    ...     @kernel("linear", weights="dense", inputs="dense", variant="mine",
    ...             arguments="in x f32[B, D]; weight weights f32[P, D, L]; constant bias f32[PL]; out out f32[B, N]")
    ...     def forgetful(x, weights, bias, out):
    ...         for b in range(out.shape[0]):
    ...             for n in range(out.shape[1]):
    ...                 out[b, n] = 0.0
    ...                 for d in range(x.shape[1]):
    ...                     out[b, n] += x[b, d] * weights[n // weights.shape[2], d, n % weights.shape[2]]
    ...     check_kernel("linear_f32_dense_dense__mine")  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
        ...
    AssertionError: linear_f32_dense_dense__mine is wrong:
        out[0, 0]: expected ..., got ..., allowed error ...; 1 of 1 elements are wrong
      for LinearProblem(samples=1, inputs=1, outputs=1, density=1.0, activity=Activity(most=0, ...
      ...
    """
    found = kernel if isinstance(kernel, Kernel) else _find(kernel)
    tried = Tried(found)
    complaint = _complaint(tried, case, sizes, max_examples, seed)
    note_finding(found, wrong=bool(complaint))
    if complaint:
        raise AssertionError(complaint)
    return tried.report(swept=case is None and sizes)


def _complaint(
    tried: Tried, case: st.SearchStrategy[Case] | None, sizes: bool, max_examples: int | None, seed: int | None
) -> str:
    """Say what is wrong with a kernel; nothing where it is right."""
    if case is not None:
        return _searched(tried, case, lambda drawn: drawn, max_examples, seed)
    kernel, suite = tried.kernel, suite_of(tried.kernel)
    edges = suite.edges(kernel)
    swept = suite.sizes(kernel) if sizes else {}
    broken = _all_wrong(tried, suite, "edges", edges)
    of_sizes = _all_wrong(tried, suite, "sizes", swept)
    found = _searched(tried, suite.problems(kernel), lambda problem: suite.case(kernel, problem), max_examples, seed)
    first = found or next(iter((broken | of_sizes).values()), "")
    return f"{first}\n{_edges(edges, broken)}{_sizes(swept, of_sizes)}" if first else ""


def _searched(tried: Tried, *search: Any) -> str:
    """Return the report of the smallest problem that hypothesis finds, or nothing."""
    try:
        _search(tried, *search)
    except AssertionError as error:
        return str(error)
    return ""


def cases(kernel: Kernel) -> st.SearchStrategy[Case]:
    """Return a strategy for the cases that a kernel must pass, to build other tests from.

    Raises
    ------
    ValueError
        When no cases for its operation are known.
    """
    suite = suite_of(kernel)
    return suite.problems(kernel).map(lambda problem: suite.case(kernel, problem))


def _find(name: str) -> Kernel:
    if not isinstance(name, str):
        raise TypeError(
            f"expected a kernel, or the name of one, got {type(name).__name__}; after the decorator, use the name"
        )
    if name not in kernels():
        close = ", ".join(get_close_matches(name, kernels(), 3, 0))
        raise ValueError(f"expected the name of a registered kernel, got {name!r}; close to it are {close}")
    return kernels()[name]


def _search(
    tried: Tried,
    problems: st.SearchStrategy[Any],
    case: Callable[[Any], Case],
    max_examples: int | None,
    seed: int | None,
) -> None:
    """Let hypothesis look for a problem that the kernel gets wrong, and shrink it."""
    settings = {} if max_examples is None else {"max_examples": max_examples}
    quiet = hypothesis.settings(deadline=None, database=None, report_multiple_bugs=False, **settings)

    @quiet
    @hypothesis.given(problems)
    def agrees(problem: Any) -> None:
        wrong = _wrong(tried, "drawn", case(problem), problem)
        assert not wrong, wrong

    (agrees if seed is None else hypothesis.seed(seed)(agrees))()


def _all_wrong(tried: Tried, suite: Suite, origin: str, problems: Mapping[str, Any]) -> dict[str, str]:
    """Try problems; return the reports of those that the kernel gets wrong, by their names."""
    reports = {
        name: _wrong(tried, origin, suite.case(tried.kernel, problem), problem) for name, problem in problems.items()
    }
    return {name: report for name, report in reports.items() if report}


def _wrong(tried: Tried, origin: str, case: Case, problem: Any) -> str:
    """Try a problem; report what is wrong, or nothing."""
    tried.note(origin, case)
    wrong = complaints(tried.kernel, case)
    return _report(tried.kernel, wrong, problem, case) if wrong else ""


def _report(kernel: Kernel, wrong: list[str], problem: Any, case: Case) -> str:
    said = "" if problem is case else f"\n  for {problem}"
    return f"{kernel.name} is wrong:\n    " + "\n    ".join(wrong) + said + _inputs(case)


def _inputs(case: Case) -> str:
    """Write out what went in: its numbers where they are few, its shape elsewhere."""
    skipped = case.expected.keys() | case.scratch
    given = {name: np.asarray(value) for name, value in case.arguments.items() if name not in skipped}
    if sum(array.size for array in given.values()) > MOST_SHOWN:
        return ""
    return "\n  where " + ", ".join(
        f"{name} = {array.tolist()}" if array.size <= MOST_OF_ONE else f"{name} has shape {array.shape}"
        for name, array in given.items()
    )


def _sizes(swept: Mapping[str, Any], broken: Mapping[str, str]) -> str:
    """Name some of the ordinary problems that break, which differ in their sizes only."""
    if not broken:
        return ""
    some = [*broken] if len(broken) <= MOST_SIZES else [*islice(broken, MOST_SIZES - 1), "...", [*broken][-1]]
    return f"\n  sizes that break, {len(broken)} of {len(swept)}: {'; '.join(some)}"


def _edges(edges: Iterable[str], broken: Mapping[str, str]) -> str:
    """Name the edges that break, or, where those are most of them, the ones that hold."""
    holding = [edge for edge in edges if edge not in broken]
    if not broken:
        return "  none of the edges breaks"
    if len(broken) > len(holding):
        return f"  edges that break: all but {'; '.join(holding)}" if holding else "  all edges break"
    return f"  edges that break: {'; '.join(broken)}"
