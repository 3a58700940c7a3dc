"""Winners of many short rows on the CPU, compiled: in training, torch's own selection took a third of every step."""

from typing import Any

import numpy as np

from sparsenet_kernels.jit import compiled

__all__ = ["mark_winners"]

SIGN_FREE = np.int32(0x7FFFFFFF)
INFINITY = np.int32(0x7F800000)
LOWEST, HIGHEST = -(2**31), 2**31 - 1


@compiled
def mark_winners(bits: Any, k: int, keys: Any, marks: Any) -> None:
    """Mark the k largest of each row of float32 numbers; the lowest index wins a tie, NaN wins against all.

        marks[r, i] = fewer than k units j have  x[r, j] > x[r, i],  or  x[r, j] == x[r, i] and j < i

    bits   (R, n)  i32   the numbers' bits
    k      integer       0 < k < n
    keys   (n,)    i32   scratch
    marks  (R, n)  bool  overwritten

    Work    about 15 * n compares a row, 32 * n at most: an interval of keys is halved until exactly k reach its lower
            end, as in sparsenet_kernels.cpu.kwta.
    """
    for row in range(len(bits)):
        _write_keys(bits[row], keys)
        threshold = _reached_by(keys, k)
        above, reaching = 0, 0
        for i in range(len(keys)):
            marks[row, i] = keys[i] >= threshold
            reaching += int(keys[i] >= threshold)
            above += int(keys[i] > threshold)
        if reaching > k:
            _drop_late_ties(keys, threshold, k - above, marks[row])


@compiled
def _write_keys(bits: Any, keys: Any) -> None:
    """Write integers that compare as the numbers do; 0.0 and -0.0 give the same integer."""
    for i in range(len(bits)):
        size = bits[i] & SIGN_FREE
        signed = size if bits[i] >= 0 else -size
        keys[i] = np.int32(HIGHEST) if size > INFINITY else np.int32(signed)


@compiled
def _reached_by(keys: Any, k: int) -> np.int32:
    """Find a key that exactly k others reach, or the k-th largest where ties leave none."""
    low, high = np.int64(LOWEST), np.int64(HIGHEST) + 1
    while high - low > 1:
        middle = (low + high) >> 1
        wanted = np.int32(middle)
        count = np.int32(0)
        for i in range(len(keys)):
            count += np.int32(keys[i] >= wanted)
        if count == k:
            return wanted
        if count > k:
            low = middle
        else:
            high = middle
    return np.int32(low)


@compiled
def _drop_late_ties(keys: Any, threshold: np.int32, wanted: int, marks: Any) -> None:
    """Of the keys equal to the threshold, leave only the first few marked."""
    for i in range(len(keys)):
        if keys[i] == threshold:
            marks[i] = wanted > 0
            wanted -= 1
