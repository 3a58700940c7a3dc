"""Run networks that are sparse twice, few weights and few active units, on ordinary CPUs.

>>> import sparsenet as sn
>>> net = sn.load("spoken-digits")
>>> engine = sn.compile(net)
"""

from sparsenet.engine.engine import Engine, compile
from sparsenet.errors import AudioError, CompileError, GraphError, ModelFormatError, SparsenetError
from sparsenet.layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    KWinners,
    Linear,
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Reshape,
    Softmax,
)
from sparsenet.models import load
from sparsenet.network import Network, Node
from sparsenet.passes import fold_batchnorm

__version__ = "0.1.0"

__all__ = [
    "Add",
    "AudioError",
    "AvgPool2d",
    "BatchNorm",
    "CompileError",
    "Concat",
    "Conv2d",
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
    "ReLU",
    "Reshape",
    "Softmax",
    "SparsenetError",
    "__version__",
    "compile",
    "fold_batchnorm",
    "load",
]
