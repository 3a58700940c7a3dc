"""Recognise files of other tools by their first bytes or their ending, so that the error can say what to do."""

__all__ = ["foreign_hint"]

IMPORT = "sn.from_torch(module, example)"
NOT_YET = f"sparsenet cannot read these yet; rebuild the model in torch and import it with {IMPORT}"

TORCH = f"a file of torch.save; load it with torch and import the module with {IMPORT}"
ONNX = "an ONNX model; read it with sn.from_onnx(path)"
TFLITE = f"a TensorFlow Lite model; {NOT_YET}"
KERAS = f"a Keras model; {NOT_YET}"
ARRAYS = "NumPy arrays; load them with numpy.load and give them to the layers of a sn.Network"
WEIGHTS = f"a safetensors file of weights alone; load them into their torch module and import it with {IMPORT}"

_ENDINGS = {
    ".pt": TORCH,
    ".pth": TORCH,
    ".ckpt": TORCH,
    ".onnx": ONNX,
    ".tflite": TFLITE,
    ".h5": KERAS,
    ".hdf5": KERAS,
    ".keras": KERAS,
    ".npy": ARRAYS,
    ".npz": ARRAYS,
}

_BEGINNINGS = {
    b"PK\x03\x04": "a zip archive, as torch.save, numpy.savez and Keras write; "
    f"if it is a torch module, load it with torch and import it with {IMPORT}",
    b"\x80\x02": TORCH,
    b"\x89HDF": KERAS,
    b"\x93NUMPY": ARRAYS,
}

_TFLITE_PLACE = slice(4, 8)
_LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, which is a JSON object."""


def foreign_hint(name: str, data: bytes) -> str:
    """Say which other tool's file this is and what to do with it; the empty string where nothing tells.

    Parameters
    ----------
    name : str
        The file's name, or the empty string where there is none.
    data : bytes
        What the file holds.

    Examples
    --------
    >>> foreign_hint("model.onnx", b"").split(";")[0]
    'an ONNX model'
    >>> foreign_hint("model.safetensors", b"")
    ''
    """
    if data[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{":
        return WEIGHTS if _has_only_weights(data) else ""
    if data[_TFLITE_PLACE] == b"TFL3":
        return TFLITE
    told = [hint for ending, hint in _ENDINGS.items() if name.lower().endswith(ending)]
    told += [hint for beginning, hint in _BEGINNINGS.items() if data.startswith(beginning)]
    return told[0] if told else ""


def _has_only_weights(data: bytes) -> bool:
    """Tell whether a container of tensors has no sign of a network in its header."""
    size = int.from_bytes(data[:_LENGTH_BYTES], "little")
    header = data[_LENGTH_BYTES : _LENGTH_BYTES + size]
    return size == len(header) and b'"dtype"' in header and b'"sparsenet"' not in header
