"""Run networks that are sparse twice, few weights and few active units, on ordinary CPUs.

>>> import sparsenet as sn
>>> net = sn.load("spoken-digits")
>>> engine = sn.compile(net)
"""

from sparsenet.engine.compiling import compile
from sparsenet.engine.engine import Engine
from sparsenet.errors import (
    AudioError,
    CompileError,
    GraphError,
    ModelFormatError,
    QuantizationWarning,
    SparsenetError,
    UnsupportedLayerError,
)
from sparsenet.importers import from_torch, import_report
from sparsenet.insight.crossover import crossover
from sparsenet.insight.kernel_view import show_kernel
from sparsenet.insight.what_if import what_if
from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dequantize,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Linear,
    LogSoftmax,
    MaxPool2d,
    Quantize,
    QuantizedConv2d,
    QuantizedLinear,
    ReLU,
    Reshape,
    Softmax,
)
from sparsenet.models import load
from sparsenet.network import Network, Node
from sparsenet.passes import fold_batchnorm, quantize

__version__ = "0.1.0"

__all__ = [
    "Add",
    "AudioError",
    "AvgPool2d",
    "BatchNorm",
    "CompileError",
    "Concat",
    "Conv2d",
    "Dequantize",
    "Engine",
    "Flatten",
    "GlobalAvgPool2d",
    "GraphError",
    "KWinners",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "ModelFormatError",
    "Network",
    "Node",
    "QuantizationWarning",
    "Quantize",
    "QuantizedConv2d",
    "QuantizedLinear",
    "ReLU",
    "Reshape",
    "Softmax",
    "SparsenetError",
    "UnsupportedLayerError",
    "__version__",
    "compile",
    "crossover",
    "fold_batchnorm",
    "from_torch",
    "import_report",
    "load",
    "quantize",
    "show_kernel",
    "what_if",
]
