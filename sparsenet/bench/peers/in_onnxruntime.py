"""Networks in ONNX Runtime."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from sparsenet.bench.peers.onnx_model import plain_model
from sparsenet.errors import CompileError
from sparsenet.exchange.onnx.writing import BATCH
from sparsenet.graph.network import INPUT, Network

__all__ = ["has_onnxruntime", "in_onnxruntime", "load_onnxruntime"]

FloatArray = npt.NDArray[np.float32]


def has_onnxruntime() -> bool:
    """Say whether the packages it needs are installed."""
    return find_spec("onnx") is not None and find_spec("onnxruntime") is not None


def in_onnxruntime(net: Network, threads: int = 1) -> Callable[[FloatArray], FloatArray]:
    """Load a network into ONNX Runtime on the CPU, as float32 and with its default optimisations.

    Parameters
    ----------
    net : Network
    threads : int
        Threads inside one call.

    Returns
    -------
    callable
        (B, *input_shape) float32 to (B, *output_shape) float32, for any B.

    Raises
    ------
    CompileError
        When onnx or onnxruntime is not installed.
    """
    if not has_onnxruntime():
        raise CompileError('expected onnx and onnxruntime to be installed; pip install "sparsenet[bench]"')
    return load_onnxruntime(plain_model(net).SerializeToString(), None, threads)


def load_onnxruntime(model: bytes, batch: int | None, threads: int) -> Callable[[FloatArray], FloatArray]:
    """Load an ONNX model, for one size of batch or (None) for any."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors only
    # threads that go on spinning after a call would take the core from whoever is timed next
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if batch is not None:
        options.add_free_dimension_override_by_name(BATCH, batch)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    if (found := session.get_session_options().intra_op_num_threads) != threads:
        raise CompileError(f"expected ONNX Runtime to use {threads} threads, got {found}")

    def run(x: FloatArray) -> FloatArray:
        y: FloatArray = session.run(None, {INPUT: x})[0]
        return y

    return run
