"""Networks in LiteRT (once TensorFlow Lite), which runs them by XNNPACK."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sparsenet.bench.peers.litert_model import to_tflite
from sparsenet.graph.network import Network

__all__ = ["load_litert"]

FloatArray = npt.NDArray[np.float32]


def load_litert(net: Network, batch: int, threads: int) -> Callable[[FloatArray], FloatArray]:
    """Load a network for one size of batch."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=to_tflite(net, batch), num_threads=threads)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(x: FloatArray) -> FloatArray:
        interpreter.set_tensor(source, x)
        interpreter.invoke()
        y: FloatArray = interpreter.get_tensor(result)
        return y.reshape(len(x), *net.output_shape)

    return run
