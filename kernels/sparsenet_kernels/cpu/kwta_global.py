"""The k largest of many numbers: guess where the k-th lies from their mean and spread, count, guess better.

    mean + z * spread          count 171 of 150 wanted: too low
    one step of Newton         count 147: too high
    on the line between        count 150: done

Counting is all that is exact, so whatever the numbers are, the winners are right: bad guesses only cost more counts.
Guesses stay inside of an interval of keys that shrinks with each. After a few that did not hit, which ties and numbers
of very different sizes make happen, it is halved, and every fourth time cut down to the largest key in it.
"""

from math import exp, log, sqrt

import numpy as np

from sparsenet_kernels.cpu.kwta_exact import is_boosted, write_exactly
from sparsenet_kernels.cpu.kwta_keys import LOWEST_KEY, count_reaching, order_key, write_reaching, write_tied
from sparsenet_kernels.jit import helper
from sparsenet_kernels.simd.ops import (
    add,
    greater,
    largest_lane,
    load,
    load_first,
    maximum,
    multiply,
    multiply_add,
    number_of,
    order_keys,
    select,
    splat,
    store,
    store_first,
    sum_lanes,
)

GUESSES = 5
"""Counts before the interval is halved; 3 to 6 differ by less than a tenth, whatever the numbers are like."""
HIGHEST_KEY = np.int64(2**31 - 1)
"""Above the key of every number."""


@helper
def normal_quantile(share):
    """Return the z above which ``share`` of a normal distribution lies, to 0.0005; 0 < share < 1.

    Source  Abramowitz, Stegun: "Handbook of Mathematical Functions" (1964), 26.2.23.
    """
    tail = min(share, 1.0 - share)
    t = sqrt(-2.0 * log(tail))
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    below = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    z = t - above / below
    return z if share < 0.5 else -z


@helper
def write_keys_and_moments(x, start, n, factor, keys):
    """Write the ranking keys of one row, filled up to whole vectors; return the mean and the spread of the ranks.

    Both are of every other vector only, or of the first: they begin a search.
    """
    total, squares = splat(np.float32(0.0)), splat(np.float32(0.0))
    for j in range(0, n - 31, 32):
        rank = multiply(load(x, start + j), load(factor, j))
        total, squares = add(total, rank), multiply_add(rank, rank, squares)
        store(keys, j, order_keys(rank))
        store(keys, j + 16, order_keys(multiply(load(x, start + j + 16), load(factor, j + 16))))
    count = np.float32(max(n // 32 * 16, 1))
    for j in range(n // 32 * 32, n, 16):
        ranks = multiply(load_first(x, start + j, n - j, 0.0), load_first(factor, j, n - j, 0.0))
        store(keys, j, splat(LOWEST_KEY))
        store_first(keys, j, order_keys(ranks), n - j)
    mean = sum_lanes(total) / count
    return mean, np.float32(sqrt(max(sum_lanes(squares) / count - mean * mean, np.float32(0.0))))


@helper
def number_of_key(key):
    """Return the float32 that has a key."""
    return number_of(np.int32(key)) if key >= 0 else -number_of(np.int32(-key))


@helper
def largest_below(keys, n, limit):
    """Return the largest key below a limit."""
    best, lowest, bound = splat(LOWEST_KEY), splat(LOWEST_KEY), splat(limit)
    for j in range(0, n, 16):
        key = load(keys, j)
        best = maximum(best, select(greater(bound, key), key, lowest))
    return np.int64(largest_lane(best))


@helper
def search(keys, n, k, mean, spread, z, density):
    """Find a key that exactly k keys reach, or the k-th largest where ties leave none; 0 < k < n.

    Returns the key, and how many keys are known to exceed it: k where those that reach it are exactly k.
    """
    low, high = np.int64(LOWEST_KEY), HIGHEST_KEY
    reach_low, reach_high = n, 0
    guess, step = mean + z * spread, spread / density
    tries = 0
    while high - low > 1:
        cutting = tries >= GUESSES and (tries - GUESSES) % 4 == 0
        if tries < GUESSES:
            candidate = min(max(np.int64(order_key(guess)), low + 1), high - 1)
        elif cutting:
            candidate = largest_below(keys, n, np.int32(high))
        else:
            candidate = (low + high) >> 1
        count = count_reaching(keys, 0, n, np.int32(candidate))
        if count == k:
            return np.int32(candidate), k
        if count < k:
            high, reach_high = candidate, count
        elif cutting:
            return np.int32(candidate), reach_high
        else:
            low, reach_low = candidate, count
        if low > LOWEST_KEY and high < HIGHEST_KEY:
            below, above = number_of_key(low), number_of_key(high)
            part = np.float32(reach_low - k) + np.float32(0.5)
            guess = below + (above - below) * part / np.float32(reach_low - reach_high)
        else:
            guess = number_of_key(candidate) + step * np.float32(count - k) / np.float32(n)
            step = step + step
        tries += 1
    return np.int32(low), reach_high


@helper
def write_k_largest(x, factor, keys, columns, values):
    """List the winners of all rows, one row after the other; 0 < K <= C."""
    samples, positions, n = x.shape
    k = columns.shape[2]
    share = min(max(k / n, 1e-6), 1.0 - 1e-6)
    z = normal_quantile(share)
    density = np.float32(exp(-0.5 * z * z) * 0.3989423)
    for row in range(samples * positions):
        start, at = row * n, row * k
        mean, spread = write_keys_and_moments(x, start, n, factor, keys)
        threshold, above = np.int32(LOWEST_KEY + 1), k  # below every number
        if k < n:
            threshold, above = search(keys, n, k, mean, spread, np.float32(z), density)
        if above == k:
            write_reaching(x, start, keys, 0, n, threshold, columns, values, at, at + k)
        elif is_boosted(factor):
            write_exactly(x, row, factor, k, threshold, columns, values)
        else:
            write_tied(x, start, keys, 0, n, threshold, k - above, columns, values, at, at + k)
