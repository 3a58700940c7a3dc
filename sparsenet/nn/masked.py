"""Linear layers and convolutions that store only the weights inside a mask."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from sparsenet.nn.masked_weight import MaskedWeight
from sparsenet.ops.checks import integer, pair, wrong

__all__ = ["MaskedConv2d", "MaskedLinear", "masked"]


class MaskedLinear(MaskedWeight):
    """Multiply by a matrix that has only the weights inside a mask: ``y = x @ weight.T + bias``.

    Only the kept weights are parameters (``kept_weight``), so that the others stay zero under any optimiser, with
    weight decay and momentum. ``weight`` is the matrix (N, D) with its zeros, ``mask`` a buffer of the same shape.

    Parameters
    ----------
    in_features, out_features : int
    mask : bool array or Tensor (out_features, in_features), or Mask
        True where a weight is kept.
    bias : bool
        Whether to add one.

    Raises
    ------
    GraphError
        When the mask has another shape.
    TypeError
        When it is not of bools.

    Examples
    --------
    >>> layer = MaskedLinear(4, 2, mask=torch.eye(2, 4, dtype=torch.bool))
    >>> layer.kept_weight.shape, int(layer.weight.count_nonzero())
    (torch.Size([2]), 2)
    """

    def __init__(self, in_features: int, out_features: int, mask: Any, bias: bool = True) -> None:
        self.in_features = integer(self, "in_features", in_features, 1)
        self.out_features = integer(self, "out_features", out_features, 1)
        super().__init__((self.out_features, self.in_features), mask, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply x (..., D) to (..., N)."""
        return functional.linear(x, self.weight_in_use(), self.bias)

    def extra_repr(self) -> str:
        """Say the sizes and how dense it is."""
        return f"{self.in_features}, {self.out_features}, density={self.density:.4g}, bias={self.bias is not None}"


class MaskedConv2d(MaskedWeight):
    """Convolve with filters that have only the weights inside a mask.

    As :class:`MaskedLinear`; ``weight`` and ``mask`` are (out_channels, in_channels / groups, kh, kw).

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int)
    mask : bool array or Tensor of the weight's shape, or Mask
        True where a weight is kept.
    stride, padding, dilation : int or (int, int)
        Vertical first. Padding is zeros on both sides.
    groups : int
        Must divide both numbers of channels.
    bias : bool
        Whether to add one.

    Raises
    ------
    GraphError
        When a setting cannot be right, or the mask has another shape.
    TypeError
        When the mask is not of bools.

    Examples
    --------
    >>> layer = MaskedConv2d(1, 2, 3, mask=torch.ones(2, 1, 3, 3, dtype=torch.bool), padding=1)
    >>> layer(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 2, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        mask: Any,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.in_channels = integer(self, "in_channels", in_channels, 1)
        self.out_channels = integer(self, "out_channels", out_channels, 1)
        self.groups = integer(self, "groups", groups, 1)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise wrong(self, "groups that divide the channels", f"{groups} for {in_channels} and {out_channels}")
        self.kernel_size = pair(self, "kernel_size", kernel_size, 1)
        self.stride, self.padding = pair(self, "stride", stride, 1), pair(self, "padding", padding, 0)
        self.dilation = pair(self, "dilation", dilation, 1)
        super().__init__((self.out_channels, self.in_channels // self.groups, *self.kernel_size), mask, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve x (B, C, H, W)."""
        weight = self.weight_in_use()
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        """Say the settings and how dense it is."""
        settings = f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
        more = f"dilation={self.dilation}, groups={self.groups}, density={self.density:.4g}"
        return f"{self.in_channels}, {self.out_channels}, {settings}, {more}, bias={self.bias is not None}"


def masked(module: nn.Module, mask: Any) -> MaskedLinear | MaskedConv2d:
    """Return a masked layer with the weights of a linear layer or a convolution, which stays as it is.

    Parameters
    ----------
    module : nn.Linear or nn.Conv2d, or MaskedLinear or MaskedConv2d
        With zero padding in numbers.
    mask : bool array or Tensor of the weight's shape, or Mask
        True where a weight is kept.

    Returns
    -------
    MaskedLinear or MaskedConv2d
        On the module's device, with its dtype and mode.

    Raises
    ------
    GraphError
        When the mask has another shape, or the convolution another padding.
    TypeError
        When the module is of another type.

    Examples
    --------
    >>> layer = masked(nn.Linear(4, 2), torch.eye(2, 4, dtype=torch.bool))
    >>> int(layer.weight.count_nonzero())
    2
    """
    made = _masked_like(module, mask)
    made.to(module.weight.device, module.weight.dtype).train(module.training)
    made.set_weight(module.weight.detach())
    if made.bias is not None:
        with torch.no_grad():
            made.bias.copy_(module.bias)
    return made


def _masked_like(module: nn.Module, mask: Any) -> MaskedLinear | MaskedConv2d:
    bias = getattr(module, "bias", None) is not None
    if isinstance(module, nn.Linear | MaskedLinear):
        return MaskedLinear(module.in_features, module.out_features, mask, bias)
    if not isinstance(module, nn.Conv2d | MaskedConv2d):
        raise TypeError(f"expected an nn.Linear or nn.Conv2d, got {type(module).__name__}")
    if isinstance(module, nn.Conv2d) and (isinstance(module.padding, str) or module.padding_mode != "zeros"):
        raise wrong(module, "padding with zeros, in numbers", f"{module.padding!r}, {module.padding_mode!r}")
    window = (module.stride, module.padding, module.dilation, module.groups)
    return MaskedConv2d(module.in_channels, module.out_channels, module.kernel_size, mask, *window, bias)
