"""What the arrays of a case hold. Each kind of contents breaks kernels in its own way."""

import numpy as np
from numpy.typing import NDArray

ORDINARY = ("integers", "normal", "wide", "zeros", "signed zeros")
"""Contents whose sums of products neither overflow nor underflow: the error bound of a sum holds for them.

Small integers have many ties and exact sums; wide numbers have magnitudes from 2**-20 to 2**20.
"""

FINITE = (*ORDINARY, "special")
"""Contents that may be compared: special ones hold subnormal numbers and the largest ones, of both signs."""

ALL = (*FINITE, "infinite")

_ONE = np.float32(1.0)
_LARGEST = np.finfo(np.float32).max
_SMALLEST = np.finfo(np.float32).smallest_subnormal
_NORMAL = np.finfo(np.float32).smallest_normal
_SPECIAL = [0.0, _ONE, np.nextafter(_ONE, 2 * _ONE), np.nextafter(_ONE, 0 * _ONE), 1e-30, 1e30]
_SPECIAL += [_SMALLEST, _NORMAL, _NORMAL - _SMALLEST, _LARGEST, np.nextafter(_LARGEST, 0 * _ONE)]


def numbers(rng: np.random.Generator, shape: tuple[int, ...], content: str) -> NDArray[np.float32]:
    """Draw an array of one kind of contents."""
    return np.asarray(_DRAW[content](rng, shape), np.float32)


def _wide(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.ldexp(rng.uniform(0.5, 1.0, shape), rng.integers(-20, 20, shape)) * rng.choice([-1.0, 1.0], shape)


_DRAW = {
    "integers": lambda rng, shape: rng.integers(-3, 4, shape),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "wide": _wide,
    "zeros": lambda rng, shape: np.zeros(shape),
    "signed zeros": lambda rng, shape: rng.choice([0.0, -0.0, 1.0, -1.0], shape),
    "special": lambda rng, shape: rng.choice([*_SPECIAL, *(-np.array(_SPECIAL))], shape),
    "infinite": lambda rng, shape: rng.choice([*_SPECIAL, -0.0, -1.0, np.inf, -np.inf], shape),
}
