"""Run networks that are sparse twice, few weights and few active units, on ordinary CPUs.

>>> import sparsenet as sn
>>> net = sn.load("spoken-digits")
>>> engine = sn.compile(net)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparsenet import layers as layers
from sparsenet.engine.compiling import compile as compile
from sparsenet.engine.engine import Engine as Engine
from sparsenet.errors import AudioError as AudioError
from sparsenet.errors import CompileError as CompileError
from sparsenet.errors import GraphError as GraphError
from sparsenet.errors import ModelFormatError as ModelFormatError
from sparsenet.errors import QuantizationWarning as QuantizationWarning
from sparsenet.errors import RangeError as RangeError
from sparsenet.errors import SparsenetError as SparsenetError
from sparsenet.errors import UnsupportedLayerError as UnsupportedLayerError
from sparsenet.errors import did_you_mean
from sparsenet.graph.network import Input as Input
from sparsenet.graph.network import Network as Network
from sparsenet.graph.network import Node as Node
from sparsenet.models import load as load
from sparsenet.ops import kinds
from sparsenet.ops.kinds import *
from sparsenet.passes import fold_batchnorm as fold_batchnorm
from sparsenet.passes import quantize as quantize

if TYPE_CHECKING:
    from sparsenet import nn as nn
    from sparsenet import packing as packing
    from sparsenet import speech as speech
    from sparsenet.bench.studies.crossover import crossover as crossover
    from sparsenet.exchange import from_onnx as from_onnx
    from sparsenet.exchange import from_torch as from_torch
    from sparsenet.exchange import import_report as import_report
    from sparsenet.exchange import to_onnx as to_onnx
    from sparsenet.explain.kernel_view import show_kernel as show_kernel
    from sparsenet.explain.what_if import what_if as what_if

__version__ = "0.1.0"
"""The version of this package."""

_LAZY = ("nn", "packing", "speech")
"""Modules that are imported when they are first used; ``nn`` needs the extra ``train``, ``speech`` that of its name."""

_LAZY_FUNCTIONS = {
    "crossover": "sparsenet.bench.studies.crossover",
    "from_onnx": "sparsenet.exchange",
    "from_torch": "sparsenet.exchange",
    "import_report": "sparsenet.exchange",
    "show_kernel": "sparsenet.explain.kernel_view",
    "to_onnx": "sparsenet.exchange",
    "what_if": "sparsenet.explain.what_if",
}
"""Functions whose modules are imported when they are first used."""

if not TYPE_CHECKING:  # type checkers follow the star of the layers, and should miss what is not there
    __all__ = [
        *kinds.__all__,
        "AudioError",
        "CompileError",
        "Engine",
        "GraphError",
        "Input",
        "ModelFormatError",
        "Network",
        "Node",
        "QuantizationWarning",
        "RangeError",
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

    def __dir__() -> list[str]:
        """List what is public; modules inside are reached by their names all the same."""
        from importlib.util import find_spec

        lazy = [name for name in _LAZY if name != "nn" or find_spec("torch") is not None]
        return sorted([*__all__, "layers", *lazy])

    def __getattr__(name: str) -> Any:
        """Import what is imported when it is first used; a module that needs an extra says which."""
        from importlib import import_module

        if name in _LAZY:
            return import_module(f"sparsenet.{name}")
        if name in _LAZY_FUNCTIONS:
            globals()[name] = getattr(import_module(_LAZY_FUNCTIONS[name]), name)
            return globals()[name]
        raise AttributeError(f"module 'sparsenet' has no attribute {name!r}{_hint(name, __all__)}")


def _hint(name: str, public: Sequence[str]) -> str:
    """Say which public name may have been meant, or what there is instead of an importer that others have."""
    if name in ("from_tflite", "from_keras"):
        return "; only torch modules and ONNX models can be imported yet: sn.from_torch(module, example), sn.from_onnx"
    return did_you_mean(name, public)
