"""k-winners-take-all: exactly k winners, the lowest index wins a tie.

Where many compete, the threshold is found digit by digit (*radix select*): values become keys that compare as they do,
32 bits in four digits, and a histogram in shared memory counts one digit of those keys that share the digits above it.
It is how an FPGA finds the winners among bytes, four times over. Where few compete, each thread counts who beats its
value: no histogram, no atomics.
"""

import numpy as np
from numba import int32

from sparsenet_kernels.cuda.api import cuda, device_function
from sparsenet_kernels.cuda.launch import BINS, kernel
from sparsenet_kernels.cuda.places import count_of, larger, smaller

WINNERS = "in x f32[B, R, C]; constant factor f32[C]; out columns i32[B, R, K]; out values f32[B, R, K]"

ABOVE, TIE, LOSER = 2, 1, 0
"""What a value is to the threshold."""

LOWEST = np.float32(-np.inf)
"""The rank of NaN, where ranks are compared as floats: without one, more may win than there is room for."""


@device_function
def order_key(rank):
    """Return 32 bits, as an integer from 0, that compare as ranks do; -0.0 and 0.0 get the same."""
    bits = np.int64(rank.view(np.int32))
    return (2**31 - (bits & 0x7FFFFFFF)) if bits < 0 else bits + 2**31


@device_function
def exact_key(value, scale):
    """Return 60 bits, as an integer from 0, that compare as exact products do; float64 has five digits to spare."""
    bits = np.int64((np.float64(value) * np.float64(scale)).view(np.int64))
    size = (bits & 0x7FFFFFFFFFFFFFFF) >> 5
    return 2**58 - size if bits < 0 else 2**58 + size


@device_function
def count_digit(x, factor, b, start, n, channels, prefix, shift, counts):
    """Count, in shared memory, a digit of the keys whose higher digits are ``prefix``; begins and ends in step."""
    for digit in range(cuda.threadIdx.x, BINS, cuda.blockDim.x):
        counts[digit] = 0
    cuda.syncthreads()
    for i in range(cuda.threadIdx.x, n, cuda.blockDim.x):
        element = start + i
        key = order_key(x[b, element // channels, element % channels] * factor[i])
        if key >> (shift + 8) == prefix:
            cuda.atomic.add(counts, (key >> shift) & (BINS - 1), 1)
    cuda.syncthreads()


@device_function
def count_exact_digit(x, factor, b, start, n, channels, tied, prefix, shift, counts):
    """Count a digit of the exact keys whose higher digits are ``prefix``, among elements with one rounded key."""
    for digit in range(cuda.threadIdx.x, BINS, cuda.blockDim.x):
        counts[digit] = 0
    cuda.syncthreads()
    for i in range(cuda.threadIdx.x, n, cuda.blockDim.x):
        element = start + i
        value = x[b, element // channels, element % channels]
        if order_key(value * factor[i]) == tied:
            key = exact_key(value, factor[i])
            if (key >> shift) >> 8 == prefix:
                cuda.atomic.add(counts, (key >> shift) & (BINS - 1), 1)
    cuda.syncthreads()


@device_function
def exact_threshold_of(x, factor, b, start, n, channels, tied, equal, wanted, counts):
    """Find, among the ``equal`` elements whose rounded keys tie, the exact key of the last of those that win.

    Also returned is how many win of those that tie with that. Rounding keeps order, so no others are in doubt; where
    all of them win, nothing is searched.
    """
    if wanted == equal:
        return 0, 0
    prefix = 0
    for shift in (56, 48, 40, 32, 24, 16, 8, 0):
        count_exact_digit(x, factor, b, start, n, channels, tied, prefix, shift, counts)
        digit = BINS - 1
        while digit > 0 and wanted > counts[digit]:
            wanted -= counts[digit]
            digit -= 1
        prefix = prefix * BINS + digit
        cuda.syncthreads()
    return prefix, wanted


@device_function
def code_of(value, scale, threshold, limit):
    """Say what a value is to the threshold: its rounded key decides, or else its exact one."""
    key = order_key(value * scale)
    if key != threshold:
        return ABOVE if key > threshold else LOSER
    exact = exact_key(value, scale)
    return ABOVE if exact > limit else TIE if exact == limit else LOSER


@device_function
def threshold_of(x, factor, b, start, n, channels, k, counts):
    """Find the k-th largest key of elements ``start`` to ``start + n`` of a sample; count those with it that win.

    Returned are the key, how many elements have it, and how many of these win. All threads of the block must call it,
    and get the same answer; k = 0 gives a key that no value has.
    """
    prefix, wanted, equal = 0, k, 0
    for shift in (24, 16, 8, 0):
        count_digit(x, factor, b, start, n, channels, prefix, shift, counts)
        digit = BINS - 1
        while digit > 0 and wanted > counts[digit]:
            wanted -= counts[digit]
            digit -= 1
        prefix, equal = prefix * BINS + digit, counts[digit]
        cuda.syncthreads()
    return prefix, equal, wanted


@kernel("kwta", reference="k_winners", arguments=WINNERS, blocks="B R", threads="C")
def kwta_f32(x, factor, columns, values):
    """Select the K largest of the C values at each position and list them.

    x        (B, R, C)  f32  NaN may win or lose
    factor   (C,)       f32  positive; values are ranked by x * factor
    columns  (B, R, K)  i32  overwritten: the winners' channels, rising; K <= C
    values   (B, R, K)  f32  overwritten: their values, unchanged

    Work    five passes over C values a position, four histograms of 256 counts; eight more where ranks tie.
    """
    counts = cuda.shared.array(0, int32)
    codes = counts[BINS:]
    _, rows, channels = x.shape
    k = columns.shape[2]
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    b, r = cuda.blockIdx.x // rows, cuda.blockIdx.x % rows
    threshold, equal, wanted = threshold_of(x, factor, b, r * channels, channels, channels, k, counts)
    limit, ties = exact_threshold_of(x, factor, b, r * channels, channels, channels, threshold, equal, wanted, counts)
    listed = 0
    for first in range(0, channels, threads):
        c = first + thread
        code = code_of(x[b, r, c], factor[c], threshold, limit) if c < channels else LOSER
        # every thread tells what became of its channel; each then counts those before it
        codes[thread] = code
        cuda.syncthreads()
        above, tied = count_of(codes, 0, thread, ABOVE), count_of(codes, 0, thread, TIE)
        if code == ABOVE or (code == TIE and tied < ties):
            columns[b, r, listed + above + smaller(tied, ties)] = c
            values[b, r, listed + above + smaller(tied, ties)] = x[b, r, c]
        above, tied = count_of(codes, 0, threads, ABOVE), count_of(codes, 0, threads, TIE)
        # all threads count alike, so `listed` and `ties` need not be shared
        listed += above + smaller(tied, ties)
        ties -= smaller(tied, ties)
        cuda.syncthreads()


@device_function
def is_above(value, scale, other, other_scale, is_first):
    """Tell whether a value is ranked above another: rounded ranks decide, exact ones where those tie."""
    rank, other_rank = larger(value * scale, LOWEST), larger(other * other_scale, LOWEST)
    if rank != other_rank:
        return rank > other_rank
    exact = larger(np.float64(value) * np.float64(scale), np.float64(LOWEST))
    other_exact = larger(np.float64(other) * np.float64(other_scale), np.float64(LOWEST))
    return exact > other_exact or (exact == other_exact and is_first)


@kernel("kwta", variant="ranked", reference="k_winners", arguments=WINNERS, blocks="B R", threads="C")
def kwta_f32__ranked(x, factor, columns, values):
    """Select the K largest of the C values at each position and list them, by counting who beats each.

        wins[c] = K > number of d with rank[d] > rank[c], or rank[d] == rank[c] and d < c

    x        (B, R, C)  f32  NaN may win or lose
    factor   (C,)       f32  positive; values are ranked by x * factor
    columns  (B, R, K)  i32  overwritten: the winners' channels, rising; K <= C
    values   (B, R, K)  f32  overwritten: their values, unchanged

    Work    C * C comparisons a position, which all threads make side by side.
    """
    codes = cuda.shared.array(0, int32)
    _, rows, channels = x.shape
    k = columns.shape[2]
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    b, r = cuda.blockIdx.x // rows, cuda.blockIdx.x % rows
    listed = 0
    for first in range(0, channels, threads):
        c = first + thread
        code = LOSER
        if c < channels:
            beaten_by = 0
            for d in range(channels):
                if is_above(x[b, r, d], factor[d], x[b, r, c], factor[c], d < c):
                    beaten_by += 1
            code = ABOVE if beaten_by < k else LOSER
        codes[thread] = code
        cuda.syncthreads()
        if code == ABOVE:
            at = listed + count_of(codes, 0, thread, ABOVE)
            columns[b, r, at] = c
            values[b, r, at] = x[b, r, c]
        listed += count_of(codes, 0, threads, ABOVE)
        cuda.syncthreads()


@kernel(
    "kwta_map",
    reference="k_winners_all",
    arguments="in x f32[B, R, C]; constant factor f32[RC]; constant k int; out out f32[B, R, C]",
    blocks="B",
    threads="RC",
)
def kwta_map_f32(x, factor, k, out):
    """Keep the k largest of all R * C values of a sample, set the others to zero.

    x       (B, R, C)  f32  NaN may win or lose
    factor  (RC,)      f32  positive, in the order of memory; values are ranked by x * factor
    k       int             0 <= k <= R * C
    out     (B, R, C)  f32  overwritten

    Of tied values the one with the lowest index in (C, R) order wins, as the network's meaning has it: the last pass
    goes through them in that order.

    Work    five passes over R * C values a sample, by one block.
    """
    counts = cuda.shared.array(0, int32)
    codes = counts[BINS:]
    _, rows, channels = x.shape
    n = rows * channels
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    b = cuda.blockIdx.x
    threshold, equal, wanted = threshold_of(x, factor, b, 0, n, channels, k, counts)
    limit, ties = exact_threshold_of(x, factor, b, 0, n, channels, threshold, equal, wanted, counts)
    for first in range(0, n, threads):
        i = first + thread
        # in (C, R) order, which decides ties
        r, c = i % rows, i // rows
        code = code_of(x[b, r, c], factor[r * channels + c], threshold, limit) if i < n else LOSER
        codes[thread] = code
        cuda.syncthreads()
        tied = count_of(codes, 0, thread, TIE)
        if i < n:
            wins = code == ABOVE or (code == TIE and tied < ties)
            out[b, r, c] = x[b, r, c] if wins else np.float32(0.0)
        ties -= smaller(count_of(codes, 0, threads, TIE), ties)
        cuda.syncthreads()
