"""The planner's choice for a layer, with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass

from sparsenet.lowering.predicted import Cost

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """What the planner chose for one layer.

    Attributes
    ----------
    layer : str
        The layer's name.
    kernel : str
        The kernel's name.
    format : str
        How its weights lie in memory: "dense", "csr", "csc", "blocks", "complementary", or "" where it
        has none.
    reason : str
        Why this kernel, in words.
    fill : float or None
        Kept weights over the places that the format stores.
    predicted_us : Mapping of str to float
        Predicted time for one sample, by kernel, of all candidates; of none where the kernel was asked for.
    measured_us : Mapping of str to float
        Measured time for one sample, by kernel, of those that were timed.
    cost : Cost
        What the chosen kernel's predicted time is made of.
    """

    layer: str
    kernel: str
    format: str
    reason: str
    fill: float | None
    predicted_us: Mapping[str, float]
    measured_us: Mapping[str, float]
    cost: Cost

    def __repr__(self) -> str:
        fill = "" if self.fill is None else f" {self.fill:.1%} full"
        return f"<Choice for {self.layer}: {self.kernel}, {self.format or 'no weights'}{fill}; {self.reason}>"
