"""What is said of a network and of each of its layers: data that print themselves."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sparsenet.insight.advice import Advice

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Explanation", "LayerExplanation"]

LEAST_TOLD_US = 0.05
"""The clock cannot tell shorter times of single layers from none."""

GAINS = 1.1
"""A network gains something when dense kernels take this many times as long; less is noise."""


@dataclass(frozen=True)
class LayerExplanation:
    """Why one layer is as fast as it is; times in microseconds for one sample.

    Attributes
    ----------
    layer, kind : str
    shape : tuple of int
        Of its output.
    density : float or None
        The fraction of weights kept; None where there are none, as in all that follows of weights.
    active : float
        The largest share of its inputs that can be non-zero, as far as k-winners tell.
    format : str
        How its weights lie in memory.
    fill : float or None
        Kept weights over the places that the format stores.
    kernel : str
        Those of all its steps, where it has no weights.
    predicted_us, dense_predicted_us : float or None
        By the cost model: with this kernel, with the dense one.
    measured_us, dense_us : float or None
        Measured: all steps of the layer, and of a pooling that one of the two kernels computes along with it.
    dense_kernel : str
        The fastest that skips nothing.
    limit : str
        What binds it: "arithmetic", "L1 bytes", "L2 bytes", "L3 bytes", "memory bytes", "scattered addresses" or "call
        overhead".
    limits_us : mapping of str to float
        The predicted time in these parts; reading goes on at the same time as arithmetic and addresses.
    reason : str
        Why the planner chose this kernel.
    zeros : str
        What the format makes of the zero weights.
    advice : Advice or None
        The change that would help most; None where none does.
    """

    layer: str
    kind: str
    shape: tuple[int, ...]
    density: float | None
    active: float
    format: str
    fill: float | None
    kernel: str
    predicted_us: float | None
    measured_us: float | None
    dense_kernel: str
    dense_predicted_us: float | None
    dense_us: float | None
    limit: str
    limits_us: Mapping[str, float]
    reason: str
    zeros: str
    advice: Advice | None

    @property
    def speedup(self) -> float | None:
        """How many times as long the dense kernel takes: measured, or as predicted where nothing was."""
        if self.measured_us is not None:
            told = self.dense_us is not None and max(self.measured_us, self.dense_us) > LEAST_TOLD_US
            return self.dense_us / max(self.measured_us, LEAST_TOLD_US) if told and self.dense_us else None
        if self.predicted_us is None or self.dense_predicted_us is None:
            return None
        return self.dense_predicted_us / self.predicted_us


@dataclass(frozen=True)
class Explanation:
    """Why a network is as fast as it is; times in microseconds for one sample.

    Attributes
    ----------
    layers : tuple of LayerExplanation
        Those that run anything.
    batch : int
        The largest batch of one call.
    samples : int
        That go through the layers together.
    inputs : str
        What it was measured on; "" where nothing was.
    whole_us, dense_whole_us : float or None
        All layers in one native call, as planned and with dense kernels throughout.
    """

    layers: tuple[LayerExplanation, ...]
    batch: int
    samples: int
    inputs: str
    whole_us: float | None
    dense_whole_us: float | None

    @property
    def speedup(self) -> float | None:
        """How many times as long the network takes with dense kernels: measured, or predicted for layers with weights.

        None where nothing was measured and nothing is predicted for some kernel.
        """
        if self.whole_us is not None and self.dense_whole_us is not None:
            return self.dense_whole_us / self.whole_us
        weighted = [row for row in self.layers if row.density is not None]
        if any(row.predicted_us is None for row in weighted):
            return None
        own_us = sum(row.predicted_us or 0.0 for row in weighted)
        return sum(row.dense_predicted_us or 0.0 for row in weighted) / own_us if own_us else 1.0

    @property
    def best_advice(self) -> tuple[str, Advice] | None:
        """The layer, and the change to it, that would save most time; None where no change would."""
        pairs = [(row.layer, row.advice) for row in self.layers if row.advice is not None]
        return max(pairs, key=lambda pair: pair[1].now_us - pair[1].then_us, default=None)

    @property
    def verdict(self) -> str:
        """What the network gains from its zeros, and why where that is nothing."""
        from sparsenet.insight.verdict import verdict

        return verdict(self, GAINS)

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        layers = [
            asdict(row)
            | {"shape": list(row.shape), "limits_us": dict(row.limits_us), "speedup": row.speedup}
            | {"advice": None if row.advice is None else asdict(row.advice) | {"text": row.advice.text}}
            for row in self.layers
        ]
        return asdict(self) | {"layers": layers, "speedup": self.speedup, "verdict": self.verdict}

    def __repr__(self) -> str:
        times = "" if self.speedup is None else f", {self.speedup:,.2f} times as fast as with dense kernels"
        return f"<Explanation of {len(self.layers)} layers{times}>"

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from sparsenet.insight.explain_table import explanation_parts

        yield from explanation_parts(self, options.max_width)

    def _repr_html_(self) -> str:
        from sparsenet.tables import as_html

        return as_html(self)
