"""Which dtypes operations take and give: rules that their records name."""

from collections.abc import Callable

from sparsenet.errors import GraphError

__all__ = ["DTYPES", "floats", "floats_or_bytes", "takes"]

DTYPES = {"float32": "float32", "uint8": "bytes", "int32": "int32", "bool": "bool"}
"""What values can be, and what messages call it."""

HINTS = {
    ("float32", "uint8"): "; is a Dequantize() missing before it?",
    ("float32", "int32"): "; is a Cast() missing before it?",
    ("float32", "bool"): "; is a Cast() missing before it?",
    ("uint8", "float32"): "; is a Quantize() missing before it?",
}
"""What may be missing where one dtype was expected and another came."""


def takes(expected: str, gives: str) -> Callable[[object, tuple[str, ...]], str]:
    """Make the rule of layers that take one dtype and give one."""

    def rule(layer: object, inputs: tuple[str, ...]) -> str:
        for given in inputs:
            if given != expected:
                hint = HINTS.get((expected, given), "")
                raise GraphError(f"expected {DTYPES[expected]}, got {DTYPES[given]}{hint}")
        return gives

    return rule


floats = takes("float32", "float32")
"""The rule of layers that compute in float32."""


def floats_or_bytes(layer: object, inputs: tuple[str, ...]) -> str:
    """Give the dtype of the inputs: the rule of layers that choose or move values, float32 or bytes."""
    if {*inputs} == {"float32", "uint8"}:
        raise GraphError("expected inputs that are all float32 or all bytes, got both; Quantize or Dequantize some")
    return inputs[0] if {*inputs} == {"uint8"} else floats(layer, inputs)
