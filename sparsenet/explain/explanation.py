"""What is said of a network and of each of its layers: data that print themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparsenet.explain.advice import Advice
from sparsenet.explain.explain_table import explanation_parts
from sparsenet.machine.limits import Limits
from sparsenet.renderer import as_record, printing
from sparsenet_kernels.queries import find_kernel

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
    found_active : float or None
        The share that was, on average over the inputs; None where its kernel reads all of them.
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
        What binds its kernel: "arithmetic", "L1 bytes", "L2 bytes", "L3 bytes", "memory bytes", "scattered addresses"
        or "call overhead"; the same that a profile and a roofline say.
    limits_us : mapping of str to float
        What each of these makes of the kernel's work, counted on live data: see
        :mod:`sparsenet.explain.step_limits`. Reading goes on at the same time as arithmetic and addresses.
    least_us : float
        What this core could not have gone below: the multiplications, or the bytes, whichever takes longer.
    reason : str
        Why the planner chose this kernel.
    zeros : str
        What the format makes of the zero weights.
    fuller : Advice or None
        A mask that fills the format which the layer has; None where its own does, or none would help.
    advice : Advice or None
        The change that would help most; None where none does.
    """

    layer: str
    kind: str
    shape: tuple[int, ...]
    density: float | None
    active: float
    found_active: float | None
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
    least_us: float
    reason: str
    zeros: str
    fuller: Advice | None
    advice: Advice | None

    @property
    def time_us(self) -> float:
        """What it takes: measured, or predicted where nothing was; 0.0 where another layer's kernel computes it."""
        return self.predicted_us or 0.0 if self.measured_us is None else self.measured_us

    @property
    def saved_us(self) -> float:
        """What dense kernels would take more: measured, or predicted where nothing was."""
        if self.measured_us is not None and self.dense_us is not None:
            return self.dense_us - self.measured_us
        return (self.dense_predicted_us or 0.0) - (self.predicted_us or 0.0)

    @property
    def as_dense(self) -> bool:
        """Whether its kernel does the same work among dense ones: those of bytes leave out zeros under one name."""
        return self.kernel == self.dense_kernel and (self.density == 1 or find_kernel(self.kernel).dtype != "i8")

    @property
    def share_of_limit(self) -> float | None:
        """``least_us`` over what was measured; None where nothing was that the clock can tell."""
        told = self.measured_us is not None and self.measured_us > LEAST_TOLD_US
        return self.least_us / self.measured_us if told and self.measured_us else None

    @property
    def speedup(self) -> float | None:
        """How many times as long the dense kernel takes: measured, or as predicted where nothing was."""
        if self.measured_us is not None:
            told = self.dense_us is not None and max(self.measured_us, self.dense_us) > LEAST_TOLD_US
            return self.dense_us / max(self.measured_us, LEAST_TOLD_US) if told and self.dense_us else None
        if self.predicted_us is None or self.dense_predicted_us is None:
            return None
        return self.dense_predicted_us / self.predicted_us

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return as_record(self, "speedup", "share_of_limit")


@dataclass(frozen=True)
class Explanation:
    """Why a network is as fast as it is; times in microseconds for one sample.

    Attributes
    ----------
    layers : tuple of LayerExplanation
        Those that run anything.
    batch : int
        That the engine was planned for.
    samples : int
        That go through the layers together.
    inputs : str
        What it was measured on; "" where nothing was.
    predicted_us, dense_predicted_us : float
        All layers in one native call, as planned and with dense kernels throughout, by the cost model.
    whole_us, dense_whole_us : float or None
        The same, measured.
    rounding : Advice or None
        What rounding the network to 8 bits would do; None where it would not help or cannot be done.
    limits : Limits
        Of this core, that the layers were held against.
    limits_measured : bool
        Whether they were measured on this machine; else they are those of the core that predictions were made on.
    """

    layers: tuple[LayerExplanation, ...]
    batch: int
    samples: int
    inputs: str
    predicted_us: float
    dense_predicted_us: float
    whole_us: float | None
    dense_whole_us: float | None
    rounding: Advice | None
    limits: Limits
    limits_measured: bool

    @property
    def speedup(self) -> float:
        """How many times as long the network takes with dense kernels: measured, or predicted where nothing was."""
        if self.whole_us is not None and self.dense_whole_us is not None:
            return self.dense_whole_us / self.whole_us
        return self.dense_predicted_us / self.predicted_us

    @property
    def copying_us(self) -> float:
        """What is predicted for copying the input and the result, and for turning the input channels last."""
        return max(0.0, self.predicted_us - sum(row.predicted_us or 0.0 for row in self.layers))

    @property
    def best_advice(self) -> tuple[str, Advice] | None:
        """The layer, and the change to it, that would save most time; None where no change would."""
        pairs = [(row.layer, row.advice) for row in self.layers if row.advice is not None]
        return max(pairs, key=lambda pair: pair[1].saved_us, default=None)

    @property
    def verdict(self) -> str:
        """What the network gains from its zeros, and why where that is nothing."""
        from sparsenet.explain.verdict import verdict

        return verdict(self, GAINS)

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        layer, advice = self.best_advice or ("", None)
        best = None if advice is None else {"layer": layer} | advice.to_dict()
        return as_record(self, "speedup", "verdict") | {"best_advice": best}

    def __repr__(self) -> str:
        return f"<Explanation of {len(self.layers)} layers, {self.speedup:,.2f} times as fast as with dense kernels>"

    __rich_console__, _repr_html_ = printing(explanation_parts)
