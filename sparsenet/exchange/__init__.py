"""Import networks of other frameworks, and export networks to ONNX.

Importing this module needs no other framework; calling its functions does.
"""

from sparsenet.exchange.onnx.reading import from_onnx
from sparsenet.exchange.onnx.writing import to_onnx
from sparsenet.exchange.report import import_report
from sparsenet.exchange.torch.module import from_torch

__all__ = ["from_onnx", "from_torch", "import_report", "to_onnx"]
