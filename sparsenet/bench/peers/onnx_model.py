"""Networks as ONNX models: float32, and 8 bit by static quantisation with ONNX Runtime's own tool."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.errors import CompileError
from sparsenet.exchange.onnx.writing import to_onnx
from sparsenet.graph.network import INPUT, Network
from sparsenet.machine.facts import machine

__all__ = ["float_bytes", "int8_bytes", "plain_model"]

QUANTIZED = ("Conv", "Gemm", "MaxPool", "AveragePool", "GlobalAveragePool", "Relu", "Add", "Sum", "Concat", "Reshape")
"""Operators in 8 bit; k-winners (TopK and ScatterElements) stay in float32, for which there is no 8-bit form."""

FloatArray = npt.NDArray[np.float32]


def float_bytes(net: Network, calibration: FloatArray) -> bytes:
    """Write a network as the bytes of a float32 ONNX model; ``calibration`` is not needed."""
    data: bytes = plain_model(net).SerializeToString()
    return data


def int8_bytes(net: Network, calibration: FloatArray) -> bytes:
    """Write a network as the bytes of an 8-bit ONNX model: operators between QuantizeLinear and DequantizeLinear.

    Parameters
    ----------
    net : Network
    calibration : array (n, *input_shape), float32
        Inputs whose ranges set the scales.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _quietly(), TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_static(
            plain_model(net),
            target,
            _calibration_reader(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            # without its own instruction, sums of two products of bytes overflow 16 bits
            reduce_range=_adds_in_16_bits(),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


def _calibration_reader(calibration: FloatArray) -> Any:
    """Hand out the samples one by one, in the way that the tool asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{INPUT: sample[None]} for sample in calibration])

        def get_next(self) -> dict[str, FloatArray] | None:
            return next(self.left, None)

    return Reader()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the tool from logging advice for models that need another preparation than ours."""
    import logging
    import warnings

    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _adds_in_16_bits() -> bool:
    here = machine()
    x86 = here.architecture.lower() in ("x86_64", "amd64")
    return x86 and not here.has_byte_dot


def plain_model(net: Network) -> Any:
    """Write a network as an ONNX model of float32 operators, as all peers read them.

    Raises
    ------
    CompileError
        When the network is quantised: what it becomes then is exact, and not what other engines are fast at.
    """
    if net.byte_valued:
        kind = type(net[min(net.byte_valued)]).__name__
        raise CompileError(f"expected a float32 network, got a {kind}; compare the network it was made from")
    return to_onnx(net)
