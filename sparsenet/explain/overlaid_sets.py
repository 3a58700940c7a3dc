"""Predict what complementary masks would take in their own kernel, and say why another kernel runs them."""

from collections.abc import Iterator, Sequence

from sparsenet.explain.predictions import Forecast, Packs, forecast
from sparsenet.graph.network import Network
from sparsenet.layers import QuantizedConv2d, QuantizedLinear
from sparsenet_kernels.queries import find_kernel
from sparsenet_kernels.record import base_name

__all__ = ["overlaid_sets_notes"]


def overlaid_sets_notes(net: Network, layers: Sequence[str], now: Forecast, batch: int, packs: Packs) -> Iterator[str]:
    """Say of each layer what its complementary sets would take in their own kernel, packed to count them.

    The planner never chooses that kernel by itself: csc keeps the same weights without empty places.
    The layers have complementary masks; the forecast is that with the kernels that the planner chooses.
    """
    in_bytes = [name for name in layers if isinstance(net[name], QuantizedConv2d | QuantizedLinear)]
    for name in in_bytes:
        yield f"{name}: no kernel overlays sets of bytes; {now.choices[name].kernel} takes zeros anywhere"
    overlaid = [name for name in layers if name not in in_bytes]
    tried = [forecast(net, batch, packs, _kernels(now, overlaid, inputs)) for inputs in ("dense", "active") if overlaid]
    for name in overlaid:
        least_us = min(found.layers_us[name] for found in tried)
        times = f"{least_us:,.2f} µs predicted, {now.choices[name].kernel} {now.layers_us[name]:,.2f}"
        yield f"{name}: sets overlaid in their own kernel would take {times}, without the places that sets leave empty"


def _kernels(now: Forecast, layers: Sequence[str], inputs: str) -> dict[str, str]:
    """Name the kernels of complementary sets for the operations that the layers are."""
    operations = {name: find_kernel(now.choices[name].kernel).operation for name in layers}
    return {
        name: base_name(operation, weights="complementary", inputs=inputs) for name, operation in operations.items()
    }
