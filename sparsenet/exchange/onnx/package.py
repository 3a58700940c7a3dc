"""The package onnx, imported when it is needed."""

from typing import Any

__all__ = ["onnx_package"]


def onnx_package() -> Any:
    """Import onnx, or say how to get it.

    Raises
    ------
    ModuleNotFoundError
        When it is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'ONNX models need the package onnx ({error}); pip install "sparsenet[onnx]"', name="onnx"
        ) from error
    return onnx
