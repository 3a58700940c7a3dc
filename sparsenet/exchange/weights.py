"""Shared by the lines of layers with weights: optional biases, and masks, which ONNX has no place for."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.exchange.call import BoolArray, Call, FloatArray
from sparsenet.exchange.onnx.writer import Writer

__all__ = ["keep_mask", "kept_mask", "maybe_numbers"]

MASK = "mask"


def maybe_numbers(call: Call, value: Any) -> FloatArray | None:
    """Read a constant, if there is one."""
    return None if value is None else call.numbers(value)


def keep_mask(layer: Any, writer: Writer) -> None:
    """Keep a layer's mask, one bit for each weight, beside the model's operators."""
    if layer.mask is not None:
        writer.keep(MASK, b64encode(np.packbits(layer.mask, axis=None).tobytes()).decode())


def kept_mask(call: Call, weight: npt.NDArray[Any]) -> BoolArray | None:
    """Read a mask that :func:`keep_mask` kept; where it no longer fits the weight it is left out, with a note."""
    text = call.kept.get(MASK)
    if text is None:
        return None
    try:
        bits = np.frombuffer(b64decode(text, validate=True), np.uint8)
        mask = np.unpackbits(bits, count=weight.size).astype(np.bool_).reshape(weight.shape)
        fits = bits.size == -(-weight.size // 8) and not weight[~mask].any()
    except (Base64Error, TypeError, ValueError):
        fits = False
    if not fits:
        call.note("its mask is left out: it does not fit the weight, which was changed since")
        return None
    return mask
