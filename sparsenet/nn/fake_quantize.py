"""Layers that compute in float32 what the quantised network will compute: weights and activations are rounded.

Rounding passes the gradient on unchanged; clipping stops it. Source: Bengio et al., "Estimating or
Propagating Gradients Through Stochastic Neurons", arXiv 1308.3432 (straight through); Jacob et al., arXiv 1712.05877
(training with rounded weights and activations).
"""

from math import floor, log2

import torch
from torch import nn
from torch.nn import functional

from sparsenet.nn.masked import MaskedConv2d, MaskedLinear
from sparsenet.passes.quant_params import LARGEST_SHIFT, LARGEST_WEIGHT, QuantParams

__all__ = ["ByteSteps", "FakeQuantizedConv2d", "FakeQuantizedLinear", "rounded"]


def rounded(values: torch.Tensor) -> torch.Tensor:
    """Round to whole numbers, halves to the even one; the gradient passes straight through."""
    return values + (values.round() - values).detach()


def _exact(values: torch.Tensor) -> torch.Tensor:
    """Return numbers in float32 at least: under autocast they have too few bits for the steps that are imitated."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def _on_bytes(values: torch.Tensor, scale: float | torch.Tensor, zero: int) -> torch.Tensor:
    return (rounded((values / scale + zero).clamp(0, 255)) - zero) * scale


class ByteSteps(nn.Module):
    """Round activations to bytes: ``(clip(round(x / scale) + zero, 0, 255) - zero) * scale``."""

    def __init__(self, steps: QuantParams) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(steps.scale, dtype=torch.float32, device="cpu"))
        self.zero = steps.zero

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Round x."""
        return _on_bytes(_exact(x), self.scale, self.zero)

    def extra_repr(self) -> str:
        """Say the steps."""
        return f"scale={float(self.scale):.4g}, zero={self.zero}"


class FakeQuantizedConv2d(nn.Module):
    """A convolution of bytes to bytes whose weights share one scale, chosen so that requantising is a shift.

        output step = input step * weight step * 2**shift

    Parameters
    ----------
    layer : nn.Conv2d or MaskedConv2d
        Its parameters are trained.
    before, after : QuantParams
        Of the input, and those wanted of the output.
    """

    def __init__(self, layer: nn.Conv2d | MaskedConv2d, before: QuantParams, after: QuantParams) -> None:
        super().__init__()
        self.layer, self.before, self.after = layer, before, after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve x (B, C, H, W), whose values lie on the steps of the input."""
        layer, weight = self.layer, self.layer.weight
        shift, scale = self._shift_and_scale(weight)
        weight = rounded((weight / scale).clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT)) * scale
        bias = None if layer.bias is None else rounded(layer.bias / (self.before.scale * scale))
        bias = None if bias is None else bias * (self.before.scale * scale)
        y = functional.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        return _on_bytes(_exact(y), self.before.scale * scale * 2.0**shift, self.after.zero)

    def steps_after(self) -> QuantParams:
        """Return the steps that its outputs lie on: those wanted, but for what a shift cannot do."""
        shift, scale = self._shift_and_scale(self.layer.weight)
        return QuantParams(self.before.scale * scale * 2.0**shift, self.after.zero)

    def _shift_and_scale(self, weight: torch.Tensor) -> tuple[int, float]:
        """Choose as :func:`sparsenet.quantize` does: the largest shift that leaves no weight above 127."""
        step = self.after.scale / self.before.scale
        finest = float(weight.detach().abs().max()) / LARGEST_WEIGHT
        shift = LARGEST_SHIFT if finest * 2.0**LARGEST_SHIFT <= step else max(0, floor(log2(step / finest)))
        return shift, max(step / 2.0**shift, finest)

    def extra_repr(self) -> str:
        """Say the steps."""
        return f"before={self.before}, after={self.after}"


class FakeQuantizedLinear(nn.Module):
    """A matrix of which each output's weights have a scale of their own, on bytes; its outputs are float32.

    Parameters
    ----------
    layer : nn.Linear or MaskedLinear
        Its parameters are trained.
    """

    def __init__(self, layer: nn.Linear | MaskedLinear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply x (B, D) to (B, N)."""
        weight = self.layer.weight
        largest = weight.detach().abs().amax(1, keepdim=True)
        scale = torch.where(largest > 0, largest, 1.0) / LARGEST_WEIGHT
        return functional.linear(x, rounded(weight / scale) * scale, self.layer.bias)
