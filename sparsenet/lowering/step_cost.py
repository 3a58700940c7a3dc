"""What a kernel without weights will take: choosing winners, pooling, rounding, moving numbers elsewhere.

Rates were read off these kernels on the core that :mod:`sparsenet.lowering.cost` names, in nanoseconds. Such a step
should take far less than a layer with weights: where it does not, that is worth knowing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, prod

from sparsenet.lowering.cost import CALL_NS, VECTOR_NS
from sparsenet.lowering.predicted import Cost
from sparsenet.machine.calibration import pace_of
from sparsenet.machine.facts import Machine

__all__ = ["copying_us", "step_cost"]

Shapes = Mapping[str, tuple[int, ...]]
"""Each array's shape for one sample, and each number as a shape of one, by the name that the kernel gives it."""

PASS_NS = 1.1
"""Reading and writing 16 numbers."""
POOLED_NS = 1.1
"""Reading 16 numbers of a window (64 bytes take as long)."""
MOVED_NS = 0.25
"""Reading a number in one place and writing it in another."""
ROUNDED_NS = 0.26
"""Rounding a number to a byte where rows are padded."""
WIDENED_NS = 1.4
"""Making 16 numbers, or what is left of a row, out of bytes."""
EXPONENTIAL_NS = 11.0
"""One term of a softmax."""
COPIED_NS = 0.15
"""Copying a number in or out, and checking it."""

LANES_NS = {8: 19.0, 16: 27.0, 32: 42.0, 64: 84.0}
"""Up to so many winners at 16 positions side by side, for eight channels."""
LISTED_NS = 6.0
"""Listing the winners among 64 channels at one of these positions."""
SEARCHED_NS, SEARCHED_ROW_NS = 0.33, 90.0
"""Winners of one row after the other: for a number, and for a row besides."""
MAP_NS = 0.73
"""Winners among all numbers of an image, for a number."""
BYTE_ROW_NS = 3.0
"""Winners among 64 bytes, eight positions together: for a position."""
BYTE_NS, BYTES_ROW_NS = 0.1, 15.0
"""Winners among more bytes: for a byte, and for a position besides."""


@dataclass(frozen=True)
class _Work:
    """Nanoseconds of arithmetic and comparisons, of finding places, of reading and writing."""

    arithmetic_ns: float = 0.0
    addresses_ns: float = 0.0
    passing_ns: float = 0.0


def step_cost(kernel: str, shapes: Shapes, machine: Machine, samples: int = 1) -> Cost:
    """Predict a step without weights, for one sample.

    Parameters
    ----------
    kernel : str
        Without its variant. Of one that nobody has timed, reading and writing is predicted.
    shapes : mapping of str to tuple of int
        What it is given, for one sample.
    machine : Machine
    samples : int
        That share a call.

    Examples
    --------
    >>> from sparsenet.machine.facts import machine
    >>> shapes = {"x": (196, 64), "k": (12,), "out": (196, 64)}
    >>> step_cost("kwta_i8", shapes, machine()).us < step_cost("kwta_map_f32", shapes, machine()).us
    True
    """
    work = _WORK.get(kernel, _passing)(shapes)
    pace = pace_of(machine)
    vectors, single = pace.vector / 1000, pace.scalar / 1000
    return Cost(
        arithmetic_us=work.arithmetic_ns * vectors,
        addresses_us=work.addresses_ns * single,
        reading_us=work.passing_ns * vectors,
        call_us=CALL_NS / 1000 / samples,
    )


def copying_us(elements: int, machine: Machine) -> float:
    """Predict what copying a sample into the engine and its result out of it takes, for so many numbers."""
    return elements * COPIED_NS * pace_of(machine).vector / 1000


def _passing(shapes: Shapes) -> _Work:
    """Read and write everything once."""
    vectors = max(_vectors(shapes, "x"), _vectors(shapes, "out"))
    return _Work(arithmetic_ns=vectors * VECTOR_NS, passing_ns=vectors * PASS_NS)


def _moving(shapes: Shapes) -> _Work:
    return _Work(addresses_ns=prod(shapes.get("x") or shapes["columns"]) * MOVED_NS)


def _expanding(shapes: Shapes) -> _Work:
    return _Work(addresses_ns=prod(shapes["columns"]) * MOVED_NS + _vectors(shapes, "out") * PASS_NS)


def _rounding_rows(shapes: Shapes) -> _Work:
    return _Work(addresses_ns=prod(shapes["out"]) * ROUNDED_NS)


def _widening(shapes: Shapes) -> _Work:
    return _Work(addresses_ns=_vectors(shapes, "out") * WIDENED_NS)


def _exponentials(shapes: Shapes) -> _Work:
    return _Work(arithmetic_ns=prod(shapes["x"]) * EXPONENTIAL_NS)


def _pooling(shapes: Shapes, lanes: int = 16) -> _Work:
    *places, channels = shapes["out"]
    height, width = (
        min(shapes[name][0], size) for name, size in zip(("kernel_height", "kernel_width"), shapes["x"], strict=False)
    )
    vectors = prod(places) * height * width * ceil(channels / lanes)
    return _Work(arithmetic_ns=vectors * VECTOR_NS, passing_ns=vectors * POOLED_NS)


def _pooling_bytes(shapes: Shapes) -> _Work:
    return _pooling(shapes, 64)


def _winners(shapes: Shapes) -> _Work:
    (rows, channels), k = shapes["x"], shapes["columns"][-1]
    if "ranks" not in shapes:
        return _Work(rows * (channels * SEARCHED_NS + SEARCHED_ROW_NS))
    blocks = ceil(rows / 16) if rows >= 5 else rows / 16  # fewer rows lie in lanes beside those of other samples
    sorting = next(ns for most, ns in LANES_NS.items() if k <= most)
    return _Work(blocks * ceil(channels / 8) * sorting + rows * ceil(channels / 64) * LISTED_NS)


def _winners_of_map(shapes: Shapes) -> _Work:
    return _Work(prod(shapes["x"]) * MAP_NS)


def _winners_of_bytes(shapes: Shapes) -> _Work:
    rows, channels = shapes["x"]
    if channels == 64 and rows >= 8:
        return _Work(rows * BYTE_ROW_NS)
    return _Work(rows * (channels * BYTE_NS + BYTES_ROW_NS))


def _vectors(shapes: Shapes, name: str) -> int:
    """Count the vectors of 16 that the rows of an array fill, or begin."""
    *rows, last = shapes.get(name, (0,))
    return prod(rows) * ceil(last / 16)


_WORK = {
    "kwta_f32": _winners,
    "kwta_map_f32": _winners_of_map,
    "kwta_i8": _winners_of_bytes,
    "max_pool2d_f32": _pooling,
    "avg_pool2d_f32": _pooling,
    "max_pool2d_i8": _pooling_bytes,
    "softmax_f32": _exponentials,
    "swap_axes_f32": _moving,
    "flatten_active_f32": _moving,
    "expand_f32": _expanding,
    "quantize_rows_i8": _rounding_rows,
    "dequantize_i8": _widening,
}
