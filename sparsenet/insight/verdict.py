"""What a network gains from its zeros, in words; and why where that is nothing."""

from typing import TYPE_CHECKING

from sparsenet.tables import as_share

if TYPE_CHECKING:
    from sparsenet.insight.explanation import Explanation, LayerExplanation

__all__ = ["verdict"]


def verdict(found: "Explanation", gains: float) -> str:
    """Say what a network gains here, or that it gains nothing and why.

    Parameters
    ----------
    found : Explanation
    gains : float
        The speed-up over dense kernels from which on it is a gain.
    """
    if found.speedup is None:
        unknown = next(row for row in found.layers if row.density is not None and row.predicted_us is None)
        return f"What zeros gain here is known only by measuring: nothing is predicted for {unknown.kernel}."
    how = "measured" if found.whole_us is not None else "predicted for the layers with weights"
    if found.speedup >= gains:
        most = max(found.layers, key=_saved_us)
        share = f", most of it in {most.layer}" if _saved_us(most) > 0 else ""
        return f"With dense kernels this network would take {found.speedup:.1f} times as long ({how}){share}."
    return f"This network gains nothing from zeros here ({found.speedup:.2f} times dense, {how}): {_why(found)}."


def _why(found: "Explanation") -> str:
    weighted = [row for row in found.layers if row.density is not None]
    if not weighted:
        return "no layer has weights"
    reasons = []
    if all(row.density == 1 for row in weighted):
        reasons.append("no weight is zero")
    if all(row.active == 1 for row in weighted):
        reasons.append("no k-winners leave inputs out, and which zeros ReLU leaves is not known beforehand")
    slowest = max(weighted, key=_taken_us)
    if slowest.density != 1:
        reasons.append(f"in {slowest.layer}, which takes longest, {slowest.zeros}")
    if slowest.limit:
        reasons.append(f"what binds {slowest.layer} is {slowest.limit}")
    return "; ".join([*reasons, *_elsewhere(found)])


def _elsewhere(found: "Explanation") -> list[str]:
    """Say where most of the time goes, if not into layers with weights."""
    if found.whole_us is None:
        return []
    spent = sum(row.measured_us or 0.0 for row in found.layers)
    besides = sum(row.measured_us or 0.0 for row in found.layers if row.density is None)
    if 2 * besides < spent or not spent:
        return []
    return [f"{as_share(besides / spent)} of the layers' time goes into those without weights"]


def _taken_us(row: "LayerExplanation") -> float:
    return row.measured_us if row.measured_us is not None else row.predicted_us or 0.0


def _saved_us(row: "LayerExplanation") -> float:
    if row.measured_us is not None and row.dense_us is not None:
        return row.dense_us - row.measured_us
    return (row.dense_predicted_us or 0.0) - (row.predicted_us or 0.0)
