"""A small picture of a mask: outputs downwards, inputs to the right as they lie in the engine's memory."""

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

from sparsenet_kernels.indices import narrowed

__all__ = ["as_image", "as_text"]

SHADES = " .:-=+*#@"
"""From nothing kept to everything; plain letters, which every terminal can show."""

ROWS, COLUMNS = 16, 100
"""Largest picture of text; one line per tile of 16 outputs where there are few."""

PIXELS = 512
"""Largest height and width of an image."""


def as_text(keep: npt.NDArray[np.bool_]) -> str:
    """Draw a mask in letters, darker where more is kept; the darkest place is the last shade.

    Examples
    --------
    >>> print(as_text(np.eye(3, 6, dtype=bool)))
    |@     |
    | @    |
    |  @   |
    """
    shares = _shrunk(keep, ROWS, COLUMNS)
    scaled = np.ceil(shares / max(float(shares.max()), 1e-12) * (len(SHADES) - 1)).astype(int)
    return "\n".join("|" + "".join(SHADES[shade] for shade in line) + "|" for line in scaled)


def as_image(keep: npt.NDArray[np.bool_]) -> str:
    """Draw a mask as an HTML image, black where everything is kept.

    Examples
    --------
    >>> as_image(np.eye(3, dtype=bool))[:37]
    '<img alt="mask" width="24" height="24'
    """
    shares = _shrunk(keep, PIXELS, PIXELS)
    grey = narrowed(np.round(255 * (1 - shares)), np.uint8, "shades")
    zoom = max(1, min(8, PIXELS // max(grey.shape)))
    size = f'width="{zoom * grey.shape[1]}" height="{zoom * grey.shape[0]}"'
    data = base64.b64encode(_png(grey)).decode()
    return f'<img alt="mask" {size} style="image-rendering:pixelated" src="data:image/png;base64,{data}">'


def _shrunk(keep: npt.NDArray[np.bool_], rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Average over rectangles until the picture is small enough."""
    height, width = min(rows, keep.shape[0]), min(columns, keep.shape[1])
    tops, lefts = (np.arange(n) * size // n for n, size in zip((height, width), keep.shape, strict=True))
    sums = np.add.reduceat(np.add.reduceat(keep.astype(np.float64), tops, axis=0), lefts, axis=1)
    sizes = np.outer(np.diff([*tops, keep.shape[0]]), np.diff([*lefts, keep.shape[1]]))
    return np.asarray(sums / sizes, np.float64)


def _png(grey: npt.NDArray[np.uint8]) -> bytes:
    """Encode a grey image; each line begins with a byte that says it is not filtered."""
    height, width = grey.shape
    lines = np.hstack([np.zeros((height, 1), np.uint8), grey]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
