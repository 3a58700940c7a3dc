"""Write and read the layers of a file. Only the kinds in the table of operations can be built from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsenet.errors import GraphError, ModelFormatError
from sparsenet.graph.network import Node
from sparsenet.ops import OPERATIONS, Stored, Weighted, operation_of
from sparsenet.storage.container import Tensors
from sparsenet.storage.encoding import WeightRecord, decode_weight, encode_weight, read_weight_record
from sparsenet.storage.strict_json import expect_keys, shown

__all__ = ["NodeRecord", "build_node", "describe_node", "read_node_record"]


@dataclass(frozen=True)
class NodeRecord:
    """The part of a node that is JSON, without its tensors."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    settings: Mapping[str, Any]
    vectors: tuple[str, ...]
    weight: WeightRecord | None

    @property
    def tensor_names(self) -> tuple[str, ...]:
        """The names of its tensors in the file."""
        names = tuple(f"{self.name}.{vector}" for vector in self.vectors)
        return names + tuple(f"{self.name}.weight{ending}" for ending in (self.weight.endings if self.weight else ()))


def describe_node(node: Node, values: str) -> tuple[dict[str, Any], Tensors]:
    """Return the JSON of a node, and its tensors by name; ``values`` says how weights are stored."""
    name, layer = node.name, node.layer
    stored = operation_of(layer).stored
    vectors = [vector for vector in stored.vectors + stored.optional if getattr(layer, vector) is not None]
    tensors: Tensors = {f"{name}.{vector}": getattr(layer, vector) for vector in vectors}
    weight = None
    if isinstance(layer, Weighted):
        record, encoded = encode_weight(layer.weight, layer.mask, values)
        weight = vars(record)
        tensors |= {f"{name}.weight{ending}": array for ending, array in encoded.items()}
    settings = {setting: getattr(layer, setting) for setting in stored.settings}
    described = {"name": name, "kind": type(layer).__name__, "inputs": node.inputs, "settings": settings}
    return {**described, "vectors": vectors, "weight": weight}, tensors


def read_node_record(value: Any) -> NodeRecord:
    """Check what a file says of a node, as far as that goes without its tensors.

    Raises
    ------
    ModelFormatError
        When a key, the kind, a setting's name or a vector's name is missing or unknown.
    """
    fields = expect_keys(value, ("name", "kind", "inputs", "settings", "vectors", "weight"), "node")
    name, kind_name, inputs, vectors = fields["name"], fields["kind"], fields["inputs"], fields["vectors"]
    if not isinstance(name, str):
        raise ModelFormatError(f"node: expected a name, got {shown(name)}")
    what = f"layer {shown(name)}"
    if not isinstance(kind_name, str) or kind_name not in OPERATIONS:
        raise ModelFormatError(f"{what}: expected one of the kinds {', '.join(OPERATIONS)}, got {shown(kind_name)}")
    stored = OPERATIONS[kind_name].stored
    if not _are_strings(inputs):
        raise ModelFormatError(f"{what}: expected the names of its inputs, got {shown(inputs)}")
    settings = expect_keys(fields["settings"], stored.settings, f"{what}: settings")
    _check_vectors(stored, vectors, what)
    if not stored.weighted and fields["weight"] is not None:
        raise ModelFormatError(f"{what}: expected no weight for a {kind_name}, got {shown(fields['weight'])}")
    weight = None
    if stored.weighted:
        weight = read_weight_record(fields["weight"], "weight" in stored.whole, f"{what}: weight")
    return NodeRecord(name, kind_name, tuple(inputs), settings, tuple(vectors), weight)


def build_node(record: NodeRecord, tensors: Tensors) -> Node:
    """Build a node from its record and the tensors of the file, all of which must be there.

    Raises
    ------
    ModelFormatError
        When a tensor or a setting is not what the layer expects.
    """
    what = f"layer {shown(record.name)}"
    arrays: dict[str, Any] = {vector: _vector(record, vector, tensors) for vector in record.vectors}
    if record.weight is not None:
        mine = {ending: tensors[f"{record.name}.weight{ending}"] for ending in record.weight.endings}
        arrays["weight"], arrays["mask"] = decode_weight(record.weight, mine, f"{what}: weight")
    try:
        return Node(record.name, OPERATIONS[record.kind].layer(**record.settings, **arrays), record.inputs)
    except (GraphError, TypeError) as error:
        raise ModelFormatError(f"{what}: {error}") from error


def _check_vectors(stored: Stored, vectors: Any, what: str) -> None:
    if not _are_strings(vectors) or len(set(vectors)) != len(vectors):
        raise ModelFormatError(f"{what}: expected the names of its vectors, each once, got {shown(vectors)}")
    if missing := set(stored.vectors) - set(vectors):
        raise ModelFormatError(f"{what}: expected the vectors {', '.join(stored.vectors)}, got no {min(missing)}")
    if unknown := set(vectors) - {*stored.vectors, *stored.optional}:
        raise ModelFormatError(f"{what}: expected no vector {shown(min(unknown))}")


def _are_strings(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _vector(record: NodeRecord, vector: str, tensors: Tensors) -> Any:
    array = tensors[f"{record.name}.{vector}"]
    expected = np.dtype("<i4" if vector in OPERATIONS[record.kind].stored.whole else "<f4")
    if array.dtype != expected or array.ndim != 1:
        raise ModelFormatError(
            f"layer {shown(record.name)}: expected {vector} as {expected} of one axis, got {array.dtype} {array.shape}"
        )
    return array
