"""What is known of each peer: how a network becomes its model, how the model is loaded, what is not equal."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.peers.in_litert import load_litert
from sparsenet.bench.peers.in_onnxruntime import load_onnxruntime
from sparsenet.bench.peers.in_openvino import load_openvino
from sparsenet.bench.peers.in_scipy import load_scipy
from sparsenet.bench.peers.in_torch import load_torch
from sparsenet.bench.peers.onnx_model import float_bytes, int8_bytes
from sparsenet.graph.network import Network

__all__ = ["PEERS", "Peer"]

FloatArray = npt.NDArray[np.float32]
Run = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Peer:
    """Another engine, and how it is asked.

    Attributes
    ----------
    name : str
    dtype : {"float32", "int8"}
    packages : tuple of str
        Distributions that must be installed; the first is the engine itself.
    prepare : callable
        (Network, calibration inputs) to what ``load`` takes; made once for a network.
    load : callable
        (prepared, batch, threads) to a callable of (batch, *input_shape) float32. Threads are set, and read back where
        the engine can say.
    remark : str
        What is not equal to this engine, for the footnotes.
    most_threads : int or None
        Where the engine cannot use more.
    """

    name: str
    dtype: str
    packages: tuple[str, ...]
    prepare: Callable[[Network, FloatArray], Any]
    load: Callable[[Any, int, int], Run]
    remark: str
    most_threads: int | None = None

    @property
    def title(self) -> str:
        """Name and dtype, as people shall read them."""
        return f"{self.name} {self.dtype}"

    def missing(self) -> str | None:
        """Say what to install, or None where everything is there."""
        absent = [package for package in self.packages if _version(package) is None]
        return f"pip install {' '.join(absent)}" if absent else None

    def version(self) -> str | None:
        """Say which version of the engine is installed."""
        return _version(self.packages[0])


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _as_it_is(net: Network, calibration: FloatArray) -> Network:
    return net


PEERS = (
    Peer(
        "onnxruntime",
        "float32",
        ("onnxruntime", "onnx"),
        float_bytes,
        load_onnxruntime,
        "multiplies by zeros too; k-winners are TopK, GatherElements and ScatterElements",
    ),
    Peer(
        "onnxruntime",
        "int8",
        ("onnxruntime", "onnx"),
        int8_bytes,
        load_onnxruntime,
        "static quantisation by its own tool, weights by channel, on calibration inputs; k-winners stay in float32, "
        "between conversions",
    ),
    Peer(
        "openvino",
        "float32",
        ("openvino", "onnx"),
        float_bytes,
        load_openvino,
        "reads the ONNX model; kept from computing in bfloat16, which is its default where the CPU can; one stream; "
        "of tied k-winners any may win",
    ),
    Peer(
        "openvino",
        "int8",
        ("openvino", "onnx", "onnxruntime"),
        int8_bytes,
        load_openvino,
        "reads the 8-bit ONNX model that ONNX Runtime's tool made, so both have the same scales",
    ),
    Peer(
        "ai-edge-litert",
        "float32",
        ("ai-edge-litert",),
        _as_it_is,
        load_litert,
        "runs a model that this package writes, by XNNPACK where it can; of tied k-winners it keeps all; the output of "
        "a convolution is transposed before it is flattened",
    ),
    Peer(
        "torch", "float32", ("torch",), _as_it_is, load_torch, "eager, without gradients; of tied k-winners any may win"
    ),
    Peer(
        "scipy",
        "float32",
        ("scipy",),
        _as_it_is,
        load_scipy,
        "weights in CSR, inputs dense, windows of a convolution copied out by NumPy; of tied k-winners any may win",
        most_threads=1,
    ),
)
"""In the order in which they are shown."""
