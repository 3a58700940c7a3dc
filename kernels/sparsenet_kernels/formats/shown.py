"""How packed weights print themselves: shape, fill and bytes in a line, and a table of the arrays in notebooks."""

from html import escape
from typing import TypeVar

import numpy as np

from .arrays import field_values, total_bytes

__all__ = ["shown"]

Format = TypeVar("Format", bound=type)


def shown(packed_type: Format) -> Format:
    """Give a format's dataclass a short ``repr`` and one for notebooks; the arrays would fill pages.

    Examples
    --------
    >>> from sparsenet_kernels.formats import pack_csc
    >>> pack_csc([[1.0, 0.0], [2.0, 0.0]])
    <Csc 2 x 2, 100.0% full, 28 bytes: indptr (3,) int32, rows (2,) int32, values (2,) float32>
    """
    packed_type.__repr__ = _line  # type: ignore[assignment]
    packed_type._repr_html_ = _html  # type: ignore[attr-defined]
    return packed_type


def _line(packed: object) -> str:
    arrays = ", ".join(f"{name} {array.shape} {array.dtype}" for name, array in _arrays(packed).items())
    return f"<{_head(packed)}: {arrays}>"


def _html(packed: object) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{array.shape}</td><td>{array.dtype}</td><td>{array.nbytes:,}</td></tr>"
        for name, array in _arrays(packed).items()
    )
    heads = "".join(f"<th>{head}</th>" for head in ("array", "shape", "dtype", "bytes"))
    return f"<div>{escape(_head(packed))}</div><table><tr>{heads}</tr>{rows}</table>"


def _head(packed: object) -> str:
    shape = getattr(packed, "shape", None)  # octets know their outputs only
    size = f"{packed.outputs} outputs" if shape is None else f"{shape[0]} x {shape[1]}"  # type: ignore[attr-defined]
    return f"{type(packed).__name__} {size}, {packed.fill:.1%} full, {total_bytes(packed):,} bytes"  # type: ignore[attr-defined]


def _arrays(packed: object) -> dict[str, np.ndarray]:
    return {name: value for name, value in field_values(packed).items() if isinstance(value, np.ndarray)}
