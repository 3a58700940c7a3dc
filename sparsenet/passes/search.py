"""Choose the scales of a convolution: several are tried on samples, and the least squared error wins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.graph.reference import evaluate_layer
from sparsenet.layers import Conv2d, Layer
from sparsenet.passes.quant_params import ConvSteps, QuantParams, quantized_conv2d, steps_for, weights_lost

__all__ = ["Wanted", "best_conv2d", "conv2d_report", "relative_error"]

Array = npt.NDArray[np.float64]

REACHES = tuple(float(share) for share in np.geomspace(0.3, 1.0, 12))
"""How much of the range the bytes may reach: what lies beyond is clipped, the rest is finer.

Within a factor of two the weight steps go through all their sizes, so a dozen tries both.
"""


@dataclass(frozen=True, eq=False)
class Wanted:
    """The output that a convolution should give.

    Attributes
    ----------
    lowest, highest : float
        The range after its tail; what is below ``lowest`` may be lost.
    tail : tuple of Layer
        The pooling, ReLU and k-winners that follow.
    values : array (samples, *shape), float64
        What comes out of the tail in float32 arithmetic.
    """

    lowest: float
    highest: float
    tail: tuple[Layer, ...]
    values: Array


def best_conv2d(layer: Conv2d, before: QuantParams, wanted: Wanted, x: Array) -> ConvSteps:
    """Round a convolution in several ways and return the one with the least squared error after its tail.

    Parameters
    ----------
    layer : Conv2d
    before : QuantParams
        What the bytes of its input stand for.
    wanted : Wanted
    x : array (samples, C, H, W), float64
        Bytes: what the quantised network gives it.

    Raises
    ------
    GraphError
        When some input could make a sum leave int32.
    """
    tried = [quantized_conv2d(layer, before, steps_for(wanted.lowest, wanted.highest, reach)) for reach in REACHES]
    errors = [float(np.square(_after_tail(one, wanted, x) - wanted.values).sum()) for one in tried]
    return tried[int(np.argmin(errors))]


def conv2d_report(
    layer: Conv2d, chosen: ConvSteps, wanted: Wanted, x: Array, winners: Sequence[Array]
) -> dict[str, Any]:
    """Say in numbers what rounding a convolution did to its samples; ``winners`` are those of its tail, if any."""
    steps = chosen.after
    least, most = (-steps.zero - 0.5) * steps.scale, (255 - steps.zero + 0.5) * steps.scale
    beyond = (wanted.values > most) | ((wanted.values < least) & (wanted.lowest < 0))
    report = {
        "arithmetic": "int8",
        "weight_scale": chosen.weight_scale,
        "shift": chosen.layer.shift,
        "scale": steps.scale,
        "zero": steps.zero,
        "weights_rounded_to_zero": weights_lost(layer, chosen.layer.weight),
        "clipped_share": float(beyond.mean()),
        "relative_error": relative_error(_after_tail(chosen, wanted, x), wanted.values),
    }
    if winners:
        all_winners = max(1, sum(int(np.count_nonzero(one)) for one in winners))
        report["winners_below_zero_share"] = sum(int((one < 0).sum()) for one in winners) / all_winners
    return report


def relative_error(values: Array, wanted: Array) -> float:
    """Return the root of the squared error over the square of what was wanted; 0 where that is all zero."""
    size = float(np.square(wanted).sum())
    return float(np.sqrt(np.square(values - wanted).sum() / size)) if size > 0 else 0.0


def _after_tail(tried: ConvSteps, wanted: Wanted, x: Array) -> Array:
    values = evaluate_layer(tried.layer, x)
    for layer in wanted.tail:
        values = evaluate_layer(layer, values)
    return (values - tried.after.zero) * tried.after.scale
