"""Shapes of single layers, as data: one layer a line in a text file."""

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sparsenet.errors import SparsenetError, did_you_mean

__all__ = ["SHIPPED", "LayerShape", "read_shapes", "shapes_from"]

SHIPPED = ("linear", "conv3x3", "resnet50", "bert")
"""Lists of shapes that come with the package, by name."""

FIELDS = {
    "linear": ("outputs", "inputs"),
    "conv2d": ("outputs", "inputs", "height", "width", "kernel_height", "kernel_width", "stride", "padding"),
}
LARGEST = 2**20
LARGEST_WEIGHTS = 2**28


@dataclass(frozen=True)
class LayerShape:
    """The shape of one layer.

    Attributes
    ----------
    operation : {"linear", "conv2d"}
    outputs, inputs : int
        For a convolution: channels.
    height, width : int
        Of the input image.
    kernel_height, kernel_width, stride, padding : int
    """

    operation: str
    outputs: int
    inputs: int
    height: int = 1
    width: int = 1
    kernel_height: int = 1
    kernel_width: int = 1
    stride: int = 1
    padding: int = 0

    def __str__(self) -> str:
        if self.operation == "linear":
            return f"linear {self.outputs}x{self.inputs}"
        stride = f"/{self.stride}" if self.stride > 1 else ""
        image = f"{self.inputs}x{self.height}x{self.width}"
        return f"conv2d {self.kernel_height}x{self.kernel_width}{stride} {image} to {self.outputs}"

    @property
    def fan_in(self) -> int:
        """Weights of one output."""
        return self.inputs * self.kernel_height * self.kernel_width

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample's input."""
        return (self.inputs,) if self.operation == "linear" else (self.inputs, self.height, self.width)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        linear = self.outputs, self.inputs
        return linear if self.operation == "linear" else (*linear, self.kernel_height, self.kernel_width)


def shapes_from(name_or_path: str | os.PathLike[str]) -> tuple[LayerShape, ...]:
    """Read a shipped list of shapes by its name, or a file.

    Raises
    ------
    FileNotFoundError
        When there is neither.
    SparsenetError
        When a line cannot be read.

    Examples
    --------
    >>> [str(shape) for shape in shapes_from("bert")]
    ['linear 768x768', 'linear 3072x768', 'linear 768x3072']
    """
    if name_or_path in SHIPPED:
        return read_shapes(files("sparsenet.bench").joinpath(f"shapes/{name_or_path}.txt").read_text("utf-8"))
    try:
        return read_shapes(Path(name_or_path).read_text(encoding="utf-8", errors="replace"))
    except SparsenetError as error:
        raise SparsenetError(f"{os.fspath(name_or_path)}: {error}") from None
    except FileNotFoundError:
        given = os.fspath(name_or_path)
        raise FileNotFoundError(
            f"expected a file of shapes or one of {', '.join(SHIPPED)}, got {given!r}{did_you_mean(given, SHIPPED)}"
        ) from None


def read_shapes(text: str) -> tuple[LayerShape, ...]:
    """Read shapes, one a line: ``linear N D`` or ``conv2d N C H W kh kw stride pad``; ``#`` begins a comment.

    Examples
    --------
    >>> read_shapes("linear 10 20  # small")[0].weight_shape
    (10, 20)
    """
    lines = ((number, line.partition("#")[0].split()) for number, line in enumerate(text.splitlines(), 1))
    shapes = tuple(_shape(number, words) for number, words in lines if words)
    if not shapes:
        raise SparsenetError("expected at least one shape, got none; a line reads: linear 1024 1024")
    return shapes


def _shape(number: int, words: list[str]) -> LayerShape:
    operation, *rest = words
    names = FIELDS.get(operation)
    if names is None or len(rest) != len(names) or not all(word.isascii() and word.isdigit() for word in rest):
        expected = " or ".join(f"{kind} {' '.join(name.upper() for name in fields)}" for kind, fields in FIELDS.items())
        raise SparsenetError(f"line {number}: expected {expected}, got {' '.join(words)[:80]!r}")
    shape = LayerShape(operation, **dict(zip(names, map(int, rest), strict=True)))
    _check(number, shape)
    return shape


def _check(number: int, shape: LayerShape) -> None:
    sizes = shape.outputs, shape.inputs, shape.height, shape.width, shape.kernel_height, shape.kernel_width
    if not all(1 <= size <= LARGEST for size in (*sizes, shape.stride)) or shape.padding >= LARGEST:
        raise SparsenetError(f"line {number}: expected sizes from 1 to {LARGEST:,} in {shape}")
    if shape.outputs * shape.fan_in > LARGEST_WEIGHTS or shape.inputs * shape.height * shape.width > LARGEST_WEIGHTS:
        raise SparsenetError(
            f"line {number}: expected at most {LARGEST_WEIGHTS:,} weights, and as many inputs: {shape}"
        )
    if shape.kernel_height > shape.height + 2 * shape.padding or shape.kernel_width > shape.width + 2 * shape.padding:
        raise SparsenetError(f"line {number}: expected a filter that fits into its padded image: {shape}")
