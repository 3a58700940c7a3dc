"""Say in a sentence what a network gains from its zeros, or why it gains nothing."""

from typing import TYPE_CHECKING

from sparsenet.explain.bottleneck import ADDRESSES, ARITHMETIC, CALLS
from sparsenet.tables import as_share
from sparsenet_kernels.queries import find_kernel

if TYPE_CHECKING:
    from sparsenet.explain.explanation import Explanation, LayerExplanation

__all__ = ["verdict"]

NEARLY_DENSE = 0.9

MEANS = {
    ARITHMETIC: "fewer multiplications would help",
    ADDRESSES: "masks whose neighbouring outputs share inputs, such as blocks or taps, need fewer of them",
    CALLS: "more samples in one call share its cost",
    "bytes": "more samples in one call share the weights",
}
"""What would move a limit."""

CHEAPER = {ARITHMETIC: "int8 makes each cheaper, too", "bytes": "int8 has a quarter of the bytes"}
"""What would move a limit of float32."""


def verdict(found: "Explanation", gains: float) -> str:
    """Say what a network gains here, or that it gains nothing and why.

    Parameters
    ----------
    found : Explanation
    gains : float
        The speed-up over dense kernels from which on it is a gain.
    """
    how = "measured" if found.whole_us is not None else "predicted"
    if found.speedup >= gains:
        most = max(found.layers, key=lambda row: row.saved_us)
        share = f", most of it in {most.layer}" if most.saved_us > 0 else ""
        share += ", where the same kernel runs with less of the caches" if share and most.as_dense else ""
        gained = f"With dense kernels this network would take {found.speedup:.1f} times as long ({how}){share}."
        return " ".join([gained, *(f"{one[:1].upper()}{one[1:]}." for one in _elsewhere(found))])
    return f"This network gains nothing from zeros here ({found.speedup:.2f} times dense, {how}): {_why(found)}."


def _why(found: "Explanation") -> str:
    weighted = [row for row in found.layers if row.density is not None]
    if not weighted:
        return "no layer has weights"
    reasons = _elsewhere(found)
    if all(row.density is not None and row.density > NEARLY_DENSE for row in weighted):
        few = "no" if all(row.density == 1 for row in weighted) else "hardly any"
        reasons.append(f"{few} weight is zero (sn.what_if predicts what masks would gain; they have to be trained in)")
    if all(row.active == 1 for row in weighted):
        reasons.append("no k-winners leave inputs out, and ReLU's zeros are not known before the input comes")
    slowest = max(weighted, key=lambda row: row.time_us)
    if slowest.density != 1:
        reasons.append(f"in {slowest.layer}, the slowest layer with weights, {slowest.zeros}")
    if slowest.limit:
        reasons.append(f"what binds {slowest.layer} is {slowest.limit} ({_moved(slowest)})")
    return "; ".join(reasons)


def _moved(row: "LayerExplanation") -> str:
    limit = row.limit if row.limit in MEANS else "bytes"
    in_floats = find_kernel(row.kernel).dtype == "f32"
    return ", ".join([MEANS[limit], *([CHEAPER[limit]] if limit in CHEAPER and in_floats else [])])


def _elsewhere(found: "Explanation") -> list[str]:
    """Say which layer takes most, if it is one without weights: no mask makes it faster."""
    most, spent = max(found.layers, key=lambda row: row.time_us), sum(row.time_us for row in found.layers)
    if most.density is not None or not most.time_us:
        return []
    return [f"{as_share(most.time_us / spent)} of the layers' time, the largest part, goes into {_named(most)}"]


def _named(row: "LayerExplanation") -> str:
    what = "choosing winners" if row.kind == "KWinners" else f"a {row.kind}"
    return f"{row.layer} ({what}), which has no weights"
