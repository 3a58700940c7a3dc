"""Which sizes are tried together: small ones in all pairs, then each dimension at sizes where kernels change their way.

A kernel that is wrong for one size only, or for two sizes together, is found where that size or that pair is tried, and
nowhere else. So sizes are not left to chance:

* every pair of sizes up to 11, of every two dimensions;
* sizes below, at and above the powers of two from 16 to 1024, where vectors, cache lines, tiles and chunks end;
* a few up to 5000, as the layers of networks have them, save for batches;
* sizes around every number that the kernel's own source names: its blocks, and the limits between its ways;
* every pair of those, of every two dimensions.
"""

from collections.abc import Iterator, Sequence
from dis import get_instructions
from itertools import product
from math import prod

from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.call import reached

Sizes = dict[str, int]

SMALL = range(1, 12)
"""Sizes of which all pairs are tried; as many as a prime, see :func:`paired`."""

AROUND = tuple(power + off for power in (16, 32, 64, 128, 256, 512, 1024) for off in (-1, 0, 1))
LONG = (1000, 1600, 2500, 4099, 5000)
FEW = (1, 2, 3, 5)
"""Sizes of the other dimensions, in turn, where one is large."""

MOST = 120_000
"""Elements that all dimensions span together, at most: what is larger takes too long."""

MOST_NAMED = 8
"""Numbers of a kernel's source that are tried in pairs, at most."""

LOADS = ("LOAD_CONST", "LOAD_SMALL_INT", "RETURN_CONST")
"""Instructions of Python that carry the numbers of a source."""


def sizes_to_try(kernel: Kernel, letters: Sequence[str]) -> Iterator[Sizes]:
    """Yield sizes of the dimensions called ``letters``; each dimension is 1 or more.

    Examples
    --------
    >>> from sparsenet_kernels.registry import kernels
    >>> tried = list(sizes_to_try(kernels()["relu_f32"], ["B", "N"]))
    >>> {"B": 3, "N": 7} in tried, {"B": 1, "N": 5000} in tried, 64 in {sizes["B"] for sizes in tried}
    (True, True, True)
    """
    named = named_numbers(kernel)
    around = sorted({number + off for number in named for off in (-1, 0, 1)} - {0})
    together = [size for number in named[:MOST_NAMED] for size in (number, number + 1)]
    if max(together, default=0) in SMALL:
        together = []
    every = [
        *paired(letters, SMALL),
        *_one_after_the_other(letters, letters, [*AROUND, *around]),
        *_one_after_the_other(letters, [letter for letter in letters if letter != "B"], LONG),
        *(paired(letters, together) if together else []),
    ]
    seen = set()
    for sizes in every:
        key = tuple(sizes.values())
        if key not in seen and prod(sizes.values()) <= MOST:
            seen.add(key)
            yield sizes


def paired(letters: Sequence[str], levels: Sequence[int]) -> Iterator[Sizes]:
    """Yield sizes so that every two dimensions meet in every pair of levels: as many as the levels squared.

    With a prime number p of levels, row (i, j) of p * p takes level i for the first dimension, and (j + m * i) mod p
    for those after it, m = 0, 1, ...: two lines of different slope meet in one point. Levels are repeated up to the
    next prime that is enough.

    Source  Bush: "Orthogonal arrays of index unity" (1952).

    Examples
    --------
    >>> [tuple(sizes.values()) for sizes in paired("BN", [1, 7])]
    [(1, 1), (1, 7), (7, 1), (7, 7)]
    """
    prime = next(number for number in range(max(len(levels), len(letters) - 1, 2), 10_000) if _is_prime(number))
    for i, j in product(range(prime), repeat=2):
        places = [i, *((j + m * i) % prime for m in range(len(letters) - 1))]
        yield {letter: levels[place % len(levels)] for letter, place in zip(letters, places, strict=True)}


def named_numbers(kernel: Kernel) -> list[int]:
    """Return the numbers from 2 to 5000 that a kernel, or what it calls in its module, has in its source, rising."""
    seen = {kernel.source}
    outside = list(reached(kernel.source, seen))
    codes = [function.__code__ for function in seen if function.__module__ == kernel.source.__module__]
    inside = [step.argval for code in codes for step in get_instructions(code) if step.opname in LOADS]
    numbers = {number for number in (*inside, *outside) if type(number) is int}
    return sorted(number for number in numbers if 2 <= number <= LONG[-1])


def _one_after_the_other(letters: Sequence[str], grown: Sequence[str], wanted: Sequence[int]) -> Iterator[Sizes]:
    """Give one of the grown dimensions after the other each of the wanted sizes, and all others few."""
    for letter, (turn, size) in product(grown, enumerate(wanted)):
        few = {name: FEW[(turn + place) % len(FEW)] for place, name in enumerate(letters)}
        yield few | {letter: size}


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))
