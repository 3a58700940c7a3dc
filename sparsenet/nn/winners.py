"""Which values win: the k largest along one axis, the lowest index first among equals."""

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
    """Say whether there are numbers in this process's memory, not a trace of them, that are exact in float32."""
    if torch.compiler.is_compiling() or type(values) is not torch.Tensor or values.device.type != "cpu":
        return False
    return values.dtype in (torch.float32, torch.bfloat16, torch.float16)


def _marked_compiled(values: torch.Tensor, k: int, dim: int) -> torch.Tensor:
    rows = values.movedim(dim, -1).float().contiguous()
    marks = torch.empty(rows.shape, dtype=torch.bool)
    n = rows.shape[-1]
    bits = rows.view(torch.int32).view(-1, n).numpy()
    mark_winners(bits, k, np.empty(n, np.int32), marks.view(-1, n).numpy())
    return marks.movedim(-1, dim)


def _marked(values: torch.Tensor, k: int, dim: int) -> torch.Tensor:
    """Mark winners by torch's own operations, which any device has and any tracer understands."""
    threshold = values.topk(k, dim=dim, sorted=False).values.amin(dim, keepdim=True)
    if torch.compiler.is_compiling():  # no choice may depend on values there
        return _without_late_ties(values, threshold, k, dim)
    marked = _at_least(values, threshold)
    groups = values.numel() // values.shape[dim]
    return marked if int(marked.sum()) == k * groups else _without_late_ties(values, threshold, k, dim)


def _at_least(values: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Mark what is not below the threshold: NaN is not."""
    return (values < threshold).logical_not_()


def _without_late_ties(values: torch.Tensor, threshold: torch.Tensor, k: int, dim: int) -> torch.Tensor:
    """Mark all above the threshold, and of those equal to it as many as are still wanted, the lowest index first."""
    above = (values <= threshold).logical_not_()
    equal = values == threshold
    wanted = k - above.sum(dim, keepdim=True, dtype=torch.int32)
    return above.logical_or_(equal.logical_and_(equal.cumsum(dim, dtype=torch.int32) <= wanted))
