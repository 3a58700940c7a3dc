"""What the arrays of a case hold. Each kind of contents breaks kernels in its own way."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

ORDINARY = ("integers", "normal", "wide", "zeros", "signed zeros")
"""Contents whose sums of products neither overflow nor underflow: the error bound of a sum holds for them.

Small integers have many ties and exact sums; wide numbers have magnitudes from 2**-20 to 2**20.
"""

FINITE = (*ORDINARY, "special")
"""Contents that may be compared: special ones hold subnormal numbers and the largest ones, of both signs."""

ALL = (*FINITE, "infinite")

SPOILED = ("not finite", "overflowing")
"""Ordinary numbers, some of them replaced: by NaN and infinities, or by ones whose products and sums leave float32."""

_ONE = np.float32(1.0)
_LARGEST = np.finfo(np.float32).max
_SMALLEST = np.finfo(np.float32).smallest_subnormal
_NORMAL = np.finfo(np.float32).smallest_normal
_SPECIAL = [0.0, _ONE, np.nextafter(_ONE, 2 * _ONE), np.nextafter(_ONE, 0 * _ONE), 1e-30, 1e30]
_SPECIAL += [_SMALLEST, _NORMAL, _NORMAL - _SMALLEST, _LARGEST, np.nextafter(_LARGEST, 0 * _ONE)]


def weight_content(content: str) -> str:
    """Return the contents of weights beside such inputs: weights are finite always, which packing checks."""
    return "overflowing" if content == "not finite" else content


def numbers(rng: np.random.Generator, shape: tuple[int, ...], content: str) -> NDArray[np.float32]:
    """Draw an array of one kind of contents."""
    return np.asarray(_DRAW[content](rng, shape), np.float32)


def _wide(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.ldexp(rng.uniform(0.5, 1.0, shape), rng.integers(-20, 20, shape)) * rng.choice([-1.0, 1.0], shape)


def spoiled_places(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Choose what to replace: in a third of the samples, or outputs, one number, some or all; so that others stay.

    It is done in one of them at least.
    """
    if len(shape) == 1:
        return rng.random(shape) < 0.2
    rows = (shape[0], int(np.prod(shape[1:])))
    lots = rng.random((rows[0], 1))
    chosen = (lots < 0.34) | (lots == lots.min(initial=1.0))
    places: NDArray[np.bool_] = chosen & (rng.random(rows) < rng.choice([0.0, 0.0, 0.25, 1.0], (rows[0], 1)))
    one = rng.integers(0, max(rows[1], 1), (rows[0], 1))
    return (places | chosen & (np.arange(rows[1]) == one)).reshape(shape)


def spoiling(rng: np.random.Generator, shape: tuple[int, ...], content: str) -> NDArray[np.float32]:
    """Draw what ordinary numbers are replaced by."""
    return rng.choice(np.float32(_SPOILING[content]), shape)


def _spoiled(content: str) -> Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return np.where(spoiled_places(rng, shape), spoiling(rng, shape, content), rng.standard_normal(shape))

    return draw


_SPOILING = {
    "not finite": [np.nan, np.copysign(np.nan, -1.0), np.inf, -np.inf],
    "overflowing": [_LARGEST, -_LARGEST, 3e38, -3e38, 1e30, -1e30, 2e19, -2e19],
}

_DRAW = {
    "integers": lambda rng, shape: rng.integers(-3, 4, shape),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "wide": _wide,
    "zeros": lambda rng, shape: np.zeros(shape),
    "signed zeros": lambda rng, shape: rng.choice([0.0, -0.0, 1.0, -1.0], shape),
    "special": lambda rng, shape: rng.choice([*_SPECIAL, *(-np.array(_SPECIAL))], shape),
    "infinite": lambda rng, shape: rng.choice([*_SPECIAL, -0.0, -1.0, np.inf, -np.inf], shape),
    **{content: _spoiled(content) for content in SPOILED},
}
