"""Read a path, bytes or a ModelProto into a graph of plain data."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from sparsenet.errors import ModelFormatError, UnsupportedLayerError
from sparsenet.exchange.onnx.graph import Operator
from sparsenet.exchange.onnx.kept import KEY, Kept, read_text
from sparsenet.exchange.onnx.package import onnx_package
from sparsenet.exchange.onnx.tensors import array_of, text

__all__ = ["Model", "Value", "read_model"]

FIRST_VERSION = 7
"""Of ONNX's operator set: the first without rules of its own for broadcasting."""

MOST_OPERATORS = 100_000

LARGEST_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Value:
    """An input or output of a graph: its name, ONNX's number of its type, and its sizes, None where one is open."""

    name: str
    type: int
    sizes: tuple[int | str | None, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """What is read of a model."""

    version: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    operators: tuple[Operator, ...]
    constants: dict[str, npt.NDArray[Any]]
    kept: Kept
    own: bool
    """Whether :func:`sparsenet.to_onnx` wrote it."""


def read_model(source: Any) -> Model:
    """Read a model.

    Raises
    ------
    ModelFormatError
        When it is none, or damaged.
    FileNotFoundError, TypeError
        When there is no such file, or ``source`` is something else.
    """
    onnx = onnx_package()
    proto, folder = _proto(onnx, source)
    graph = proto.graph
    if not proto.HasField("graph") or not graph.node:
        raise ModelFormatError("expected an ONNX model with operators, got one without")
    if len(graph.node) > MOST_OPERATORS:
        raise ModelFormatError(f"expected at most {MOST_OPERATORS} operators, got {len(graph.node)}")
    if graph.sparse_initializer:
        raise UnsupportedLayerError("expected weights as dense tensors, got sparse initializers")
    constants = {text(tensor.name): array_of(tensor, folder) for tensor in graph.initializer}
    operators = tuple(_operators(proto, folder))
    inputs = tuple(value for value in map(_value, graph.input) if value.name not in constants)
    properties = {text(one.key): text(one.value) for one in proto.metadata_props}
    kept = read_text(properties.get(KEY, "{}"))
    outputs = tuple(_value(one) for one in graph.output)
    return Model(_version(proto), inputs, outputs, operators, constants, kept, KEY in properties)


def _proto(onnx: Any, source: Any) -> tuple[Any, Path | None]:
    """Return a ModelProto, and the folder of its file."""
    if isinstance(source, onnx.ModelProto):
        return source, None
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return _parsed(onnx, _contents(path), f"{str(path)!r}"), path.parent
    if isinstance(source, bytes | bytearray | memoryview):
        return _parsed(onnx, bytes(source), "bytes"), None
    raise TypeError(f"expected a path, bytes or an onnx.ModelProto, got {type(source).__name__}")


def _contents(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before opening: a pipe would wait, a device might never end
            raise ModelFormatError(f"expected a file, got the folder or device {str(path)!r}")
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"expected an ONNX model, got {str(path)!r}, which does not exist") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ModelFormatError):
            raise
        raise ModelFormatError(f"expected a file that can be read, got {str(path)!r}: {error}") from error
    return data


def _parsed(onnx: Any, data: bytes, what: str) -> Any:
    if len(data) > LARGEST_BYTES:
        raise ModelFormatError(f"expected a model of at most {LARGEST_BYTES} bytes, got more in {what}")
    try:
        return onnx.ModelProto.FromString(data)
    except Exception as error:  # protobuf's own error, whose module differs by version
        raise ModelFormatError(f"expected an ONNX model, got {what}, which is none, or damaged: {error}") from None


def _version(proto: Any) -> int:
    versions = [one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")]
    if not versions or min(versions) < FIRST_VERSION:
        raise ModelFormatError(
            f"expected a model of operator set {FIRST_VERSION} or later, got {versions or 'none'}; "
            f"onnx.version_converter makes it newer"
        )
    return int(versions[0])


def _operators(proto: Any, folder: Path | None) -> Iterator[Operator]:
    """Read operators; graphs inside their attributes are not looked at: no operator is supported that has one."""
    for node in proto.graph.node:
        domain, kind = text(node.domain), text(node.op_type)
        inputs, outputs = (tuple(text(one) for one in names) for names in (node.input, node.output))
        name = text(node.name) or next((output for output in outputs if output), kind)
        attributes = {text(one.name): _attribute(one, folder) for one in node.attribute}
        yield Operator(name, kind if domain in ("", "ai.onnx") else f"{domain}::{kind}", inputs, outputs, attributes)


READ = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
"""The field of an attribute that holds its value, by ONNX's number of its type."""


def _attribute(attribute: Any, folder: Path | None) -> Any:
    field = READ.get(attribute.type)
    value: Any = getattr(attribute, field) if field else None
    if field == "t":
        return array_of(value, folder)
    if field == "s":
        return text(value)
    if field == "strings":
        return [text(one) for one in value]
    return list(value) if field in ("floats", "ints") else value


def _value(info: Any) -> Value:
    tensor = info.type.tensor_type
    sizes = tuple(
        (int(size.dim_value) if size.HasField("dim_value") else text(size.dim_param) or None)
        for size in tensor.shape.dim
    )
    return Value(text(info.name), int(tensor.elem_type), sizes)
