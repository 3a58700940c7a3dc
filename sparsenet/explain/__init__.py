"""What a network costs, and what an engine does with it."""

from sparsenet.explain.work import LayerWork, TotalWork, total, work

__all__ = ["LayerWork", "TotalWork", "total", "work"]
