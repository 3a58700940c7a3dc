"""Rewriting networks into networks that mean the same, or nearly."""

from sparsenet.passes.fold_batchnorm import fold_batchnorm
from sparsenet.passes.quantize import quantize

__all__ = ["fold_batchnorm", "quantize"]
