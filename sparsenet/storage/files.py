"""Save networks to bytes and files, and load them."""

import json
import os
import stat
from pathlib import Path
from typing import IO, Any

from sparsenet.errors import GraphError, ModelFormatError, SparsenetError
from sparsenet.graph.network import Network
from sparsenet.graph.parts import expect_network
from sparsenet.storage.container import Tensors, pack, unpack
from sparsenet.storage.document import describe_ends, read_document, read_inputs, read_outputs
from sparsenet.storage.encoding import WEIGHTS
from sparsenet.storage.foreign import foreign_hint
from sparsenet.storage.kinds import NodeRecord, build_node, describe_node, read_node_record
from sparsenet.storage.strict_json import (
    MOST_NESTED,
    MOST_VALUES,
    nesting_and_values,
    shown,
)
from sparsenet.whole_files import write_whole

__all__ = ["LARGEST_BYTES", "from_bytes", "load", "save", "to_bytes"]

LARGEST_BYTES = 2**30
"""Files larger than this, and networks whose weights take more memory than this, are refused unless asked for."""


def save(net: Network, path: "str | os.PathLike[str] | IO[bytes]", weights: str = "float32") -> None:
    """Write a network to one ``.safetensors`` file; a file of that name is replaced at once, or not at all.

    A link stays one, and what it leads to is replaced; permissions stay as they were.

    Parameters
    ----------
    net : Network
    path : str, path or open binary file
        An open file, such as ``io.BytesIO()``, is written to and left open.
    weights : {"float32", "float16", "int8"}
        As for :func:`to_bytes`.

    Raises
    ------
    FileNotFoundError
        When the folder does not exist.
    SparsenetError
        When the network cannot be stored that way.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import sparsenet as sn
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "net.safetensors")
    ...     save(sn.Network.sequential((3,), [sn.KWinners(1)]), path)
    ...     load(path)
    <Network (3,) to (3,): 1 layers>
    """
    data = to_bytes(net, weights)
    if not isinstance(path, str | os.PathLike):
        _write_open(path, data)
        return
    target = _as_path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"expected the folder {str(target.parent)!r} to exist; create it first")
    if target.is_dir():
        raise IsADirectoryError(f"expected the path of a file, got the folder {str(target)!r}")
    write_whole(target, data)


def load(source: "str | os.PathLike[str] | bytes | IO[bytes]", limit_bytes: int = LARGEST_BYTES) -> Network:
    """Read a network from a ``.safetensors`` file; the file is checked entirely before anything uses it.

    Parameters
    ----------
    source : str, path, bytes or open binary file
        The path of a file, what such a file holds, or an open file, which is read to its end and left open.
    limit_bytes : int
        The file may be this large, and its weights may take this much memory once decoded (while one is decoded, for
        a moment two to three times as much).

    Raises
    ------
    ModelFormatError
        When the file does not hold a valid network, is too large, or cannot be read.
    FileNotFoundError
        When there is no such file.

    Examples
    --------
    See :func:`save`.
    """
    name = str(source) if isinstance(source, str | os.PathLike) else ""
    data = _contents(source, limit_bytes)
    try:
        return from_bytes(data, limit_bytes)
    except ModelFormatError as error:
        said = f"expected a network of sparsenet, got {hint}" if (hint := foreign_hint(name, data)) else str(error)
        raise ModelFormatError(f"{name}: {said}" if name else said) from error


def to_bytes(net: Network, weights: str = "float32") -> bytes:
    """Return the contents of the file that :func:`save` would write; the same network gives the same bytes.

    Parameters
    ----------
    net : Network
    weights : {"float32", "float16", "int8"}
        How float32 weights are stored. "float32" loses nothing (but the sign of -0.0); "float16" rounds; "int8" rounds
        to 255 steps, each output channel with a scale of its own. Biases and other vectors always stay as they are, and
        so do the weights of quantised layers.

    Raises
    ------
    SparsenetError
        When ``weights`` is something else, a weight too large for float16, or the details nested too deep.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> net = sn.Network.sequential((64,), [sn.Linear(np.ones((64, 64)))])
    >>> len(to_bytes(net, "int8")) < len(to_bytes(net))
    True
    """
    expect_network(net)
    if weights not in WEIGHTS:
        raise SparsenetError(f"expected weights stored as one of {', '.join(WEIGHTS)}, got {weights!r}")
    nodes: list[dict[str, Any]] = []
    tensors: Tensors = {}
    for node in net.nodes:
        described, arrays = describe_node(node, weights)
        nodes.append(described)
        tensors |= arrays
    text = json.dumps(
        {**describe_ends(net, nodes), "labels": net.labels, "details": dict(net.details)}, allow_nan=False
    )
    deepest, values = nesting_and_values(text)
    if deepest > MOST_NESTED or values > MOST_VALUES:
        raise SparsenetError(f"expected details nested at most {MOST_NESTED} deep with few values, got more")
    return pack(tensors, text)


def from_bytes(data: bytes, limit_bytes: int = LARGEST_BYTES) -> Network:
    """Read a network from the contents of a file.

    Parameters
    ----------
    data : bytes
    limit_bytes : int
        As for :func:`load`.

    Raises
    ------
    ModelFormatError
        When the bytes do not hold a valid network; it says what was expected and what came.

    Examples
    --------
    >>> import sparsenet as sn
    >>> from_bytes(to_bytes(sn.Network.sequential((3,), [sn.KWinners(1)])))
    <Network (3,) to (3,): 1 layers>
    """
    if not isinstance(data, bytes):
        raise TypeError(f"expected bytes, got {type(data).__name__}")
    if len(data) > limit_bytes:
        raise ModelFormatError(f"expected a file of at most {limit_bytes} bytes, got more; raise limit_bytes")
    tensors, text = unpack(data)
    document = read_document(text)
    records = [read_node_record(node) for node in document["nodes"]]
    _check_memory(records, limit_bytes)
    _check_names(records, tensors)
    try:
        nodes = [build_node(record, tensors) for record in records]
        return Network(read_inputs(document), nodes, read_outputs(document), document["labels"], document["details"])
    except (GraphError, TypeError) as error:
        raise ModelFormatError(str(error)) from error
    except MemoryError as error:
        raise ModelFormatError(
            f"expected weights that fit into memory, got too many; lower limit_bytes: {error}"
        ) from None


def _as_path(path: str | os.PathLike[str]) -> Path:
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"expected a path as text, got {type(text).__name__}")
    if not text:
        raise FileNotFoundError("expected the path of a file, got an empty one; is a variable not set?")
    if "\0" in text:  # which no file's name can hold, and Path finds out late
        raise FileNotFoundError(f"expected the path of a file, got {text!r}, which no file can be called")
    return Path(text)


def _contents(source: Any, limit_bytes: int) -> bytes:
    if isinstance(source, str | os.PathLike):
        return _read(_as_path(source), limit_bytes)
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    read = getattr(source, "read", None)
    if read is None:
        raise TypeError(f"expected a path, bytes or a file open for reading, got {type(source).__name__}")
    data = read(limit_bytes + 1)
    if not isinstance(data, bytes):
        raise TypeError(f'expected a file opened in binary mode ("rb"), got one that gives {type(data).__name__}')
    return data


def _write_open(file: Any, data: bytes) -> None:
    if not hasattr(file, "write"):
        raise TypeError(f"expected a path or a file open for writing, got {type(file).__name__}")
    try:
        file.write(data)
    except TypeError as error:
        raise TypeError(f'expected a file opened in binary mode ("wb"): {error}') from None


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before opening: a pipe would wait, a device might never end
            raise ModelFormatError(f"expected a file, got the folder or device {str(path)!r}")
        with path.open("rb") as file:
            return file.read(limit_bytes + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"expected a file, got {str(path)!r}, which does not exist") from None
    except OSError as error:
        raise ModelFormatError(f"expected a file that can be read, got {str(path)!r}: {error.strerror}") from error


def _check_memory(records: list[NodeRecord], limit_bytes: int) -> None:
    """Refuse before anything is allocated: a few bytes can claim any number of weights."""
    total = sum(record.weight.decoded_bytes for record in records if record.weight is not None)
    if total > limit_bytes:
        raise ModelFormatError(f"expected weights of at most {limit_bytes} bytes in memory, got {shown(total)}")


def _check_names(records: list[NodeRecord], tensors: Tensors) -> None:
    expected = {name for record in records for name in record.tensor_names}
    if missing := expected - set(tensors):
        raise ModelFormatError(f"expected a tensor {shown(min(missing))}, got none")
    if unknown := set(tensors) - expected:
        raise ModelFormatError(f"expected no tensor {shown(min(unknown))}")
