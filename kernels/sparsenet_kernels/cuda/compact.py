"""Between dense activations and active lists."""

import numpy as np
from numba import int32

from sparsenet_kernels.cuda.api import cuda, device_function
from sparsenet_kernels.cuda.launch import kernel
from sparsenet_kernels.cuda.places import count_of


@kernel(
    "compact",
    arguments="in x f32[B, R, C]; out columns i32[B, R, K]; out values f32[B, R, K]",
    blocks="B R",
    threads="C",
)
def compact_f32(x, columns, values):
    """List the non-zeros of each row.

    x        (B, R, C)  f32
    columns  (B, R, K)  i32  overwritten: columns of the non-zeros, rising; -1 ends a row of fewer than K
    values   (B, R, K)  f32  overwritten up to that end

    K must be at least the largest number of non-zeros in a row; what does not fit is left out.

    Work    one pass over x; as many values as a block has threads are listed together.
    """
    codes = cuda.shared.array(0, int32)
    _, rows, channels = x.shape
    width = columns.shape[2]
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    b, r = cuda.blockIdx.x // rows, cuda.blockIdx.x % rows
    listed = 0
    for first in range(0, channels, threads):
        c = first + thread
        wanted = c < channels and x[b, r, c] != 0
        codes[thread] = 1 if wanted else 0
        cuda.syncthreads()
        # its place: what earlier blocks listed, and the threads before this one
        at = listed + count_of(codes, 0, thread, 1)
        if wanted and at < width:
            columns[b, r, at] = c
            values[b, r, at] = x[b, r, c]
        listed += count_of(codes, 0, threads, 1)
        cuda.syncthreads()
    if thread == 0 and listed < width:
        columns[b, r, listed] = -1


@device_function
def length_of(columns, b, r):
    """Count the entries of a list: those before the first -1."""
    for j in range(columns.shape[2]):
        if columns[b, r, j] < 0:
            return j
    return columns.shape[2]


@kernel(
    "expand",
    arguments="in columns i32[B, R, K]; in values f32[B, R, K]; out out f32[B, R, C]",
    blocks="B R",
    threads="C",
)
def expand_f32(columns, values, out):
    """Write listed values to their places, zeros elsewhere.

    columns  (B, R, K)  i32  0 <= columns < C; -1 ends a short row
    values   (B, R, K)  f32
    out      (B, R, C)  f32  overwritten
    """
    _, rows, channels = out.shape
    b, r = cuda.blockIdx.x // rows, cuda.blockIdx.x % rows
    for c in range(cuda.threadIdx.x, channels, cuda.blockDim.x):
        out[b, r, c] = np.float32(0.0)
    cuda.syncthreads()
    # zeros are there before any value is written
    for j in range(cuda.threadIdx.x, length_of(columns, b, r), cuda.blockDim.x):
        out[b, r, columns[b, r, j]] = values[b, r, j]


@kernel(
    "flatten_active",
    arguments="""
        in columns i32[B, R, K]; in values f32[B, R, K]; constant channels int; out columns_out i32[B, 1, L];
        out values_out f32[B, 1, L]
    """,
    blocks="B",
    threads="R",
)
def flatten_active_f32(columns, values, channels, columns_out, values_out):
    """Join the lists of all positions into one list a sample; position p, channel c becomes p * channels + c.

    columns      (B, R, K)  i32  0 <= columns < channels; -1 ends a short row
    values       (B, R, K)  f32
    columns_out  (B, 1, L)  i32  overwritten; L = R * K; -1 ends a short list
    values_out   (B, 1, L)  f32  overwritten up to that end

    A thread takes a position; it begins where those before it end.
    """
    lengths = cuda.shared.array(0, int32)
    _, rows, _ = columns.shape
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    b = cuda.blockIdx.x
    listed = 0
    for first in range(0, rows, threads):
        r = first + thread
        length = length_of(columns, b, r) if r < rows else 0
        lengths[thread] = length
        cuda.syncthreads()
        # every thread adds up the lengths itself: they are few, and no scan is needed
        at, total = listed, 0
        for i in range(threads):
            at += lengths[i] if i < thread else 0
            total += lengths[i]
        for j in range(length):
            columns_out[b, 0, at + j] = r * channels + columns[b, r, j]
            values_out[b, 0, at + j] = values[b, r, j]
        listed += total
        cuda.syncthreads()
    if thread == 0 and listed < columns_out.shape[2]:
        columns_out[b, 0, listed] = -1
