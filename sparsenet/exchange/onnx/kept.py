"""Keep what ONNX has no place for as JSON in the model's metadata, which other tools preserve."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["KEY", "Kept", "as_text", "read_text"]

KEY = "sparsenet"

MOST_CHARACTERS = 2**26


@dataclass(frozen=True)
class Kept:
    """What is kept.

    Attributes
    ----------
    labels : tuple of str
    details : mapping
    layers : mapping of str to mapping
        By the name of a layer: masks, and which arrays were left out.
    """

    labels: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def as_text(kept: Kept) -> str:
    """Write it as text.

    Examples
    --------
    >>> read_text(as_text(Kept(("no", "yes")))).labels
    ('no', 'yes')
    """
    return json.dumps({"labels": kept.labels, "details": dict(kept.details), "layers": kept.layers}, allow_nan=False)


def read_text(text: str) -> Kept:
    """Read it from text; what is not as it was written is nothing.

    Examples
    --------
    >>> read_text('{"labels": 3}')
    Kept(labels=(), details={}, layers={})
    """
    try:
        found = json.loads(text) if len(text) <= MOST_CHARACTERS else {}
    except (ValueError, RecursionError):
        return Kept()
    labels, details, layers = (found.get(key) if isinstance(found, dict) else None for key in Kept.__annotations__)
    strings = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    mappings = isinstance(layers, dict) and all(isinstance(layer, dict) for layer in layers.values())
    return Kept(
        tuple(labels) if strings and labels else (),
        details if isinstance(details, dict) else {},
        layers if mappings and layers else {},
    )
