"""Compare engines fairly: in one process, in turn, on changing inputs, with the accuracy beside the time."""

from sparsenet.bench.compare import Comparison, Contender, Row, compare
from sparsenet.bench.interleave import interleave
from sparsenet.timing import Timing

__all__ = ["Comparison", "Contender", "Row", "Timing", "compare", "interleave"]
