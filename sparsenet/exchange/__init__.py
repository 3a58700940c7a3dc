"""Networks made elsewhere, turned into networks of this package. Importing needs no torch; calling does."""

from sparsenet.exchange.report import import_report
from sparsenet.exchange.torch.module import from_torch

__all__ = ["from_torch", "import_report"]
