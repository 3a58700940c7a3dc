"""The trained networks that ship with the package."""

import os
from importlib.resources import files
from typing import IO

from sparsenet import storage
from sparsenet.errors import did_you_mean
from sparsenet.graph.network import Network

__all__ = ["BUNDLED", "load"]

BUNDLED = ("spoken-digits", "spoken-digits-float32", "spoken-digits-dense")
"""The names of the bundled networks: one sparse twice, in int8 and before it was rounded, and the dense twin."""


def load(name_or_path: "str | os.PathLike[str] | bytes | IO[bytes]") -> Network:
    """Load a bundled network by its name, or any network by the path of its file, ``.safetensors`` or ``.onnx``.

    Parameters
    ----------
    name_or_path : str, path, bytes or open binary file
        A bundled name goes before a file of that name; write ``"./spoken-digits"`` for the file. What a file holds
        may also be given as bytes, or as an open file, which is read to its end. A path that ends with ``.onnx`` is
        read by :func:`sparsenet.from_onnx`; a model whose sizes are open is to be read by that, with ``shapes=``.

    Raises
    ------
    FileNotFoundError
        When there is neither; it lists the bundled names.
    ModelFormatError
        When the file does not hold a valid network. Where it is a file of another tool (torch, ONNX, TensorFlow
        Lite, Keras), the error says so, and what to do.
    UnsupportedLayerError
        When an ONNX model computes something that no layer here can.
    ModuleNotFoundError
        When it is an ONNX model, and onnx is not installed (the extra ``onnx``).

    Examples
    --------
    >>> load("spoken-digits").labels[2:5]
    ('zero', 'one', 'two')
    """
    if isinstance(name_or_path, str) and name_or_path in BUNDLED:
        return storage.from_bytes(files(__name__).joinpath(f"{name_or_path}.safetensors").read_bytes())
    if isinstance(name_or_path, str | os.PathLike) and os.fspath(name_or_path).lower().endswith(".onnx"):
        from sparsenet.exchange import from_onnx

        return from_onnx(name_or_path)
    try:
        return storage.load(name_or_path)
    except FileNotFoundError:
        if not isinstance(name_or_path, str | os.PathLike):  # an open file of somebody's own raised it
            raise
        given = os.fspath(name_or_path)
        raise FileNotFoundError(
            f"expected the path of a network or one of {', '.join(BUNDLED)}, "
            f"got {given!r}{did_you_mean(given, BUNDLED)}"
        ) from None
