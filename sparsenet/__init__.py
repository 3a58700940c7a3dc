"""Run networks that are sparse twice, few weights and few active units, on ordinary CPUs.

>>> import sparsenet as sn
>>> net = sn.load("spoken-digits")
>>> engine = sn.compile(net)
"""

from typing import TYPE_CHECKING, Any

from sparsenet import layers as layers
from sparsenet import packing as packing
from sparsenet.bench.studies.crossover import crossover
from sparsenet.engine.compiling import compile
from sparsenet.engine.engine import Engine
from sparsenet.errors import (
    AudioError,
    CompileError,
    GraphError,
    ModelFormatError,
    QuantizationWarning,
    RangeError,
    SparsenetError,
    UnsupportedLayerError,
    did_you_mean,
)
from sparsenet.explain.kernel_view import show_kernel
from sparsenet.explain.what_if import what_if
from sparsenet.graph.network import Network, Node
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
from sparsenet.passes import fold_batchnorm, quantize

if TYPE_CHECKING:
    from sparsenet import nn as nn
    from sparsenet import speech as speech
    from sparsenet.exchange import from_onnx, from_torch, import_report, to_onnx

__version__ = "0.1.0"
"""The version of this package."""

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
    "RangeError",
    "ReLU",
    "Reshape",
    "Softmax",
    "SparsenetError",
    "UnsupportedLayerError",
    "__version__",
    "compile",
    "crossover",
    "fold_batchnorm",
    "from_onnx",
    "from_torch",
    "import_report",
    "load",
    "quantize",
    "show_kernel",
    "to_onnx",
    "what_if",
]

_LAZY = ("nn", "speech")
"""Modules that are imported when they are first used: they need the extras ``train`` and ``speech``."""

_EXCHANGED = ("from_onnx", "from_torch", "import_report", "to_onnx")
"""Functions that are imported when they are first used."""


def __dir__() -> list[str]:
    """List what is public; modules inside are reached by their names all the same."""
    from importlib.util import find_spec

    lazy = [name for name in _LAZY if name != "nn" or find_spec("torch") is not None]
    return sorted([*__all__, "layers", "packing", *lazy])


if not TYPE_CHECKING:  # type checkers should miss what is not there

    def __getattr__(name: str) -> Any:
        """Import what is only now used; where it needs an extra, its own error says which."""
        from importlib import import_module

        if name in _LAZY:
            return import_module(f"sparsenet.{name}")
        if name in _EXCHANGED:
            return getattr(import_module("sparsenet.exchange"), name)
        raise AttributeError(f"module 'sparsenet' has no attribute {name!r}{_hint(name)}")


def _hint(name: str) -> str:
    """Say which public name may have been meant, or what there is instead of an importer that others have."""
    if name in ("from_tflite", "from_keras"):
        return "; only torch modules and ONNX models can be imported yet: sn.from_torch(module, example), sn.from_onnx"
    return did_you_mean(name, __all__)
