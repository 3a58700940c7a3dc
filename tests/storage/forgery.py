"""Take a valid file apart, change anything, and put it together again: lengths fit, so that deep checks are reached."""

import json
from dataclasses import dataclass

from sparsenet.storage.container import KEY


class Pairs(list):
    """A JSON object as a list of (key, value), so that a key may come twice."""


@dataclass(frozen=True)
class Raw:
    """JSON text that Python would not write."""

    text: str


@dataclass
class Forgery:
    """The three parts of a file: where the tensors lie, the network's document, the bytes of the tensors."""

    header: Pairs
    document: Pairs
    body: bytearray

    @classmethod
    def of(cls, data):
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size], object_pairs_hook=Pairs)
        document = json.loads(get(header, "__metadata__", KEY), object_pairs_hook=Pairs)
        tensors = Pairs(pair for pair in header if pair[0] != "__metadata__")
        return cls(tensors, document, bytearray(data[8 + size :]))

    def to_bytes(self):
        metadata = Pairs([(KEY, dump(self.document))])
        return assemble(dump(Pairs([("__metadata__", metadata), *self.header])), self.body)


def assemble(header, body=b""):
    """Put a length before a header, and the tensors behind it."""
    encoded = header.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(8, "little") + encoded + bytes(body)


def dump(value):
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{dump(inner)}" for key, inner in value) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(dump(inner) for inner in value) + "]"
    return json.dumps(value)


def get(value, *path):
    """Follow keys and positions into JSON."""
    for step in path:
        value = dict(value)[step] if isinstance(value, Pairs) else value[step]
    return value


def put(value, *path_and_new):
    """Replace, or add, what lies at the end of a path."""
    *path, last, new = path_and_new
    container = get(value, *path)
    if not isinstance(container, Pairs):
        container[last] = new
    elif last in dict(container):
        container[:] = [(key, new if key == last else old) for key, old in container]
    else:
        container.append((last, new))


def drop(value, *path):
    """Remove what lies at the end of a path."""
    container = get(value, *path[:-1])
    container[:] = [pair for pair in container if pair[0] != path[-1]]
