"""Convolution that walks its weights, with neighbouring positions in lanes."""

from sparsenet_kernels.cpu.conv2d_arguments import PLAIN, POOLED
from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import kernel
from sparsenet_kernels.simd.ops import splat, store
from sparsenet_kernels.simd.shifted import add_shifted

CSR = """
    in planes f32[B, Q]; index indptr i32[N1]; index offsets i32[Z]; weight weights f32[Z]; constant bias f32[N];
    constant row int; scratch sums f32[S]; out out f32[B, OH, OW, N]
"""


@helper
def sum_planes(wanted, planes, start, first, end, offsets, weights, sums, q):
    """Add the shifted planes of one output channel to ``wanted`` vectors of sums, 12 at most."""
    if wanted == 12:
        add_shifted(12, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 11:
        add_shifted(11, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 10:
        add_shifted(10, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 9:
        add_shifted(9, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 8:
        add_shifted(8, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 7:
        add_shifted(7, planes, start, offsets, weights, first, end, sums, q)
    else:
        sum_few_planes(wanted, planes, start, first, end, offsets, weights, sums, q)


@helper
def sum_few_planes(wanted, planes, start, first, end, offsets, weights, sums, q):
    """Do what :func:`sum_planes` does for at most 6 vectors."""
    if wanted == 6:
        add_shifted(6, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 5:
        add_shifted(5, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 4:
        add_shifted(4, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 3:
        add_shifted(3, planes, start, offsets, weights, first, end, sums, q)
    elif wanted == 2:
        add_shifted(2, planes, start, offsets, weights, first, end, sums, q)
    else:
        add_shifted(1, planes, start, offsets, weights, first, end, sums, q)


LARGEST = {"wide": 12, "narrow": 6}
"""Vectors of positions whose sums registers hold, and that are therefore computed together, at most."""

SUM_PLANES = {"wide": sum_planes, "narrow": sum_few_planes}


@helper
def write_outputs(sums, row, b, n, out):
    """Write the outputs of one channel; the ends of rows are dropped."""
    for oy in range(out.shape[1]):
        for ox in range(out.shape[2]):
            out[b, oy, ox, n] = sums[oy * row + ox]


@helper
def write_pooled(sums, row, b, n, out):
    """Write the largest of each 2 x 2 outputs of one channel."""
    for oy in range(out.shape[1]):
        for ox in range(out.shape[2]):
            above, below = 2 * (oy * row + ox), 2 * (oy * row + ox) + row
            out[b, oy, ox, n] = max(max(sums[above], sums[above + 1]), max(sums[below], sums[below + 1]))


def _csr_dense(fused, variant):
    largest, size = LARGEST[variant], 2 if fused == POOLED else 1
    sum_together, write = SUM_PLANES[variant], write_pooled if fused == POOLED else write_outputs

    @kernel("conv2d", fused=fused, weights="csr", inputs="dense", variant=variant, arguments=CSR)
    def csr_dense(planes, indptr, offsets, weights, bias, row, sums, out):
        """Add, for each output channel and each of its weights, a shifted plane of the input.

            out[b, oy, ox, n] = bias[n] + sum_z weights[z] * planes[b, offsets[z] + oy * row + ox]

        planes   (B, Q)          f32  the padded input as planes of channels and of stride phases (see split_phases);
                                      Q leaves room for a whole number of vectors behind every offset
        indptr   (N1,)           i32  N1 = N + 1; weights of output n are indptr[n]:indptr[n + 1]
        offsets  (Z,)            i32  where the plane of a weight's tap begins
        weights  (Z,)            f32
        bias     (N,)            f32
        row                           numbers in a row of a plane
        sums     (S,)            f32  scratch for one output channel, a whole number of vectors
        out      (B, OH, OW, N)  f32  overwritten; for conv2d_pool2 half the convolution's size, rounded down

        Positions lie in lanes, so no weight is multiplied in vain; the ends of rows are computed and dropped. All
        vectors of a channel are summed in one walk over its weights where registers hold them.

        Work    2 * OH * row * nnz flop per sample, twice the rows where they are pooled.
        Source  the shifted planes: Park et al., "Faster CNNs with Direct Sparse Convolutions" (ICLR 2017), section 2.
        """
        samples, plane_size = planes.shape
        _, out_height, out_width, outputs = out.shape
        # lanes are positions, row after row, the ends of rows among them
        vectors = ((size * out_height - 1) * row + size * out_width + 15) // 16
        # as few walks over a channel's weights as registers allow, equally long
        walks = (vectors + largest - 1) // largest
        step = (vectors + walks - 1) // walks if walks > 0 else 1
        for b in range(samples):
            for n in range(outputs):
                for vector in range(vectors):
                    # sums begin with the bias and go into registers at the start of a walk
                    store(sums, 16 * vector, splat(bias[n]))
                for vector in range(0, vectors, step):
                    q = 16 * vector
                    first, end = index(indptr[n]), index(indptr[n + 1])
                    wanted = min(step, vectors - vector)
                    # each weight is spread once and multiplied with `wanted` vectors of its shifted plane
                    sum_together(wanted, planes, b * plane_size + q, first, end, offsets, weights, sums, q)
                write(sums, row, b, n, out)


for _fused in (PLAIN, POOLED):
    for _variant in LARGEST:
        _csr_dense(_fused, _variant)
