"""Find the winners: the k largest values along one axis; the lowest index wins a tie."""

import numpy as np
import torch

from sparsenet.nn.marking import mark_winners

__all__ = ["winners"]


def winners(values: torch.Tensor, k: int, dim: int = 1) -> torch.Tensor:
    """Mark the k largest values along an axis; of equal values the lowest index wins.

    Exactly ``min(k, n)`` of n are marked, as the engine does it. NaN always wins, so that it stays seen.

    Parameters
    ----------
    values : Tensor
        Of any floating-point or integer dtype.
    k : int
        Not negative.
    dim : int
        The axis along which they compete.

    Returns
    -------
    Tensor of bool
        Like ``values``.

    Examples
    --------
    >>> winners(torch.tensor([[1.0, 2.0, 2.0, 2.0]]), 2).tolist()
    [[False, True, True, False]]
    """
    if k >= values.shape[dim] or values.numel() == 0:
        return torch.ones_like(values, dtype=torch.bool)
    if k == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    values = values.detach()
    if _fits_compiled(values):
        return _marked_compiled(values, k, dim)
    return _marked(values, k, dim)


def _fits_compiled(values: torch.Tensor) -> bool:
    """Tell whether a tensor lies in this process's memory, is not being traced, and is exact in float32."""
    if torch.compiler.is_compiling() or type(values) is not torch.Tensor or values.device.type != "cpu":
        return False
    return values.dtype in (torch.float32, torch.bfloat16, torch.float16)


def _marked_compiled(values: torch.Tensor, k: int, dim: int) -> torch.Tensor:
    rows = values.movedim(dim, -1).float().contiguous()
    marks = torch.empty(rows.shape, dtype=torch.bool, device="cpu")
    n = rows.shape[-1]
    bits = rows.view(torch.int32).view(-1, n).numpy()
    mark_winners(bits, k, np.empty(n, np.int32), marks.view(-1, n).numpy())
    return marks.movedim(-1, dim)


def _marked(values: torch.Tensor, k: int, dim: int) -> torch.Tensor:
    """Mark winners by torch's own operations, which any device has and any tracer understands.

    All above the k-th largest win, and of those equal to it as many as are still wanted, the lowest index first. NaN
    is above all numbers, as ``topk`` has it, and equal to NaN.
    """
    last = values.topk(k, dim=dim).values.narrow(dim, k - 1, 1)
    nan, last_is_nan = values.isnan(), last.isnan()
    above = (values > last).logical_or_(nan.logical_and(last_is_nan.logical_not()))
    equal = (values == last).logical_or_(nan.logical_and(last_is_nan))
    wanted = k - above.sum(dim, keepdim=True, dtype=torch.int32)
    return above.logical_or_(equal.logical_and_(equal.cumsum(dim, dtype=torch.int32) <= wanted))
