"""Winners where ranks tie that should not: products of value and factor, rounded to float32, may round to one number.

Rounding keeps order, so ranks that differ in float32 are in the right order, and only those that equal the k-th largest
are in doubt: they round to it, vanish to zero, or become infinite. Of them the exact products decide, which float64
holds: no product of two float32 is too large or too small for it, or has more digits. Such rows are rare, and are
searched one number after the other.
"""

import numpy as np

from sparsenet_kernels.cpu.kwta_keys import order_key
from sparsenet_kernels.jit import helper
from sparsenet_kernels.simd.ops import double_bits_of, load_first, not_equal, splat

LOWEST, HIGHEST = np.int64(-(2**63)), np.int64(2**63 - 1)
LARGEST_SIZE = np.int64(2**63 - 1)


@helper
def is_boosted(factor):
    """Tell whether any factor is not one: without factors, equal ranks are equal values."""
    one, n, others = splat(np.float32(1.0)), factor.size, np.uint16(0)
    for j in range(0, n, 16):
        others |= not_equal(load_first(factor, j, min(16, n - j), 1.0), one)
    return others != 0


@helper
def value_at(x, b, first, i):
    """Return number ``i`` of a sample's positions from ``first`` on."""
    channels = x.shape[2]
    return x[b, first + i // channels, i % channels]


@helper
def rounded_key(x, b, first, factor, i):
    """Return the key that a number is ranked by; see :mod:`sparsenet_kernels.cpu.kwta_keys`."""
    return order_key(np.float32(value_at(x, b, first, i) * factor[i]))


@helper
def exact_key(x, b, first, factor, i):
    """Return int64 that compare as exact products do; -0.0 gets the key of 0.0."""
    bits = double_bits_of(np.float64(value_at(x, b, first, i)) * np.float64(factor[i]))
    return -(bits & LARGEST_SIZE) if bits < 0 else bits


@helper
def between(low, high):
    """Return the middle of two integers, whose sum may not fit."""
    return (low >> 1) + (high >> 1) + (low & high & 1)


@helper
def count_rounded(x, b, first, n, factor, least):
    """Count the keys of at least ``least``."""
    count = 0
    for i in range(n):
        count += np.int64(rounded_key(x, b, first, factor, i)) >= least
    return count


@helper
def count_tied(x, b, first, n, factor, key, least):
    """Count the numbers with a key whose exact products have keys of at least ``least``."""
    count = 0
    for i in range(n):
        if rounded_key(x, b, first, factor, i) == key:
            count += exact_key(x, b, first, factor, i) >= least
    return count


@helper
def kth_key(x, b, first, n, factor, k, guess):
    """Return the k-th largest key; 0 < k <= n. Mostly it is the guess."""
    above = count_rounded(x, b, first, n, factor, np.int64(guess) + 1)
    if above < k <= count_rounded(x, b, first, n, factor, np.int64(guess)):
        return np.int32(guess)
    low, high = np.int64(-(2**31)), np.int64(2**31)
    while low + 1 < high:
        middle = between(low, high)
        if count_rounded(x, b, first, n, factor, middle) >= k:
            low = middle
        else:
            high = middle
    return np.int32(low)


@helper
def kth_exact(x, b, first, n, factor, key, k):
    """Return the k-th largest exact product's key among the numbers that have ``key``; 0 < k <= their number."""
    low, high = HIGHEST, LOWEST
    for i in range(n):
        if rounded_key(x, b, first, factor, i) == key:
            exact = exact_key(x, b, first, factor, i)
            low, high = min(low, exact), max(high, exact)
    high += 1
    while low + 1 < high:
        middle = between(low, high)
        if count_tied(x, b, first, n, factor, key, middle) >= k:
            low = middle
        else:
            high = middle
    return low


@helper
def write_exactly(x, row, factor, k, guess, columns, values):
    """List the k winners of one of all samples' positions by their exact products; k > 0.

    ``guess`` is the key of the k-th largest, mostly.
    """
    b, first, n = row // x.shape[1], row % x.shape[1], x.shape[2]
    key = kth_key(x, b, first, n, factor, k, guess)
    wanted = k - count_rounded(x, b, first, n, factor, np.int64(key) + 1)
    limit = kth_exact(x, b, first, n, factor, key, wanted)
    ties = wanted - count_tied(x, b, first, n, factor, key, limit + 1)
    listed = 0
    for i in range(n):
        own = rounded_key(x, b, first, factor, i)
        wins = own > key
        if own == key:
            exact = exact_key(x, b, first, factor, i)
            tied = exact == limit and ties > 0
            wins, ties = exact > limit or tied, ties - np.int64(tied)
        if wins:
            columns[b, first, listed], values[b, first, listed] = i, value_at(x, b, first, i)
            listed += 1


@helper
def keep_exactly(x, b, factor, key, k, out):
    """Keep, of a sample's numbers that have the k-th largest key, those that win by their exact products.

    Of equal products the one with the lowest index in (C, R) order wins.
    """
    positions, channels = x.shape[1], x.shape[2]
    n = positions * channels
    wanted = k - count_rounded(x, b, 0, n, factor, np.int64(key) + 1)
    limit = kth_exact(x, b, 0, n, factor, key, wanted)
    ties = wanted - count_tied(x, b, 0, n, factor, key, limit + 1)
    for c in range(channels):
        for p in range(positions):
            i = p * channels + c
            if rounded_key(x, b, 0, factor, i) == key:
                exact = exact_key(x, b, 0, factor, i)
                tied = exact == limit and ties > 0
                if exact > limit or tied:
                    out[b, p, c] = x[b, p, c]
                ties -= np.int64(tied)
