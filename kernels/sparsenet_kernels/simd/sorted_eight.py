"""The eight largest numbers of each of 16 rows, one row in each lane.

A tile of eight vectors holds each lane's largest, falling. Eight more are sorted by a network of 19 comparisons; the
largest eight of two sorted eights a and b are max(a[i], b[7 - i]), which a bitonic network of 12 comparisons sorts:

    best 9 7 5 3 …   more 8 6 4 2 …   largest of both, unsorted   sorted

Every comparison orders two vectors, that is 16 pairs, without a branch.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.ops import spread
from sparsenet_kernels.simd.types import TileType, f32x16

__all__ = ["largest_eight", "ranks_in_lanes"]

EIGHT = TileType(8, 1)
FOUR = ir.VectorType(ir.FloatType(), 4)

SORT = (
    *((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (1, 2), (5, 6)),
    *((0, 4), (3, 7), (1, 5), (2, 6), (1, 4), (3, 6), (2, 4), (3, 5), (3, 4)),
)
"""Pairs to put in order, one after the other, to sort eight: 19 are the fewest that do."""

MERGE = tuple((i, i + step) for step in (4, 2, 1) for i in range(8) if not i & step)
"""Pairs to put in order to sort a bitonic sequence of eight."""


@intrinsic
def ranks_in_lanes(typing_context, x, index, step, factor, column):
    """Turn eight columns of 16 rows, so that each row lies in a lane, and sort every lane.

    ``tile[:, r] = np.sort(x.ravel()[index + r * step :][:8] * factor.ravel()[column : column + 8])[::-1]``
    """

    def emit(context, builder, signature, args):
        x_type, index_type, step_type, factor_type, column_type = signature.args
        start, stride, first = (
            context.cast(builder, value, given, types.intp)
            for value, given in zip((args[1], args[2], args[4]), (index_type, step_type, column_type), strict=True)
        )
        rows = [builder.add(start, builder.mul(stride, INT64(row))) for row in range(16)]
        vectors = []
        for half in (0, 4):
            places = [builder.add(row, INT64(half)) for row in rows]
            vectors += _turned(builder, [_load_four(context, builder, x_type, args[0], place) for place in places])
        for i in range(8):
            place = builder.add(first, INT64(i))
            pointer = element_pointer(context, builder, factor_type, args[3], place, types.intp, INT64(1))
            vectors[i] = builder.fmul(vectors[i], spread(builder, builder.load(pointer), f32x16))
        return _tile(builder, _in_order(builder, vectors, SORT))

    return EIGHT(x, index, step, factor, column), emit


@intrinsic
def largest_eight(typing_context, a, b):
    """Keep the eight largest of both tiles in every lane; both are sorted, falling, and so is the result."""

    def emit(context, builder, signature, args):
        pairs = [[builder.extract_value(args[0], i), builder.extract_value(args[1], 7 - i)] for i in range(8)]
        return _tile(builder, _in_order(builder, [_ordered(builder, *pair)[0] for pair in pairs], MERGE))

    return EIGHT(a, b), emit


def _load_four(context, builder, array_type, array, place):
    pointer = element_pointer(context, builder, array_type, array, place, types.intp, INT64(4))
    return builder.load(builder.bitcast(pointer, FOUR.as_pointer()), align=4)


def _turned(builder, rows):
    """Emit the transpose of 16 rows of four: rows r, r + 4, r + 8, r + 12 are joined, then 4 x 4 are transposed."""
    joined = [_joined(builder, rows[r::4]) for r in range(4)]
    # lane 4 * q + i of joined[r] is column i of row 4 * q + r
    low = [_shuffled(builder, joined[r], joined[r + 1], (0, 16, 1, 17)) for r in (0, 2)]
    high = [_shuffled(builder, joined[r], joined[r + 1], (2, 18, 3, 19)) for r in (0, 2)]
    return [_shuffled(builder, *pair, lanes) for pair in (low, high) for lanes in ((0, 1, 16, 17), (2, 3, 18, 19))]


def _joined(builder, quarters):
    eights = [_shuffle(builder, *quarters[i : i + 2], range(8)) for i in (0, 2)]
    return _shuffle(builder, *eights, range(16))


def _shuffled(builder, a, b, lanes):
    """Emit the same choice of lanes in every quarter of two vectors."""
    return _shuffle(builder, a, b, [4 * quarter + lane for quarter in range(4) for lane in lanes])


def _shuffle(builder, a, b, lanes):
    lanes = list(lanes)
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(lanes)), lanes))


def _in_order(builder, vectors, pairs):
    vectors = list(vectors)
    for a, b in pairs:
        vectors[a], vectors[b] = _ordered(builder, vectors[a], vectors[b])
    return vectors


def _ordered(builder, a, b):
    """Emit the larger and the smaller of two vectors, in the form that LLVM turns into one instruction each."""
    larger = builder.select(builder.fcmp_ordered(">", a, b), a, b)
    smaller = builder.select(builder.fcmp_ordered("<", a, b), a, b)
    return larger, smaller


def _tile(builder, vectors):
    value = ir.Constant(EIGHT.llvm, ir.Undefined)
    for i, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, i)
    return value
