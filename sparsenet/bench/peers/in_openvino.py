"""Networks in OpenVINO."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sparsenet.errors import CompileError

__all__ = ["load_openvino"]

FloatArray = npt.NDArray[np.float32]


def load_openvino(model: bytes, batch: int, threads: int) -> Callable[[FloatArray], FloatArray]:
    """Load an ONNX model for one size of batch, for the shortest time of one call."""
    import openvino

    core = openvino.Core()
    network = core.read_model(model)
    shape = [batch, *(axis.get_length() for axis in list(network.inputs[0].partial_shape)[1:])]
    network.reshape(openvino.PartialShape(shape))
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    compiled = core.compile_model(network, "CPU", settings)
    if (found := int(compiled.get_property("INFERENCE_NUM_THREADS"))) != threads:
        raise CompileError(f"expected OpenVINO to use {threads} threads, got {found}")
    request = compiled.create_infer_request()

    def run(x: FloatArray) -> FloatArray:
        y: FloatArray = request.infer([x], share_inputs=True)[0]
        return y

    return run
