"""Complementary masks in their own kernels: packed here, for only then is it known how many sets there are."""

from collections.abc import Sequence

from sparsenet.insight.predictions import Forecast, Packs, forecast
from sparsenet.layers import Linear, QuantizedConv2d, QuantizedLinear
from sparsenet.network import Network

__all__ = ["complementary_kernels"]


def complementary_kernels(
    net: Network, layers: Sequence[str], now: Forecast, batch: int, packs: Packs
) -> tuple[dict[str, str], list[str]]:
    """Find the layers whose complementary sets are fastest in their own kernel, and say what that takes in the others.

    Parameters
    ----------
    net : Network
    layers : sequence of str
        With complementary masks.
    now : Forecast
        With the kernels that the planner chooses by itself.
    batch : int
    packs : dict
        Weights that were packed; sets are added.

    Returns
    -------
    dict of str to str
        Kernels by layer.
    list of str
        A note for each of the other layers.
    """
    in_bytes = [name for name in layers if isinstance(net[name], QuantizedConv2d | QuantizedLinear)]
    notes = [
        f"{name}: no kernel overlays sets of bytes, {now.choices[name].kernel} takes any zeros" for name in in_bytes
    ]
    overlaid = [name for name in layers if name not in in_bytes]
    tried = [forecast(net, batch, packs, _kernels(net, overlaid, inputs)) for inputs in ("dense", "active")]
    kernels = {}
    for name in overlaid:
        own, best = now.choices[name], min((one.choices[name] for one in tried), key=lambda choice: choice.cost.us)
        if best.cost.us < own.cost.us:
            kernels[name] = best.kernel
        else:
            times = f"{best.cost.us:,.2f} µs predicted, {own.kernel} {own.cost.us:,.2f}"
            notes.append(f"{name}: in their own kernel, overlaid sets would take {times}")
    return kernels, notes


def _kernels(net: Network, layers: Sequence[str], inputs: str) -> dict[str, str]:
    return {
        name: f"{'linear' if isinstance(net[name], Linear) else 'conv2d'}_f32_complementary_{inputs}" for name in layers
    }
