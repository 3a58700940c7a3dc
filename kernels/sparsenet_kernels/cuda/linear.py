"""Matrix times vector, in the forms that use no zeros, the weights' zeros, the inputs' zeros, or both.

Dense weights lie in panels, as on the CPU. Of complementary weights an input reads one contiguous row of S slots:

    a thread is a set       every thread walks the inputs and adds to the outputs of its set, which nobody else has
    atomic                  all slots of all active inputs are shared out among the threads, which add atomically
    batched                 a thread is a set, and takes each weight to eight samples
"""

import numpy as np
from numba import int32

from sparsenet_kernels.cuda.api import cuda
from sparsenet_kernels.cuda.launch import kernel
from sparsenet_kernels.cuda.places import smaller

PANELS = "weight weights f32[P, D, L]; constant bias f32[PL]; out out f32[B, N]"
COMPLEMENTARY = "index outputs i32[D, S]; weight weights f32[D, S]; constant bias f32[N]; out out f32[B, N]"
LISTS = "in columns i32[B, K]; in values f32[B, K]; "

TOGETHER = 8
"""Samples to which the batched form takes a weight that it has read."""


@kernel(
    "linear",
    weights="dense",
    inputs="dense",
    arguments="in x f32[B, D]; " + PANELS,
    blocks="B",
    threads="N",
)
def linear_f32_dense_dense(x, weights, bias, out):
    """Multiply dense weights by dense inputs.

        out[b, n] = bias[n] + sum_d x[b, d] * W[n, d]

    x        (B, D)     f32
    weights  (P, D, L)  f32  panels: W[p * L + l, d] = weights[p, d, l]
    bias     (PL,)      f32  zeros behind the N-th
    out      (B, N)     f32  overwritten

    For the small dense layers at a network's ends. It is no match for cuBLAS, against which the study holds the others.

    Work    2 * B * N * D flop; neighbouring threads read neighbouring weights.
    """
    b, lanes = cuda.blockIdx.x, weights.shape[2]
    for n in range(cuda.threadIdx.x, out.shape[1], cuda.blockDim.x):
        # neighbouring threads are neighbouring lanes of a panel: one read serves them together
        p, lane = n // lanes, n % lanes
        total = bias[n]
        for d in range(x.shape[1]):
            total += x[b, d] * weights[p, d, lane]
        out[b, n] = total


@kernel(
    "linear",
    weights="dense",
    inputs="active",
    arguments=LISTS + PANELS,
    blocks="B",
    threads="N",
)
def linear_f32_dense_active(columns, values, weights, bias, out):
    """Add, for each active input, its whole row of a panel.

        out[b, n] = bias[n] + sum_j values[b, j] * W[n, columns[b, j]]

    columns  (B, K)     i32  0 <= columns < D; -1 ends a short row
    values   (B, K)     f32
    weights  (P, D, L)  f32  panels: W[p * L + l, d] = weights[p, d, l]
    bias     (PL,)      f32  zeros behind the N-th
    out      (B, N)     f32  overwritten

    Work    2 * K * N flop per sample.
    """
    b, lanes = cuda.blockIdx.x, weights.shape[2]
    for n in range(cuda.threadIdx.x, out.shape[1], cuda.blockDim.x):
        p, lane = n // lanes, n % lanes
        total = bias[n]
        for j in range(columns.shape[1]):
            d = columns[b, j]
            if d < 0:
                break
            total += values[b, j] * weights[p, d, lane]
        out[b, n] = total


@kernel(
    "linear",
    weights="complementary",
    inputs="dense",
    arguments="in x f32[B, D]; " + COMPLEMENTARY,
    blocks="B",
    threads="S",
)
def linear_f32_complementary_dense(x, outputs, weights, bias, out):
    """Multiply packed sets, route each product to its output, sum. A thread is a set.

        out[b, n] = bias[n] + sum over d, s with outputs[d, s] = n of x[b, d] * weights[d, s]

    x        (B, D)  f32
    outputs  (D, S)  i32  the output each slot belongs to; -1 marks an empty slot
    weights  (D, S)  f32
    bias     (N,)    f32
    out      (B, N)  f32  overwritten

    Work    2 * D * S flop per sample.
    Source  Hunter, Spracklen, Ahmad: "Two Sparsities Are Better Than One" (2022), combine, multiply, route, sum.
    """
    b = cuda.blockIdx.x
    for n in range(cuda.threadIdx.x, out.shape[1], cuda.blockDim.x):
        out[b, n] = bias[n]
    cuda.syncthreads()
    # a set owns its outputs, so threads add without atomics
    for s in range(cuda.threadIdx.x, outputs.shape[1], cuda.blockDim.x):
        for d in range(x.shape[1]):
            n = outputs[d, s]
            if n >= 0:
                out[b, n] += x[b, d] * weights[d, s]


@kernel(
    "linear",
    weights="complementary",
    inputs="dense",
    variant="batched",
    arguments="in x f32[B, D]; " + COMPLEMENTARY,
    blocks="B",
    threads="S",
)
def linear_f32_complementary_dense__batched(x, outputs, weights, bias, out):
    """Take each packed weight to eight samples, and leave out those whose input is zero. A thread is a set.

    x        (B, D)  f32
    outputs  (D, S)  i32  the output each slot belongs to; -1 marks an empty slot
    weights  (D, S)  f32
    bias     (N,)    f32
    out      (B, N)  f32  overwritten

    Samples with winners of their own share few weights: the union of what they need is read, once for all eight.
    Blocks beyond the last eight samples return at once.

    Work    2 * A * S flop per sample with A inputs that are not zero; D * S slots are read for eight samples.
    """
    first = cuda.blockIdx.x * TOGETHER
    end = smaller(first + TOGETHER, x.shape[0])
    for b in range(first, end):
        for n in range(cuda.threadIdx.x, out.shape[1], cuda.blockDim.x):
            out[b, n] = bias[n]
    cuda.syncthreads()
    if first < end:
        for s in range(cuda.threadIdx.x, outputs.shape[1], cuda.blockDim.x):
            for d in range(x.shape[1]):
                # read once, and kept in registers for all samples of the block
                n, weight = outputs[d, s], weights[d, s]
                for b in range(first, end):
                    if n >= 0 and x[b, d] != 0:
                        out[b, n] += x[b, d] * weight


@kernel(
    "linear",
    weights="complementary",
    inputs="active",
    arguments=LISTS + COMPLEMENTARY,
    blocks="B",
    threads="S",
)
def linear_f32_complementary_active(columns, values, outputs, weights, bias, out):
    """Select the active inputs' rows of the packed sets, multiply, route each product to its output, sum.

        out[b, n] = bias[n] + sum over j, s where outputs[d, s] = n of values[b, j] * weights[d, s], d = columns[b, j]

    columns  (B, K)  i32  0 <= columns < D; -1 ends a short row
    values   (B, K)  f32
    outputs  (D, S)  i32  the output each slot belongs to; -1 marks an empty slot
    weights  (D, S)  f32
    bias     (N,)    f32
    out      (B, N)  f32  overwritten

    One active input reads one contiguous row of S slots, a slot for each thread; a thread is a set.

    Work    2 * K * S flop per sample.
    Source  Hunter, Spracklen, Ahmad: "Two Sparsities Are Better Than One" (2022), the sparse-sparse case.
    """
    b = cuda.blockIdx.x
    for n in range(cuda.threadIdx.x, out.shape[1], cuda.blockDim.x):
        out[b, n] = bias[n]
    cuda.syncthreads()
    for s in range(cuda.threadIdx.x, outputs.shape[1], cuda.blockDim.x):
        for j in range(columns.shape[1]):
            d = columns[b, j]
            if d < 0:
                break
            n = outputs[d, s]
            if n >= 0:
                out[b, n] += values[b, j] * weights[d, s]


@kernel(
    "linear",
    weights="complementary",
    inputs="active",
    variant="atomic",
    arguments=LISTS + COMPLEMENTARY,
    blocks="B",
    threads="D",
)
def linear_f32_complementary_active__atomic(columns, values, outputs, weights, bias, out):
    """Share out all slots of all active inputs among the threads, and add each product to its output atomically.

    columns  (B, K)  i32  0 <= columns < D; -1 ends a short row
    values   (B, K)  f32
    outputs  (D, S)  i32  the output each slot belongs to; -1 marks an empty slot
    weights  (D, S)  f32
    bias     (N,)    f32
    out      (B, N)  f32  overwritten; the order of additions, and so the last bits, may differ between calls

    Work    2 * K * S flop and K * S atomic additions per sample.
    """
    length = cuda.shared.array(0, int32)
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    sets = outputs.shape[1]
    if thread == 0:
        length[0] = columns.shape[1]
    for n in range(thread, out.shape[1], threads):
        out[b, n] = bias[n]
    cuda.syncthreads()
    for j in range(thread, columns.shape[1], threads):
        if columns[b, j] < 0:
            cuda.atomic.min(length, 0, np.int32(j))
    cuda.syncthreads()
    for slot in range(thread, length[0] * sets, threads):
        j, s = slot // sets, slot % sets
        d = columns[b, j]
        n = outputs[d, s]
        if n >= 0:
            cuda.atomic.add(out, (b, n), values[b, j] * weights[d, s])
