"""Collect what cannot be imported while the rest is read, and report all of it at once."""

from dataclasses import dataclass

from sparsenet.errors import SparsenetError, UnsupportedLayerError

__all__ = ["ADVICE", "Problem", "refusal", "unsupported"]

ADVICE = (
    "supported are conv2d, linear, batch norm, relu, k-winners, max and average pooling, add, cat, softmax, reshaping, "
    "and constants for each channel; write the layer from these, or import the parts before and after it"
)


@dataclass(frozen=True)
class Problem:
    """One call that cannot be imported.

    Attributes
    ----------
    place : str
        What calls (a module, an operator), and where it has a layer of its kind, the function.
    what : str
        What was expected and what came; the same for calls that have the same problem.
    unknown : str
        The function, if no layer at all is like it.
    kind : type of error
    """

    place: str
    what: str
    unknown: str = ""
    kind: type[SparsenetError] = UnsupportedLayerError


def refusal(problems: list[Problem], functions: str = "functions", calls: str = "calls") -> SparsenetError:
    """Return the error that names every problem once, with the first place where it is met and how often it is.

    Parameters
    ----------
    problems : list of Problem
        At least one.
    functions, calls : str
        What the other framework calls its functions and their uses.

    Examples
    --------
    >>> print(refusal([Problem("layer 'a' (Linear), linear", "expected one axis, got two")] * 2))
    expected functions that are layers here, got 2 calls that are not: layer 'a' (Linear), linear: expected one axis, \
got two (2 times)
    """
    kind = next((one.kind for one in problems if one.kind is UnsupportedLayerError), problems[0].kind)
    advice = f"; {ADVICE}" if any(one.unknown for one in problems) else ""
    if len(problems) == 1:
        return kind(f"{problems[0].place}: {problems[0].what}{advice}")
    groups: dict[tuple[str, str], list[Problem]] = {}
    for one in problems:
        groups.setdefault((one.what, one.unknown), []).append(one)
    told = "; ".join(_told(group) for group in groups.values())
    return kind(f"expected {functions} that are layers here, got {len(problems)} {calls} that are not: {told}{advice}")


def _told(group: list[Problem]) -> str:
    first = group[0]
    times = f" ({len(group)} times)" if len(group) > 1 else ""
    return f"{first.place}: {f'got {first.unknown}' if first.unknown else first.what}{times}"


def unsupported(expected: str, got: object) -> UnsupportedLayerError:
    """Return the error that says what was expected and what came; the caller adds which layer."""
    return UnsupportedLayerError(f"expected {expected}, got {got}")
