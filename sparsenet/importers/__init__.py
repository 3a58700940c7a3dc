"""Networks made elsewhere, turned into networks of this package. Importing needs no torch; calling does."""

from sparsenet.importers.report import import_report
from sparsenet.importers.torch_module import from_torch

__all__ = ["from_torch", "import_report"]
