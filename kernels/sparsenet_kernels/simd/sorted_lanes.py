"""The largest numbers of each of 16 rows, one row in each lane.

A tile of 8 or 16 vectors holds a run: each lane's numbers, falling. A network of comparisons sorts the next columns of
the rows into another run; the largest of two runs a and b are max(a[i], b[-1 - i]), which another network sorts:

    best 9 7 5 3 …   more 8 6 4 2 …   largest of both, unsorted   sorted

Every comparison orders two vectors, that is 16 pairs, without a branch.

Source  Batcher: "Sorting networks and their applications" (1968).
"""

from llvmlite import ir
from numba.core import types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.ops import spread
from sparsenet_kernels.simd.types import TileType, f32x16

__all__ = ["put_in_order", "ranks_in_lanes", "run_at", "sorted_largest", "sorted_run"]

FOUR = ir.VectorType(ir.FloatType(), 4)
NONE = ir.Constant(f32x16.llvm, [float("-inf")] * 16)


def sorting(size):
    """Pairs to put in order, one after the other, to sort ``size`` numbers, a power of two: 19 for 8, 63 for 16."""
    if size == 1:
        return []
    half = sorting(size // 2)
    return [*half, *((a + size // 2, b + size // 2) for a, b in half), *joining(size)]


def joining(size):
    """Pairs to put in order to sort two sorted halves."""
    pairs, step = [(i, i + size // 2) for i in range(size // 2)], size // 4
    while step:
        pairs += [(i, i + step) for i in range(step, size - step) if i // step % 2]
        step //= 2
    return pairs


def merging(size):
    """Pairs to put in order to sort a bitonic sequence: one that rises after it fell, or the other way round."""
    steps = [size >> i for i in range(1, size.bit_length())]
    return [(i, i + step) for step in steps for i in range(size) if not i & step]


@intrinsic
def ranks_in_lanes(typing_context, size, x, index, width, last, factor, column):
    """Turn columns ``column`` to ``column + size - 1`` (8 or 16) of 16 rows into lanes, and sort every lane.

        rows = x.ravel()[index : index + 16 * width].reshape(16, width) * factor
        tile[:, r] = np.sort(rows[r, column : column + size])[::-1]

    Rows behind the last one, at most 15, repeat it; columns that the rows do not have are -inf. Rows have eight columns
    or more: the last eight are read once more where fewer remain.
    """
    tile = TileType(_literal(size), 1)

    def emit(context, builder, signature, args):
        start, columns, end, first = (
            context.cast(builder, args[i], signature.args[i], types.intp) for i in (2, 3, 4, 6)
        )
        arrays = (signature.args[1], args[1]), (signature.args[5], args[5])
        # where each row begins; those behind the last one repeat it, so nothing outside is read
        rows = [builder.add(start, builder.mul(columns, _smaller(builder, INT64(row), end))) for row in range(16)]
        vectors = []
        for eight in range(0, tile.rows, 8):
            # eight columns of 16 rows; the last eight again where fewer remain
            wanted = builder.add(first, INT64(eight))
            place = _smaller(builder, wanted, builder.sub(columns, INT64(8)))
            ranks = _eight_ranks(context, builder, *arrays, rows, place)
            # columns that were read before count for nothing
            vectors += _without_first(builder, ranks, builder.sub(wanted, place))
        return _tile(builder, tile, _in_order(builder, vectors, sorting(tile.rows)))

    return tile(size, x, index, width, last, factor, column), emit


@intrinsic
def run_at(typing_context, size, array, index):
    """``array.ravel()[index : index + 16 * size].reshape(size, 16)``, as a tile."""
    tile = TileType(_literal(size), 1)

    def emit(context, builder, signature, args):
        start = context.cast(builder, args[2], signature.args[2], types.intp)
        places = [builder.add(start, INT64(16 * i)) for i in range(tile.rows)]
        vectors = [
            builder.load(_vector_at(context, builder, signature.args[1], args[1], place), align=4) for place in places
        ]
        return _tile(builder, tile, vectors)

    return tile(size, array, index), emit


@intrinsic
def sorted_largest(typing_context, a, b):
    """Keep the largest half of two runs in every lane; both are sorted, falling, and so is the result."""

    def emit(context, builder, signature, args):
        # mirrored pairs: the larger ones are the largest of both runs, falling and rising again
        pairs = [(i, a.rows - 1 - i) for i in range(a.rows)]
        pairs = [(builder.extract_value(args[0], i), builder.extract_value(args[1], j)) for i, j in pairs]
        return _tile(builder, a, _in_order(builder, [_larger(builder, *pair) for pair in pairs], merging(a.rows)))

    return a(a, b), emit


@intrinsic
def sorted_run(typing_context, tile):
    """Sort a tile that is bitonic in every lane."""

    def emit(context, builder, signature, args):
        vectors = [builder.extract_value(args[0], i) for i in range(tile.rows)]
        return _tile(builder, tile, _in_order(builder, vectors, merging(tile.rows)))

    return tile(tile), emit


@intrinsic
def put_in_order(typing_context, array, first, second):
    """Exchange the lanes of two vectors, at two places of an array, where the first is smaller."""

    def emit(context, builder, signature, args):
        places = [context.cast(builder, args[i], signature.args[i], types.intp) for i in (1, 2)]
        pointers = [_vector_at(context, builder, signature.args[0], args[0], place) for place in places]
        vectors = [builder.load(pointer, align=4) for pointer in pointers]
        for vector, pointer in zip(_ordered(builder, *vectors), pointers, strict=True):
            builder.store(vector, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, first, second), emit


def _literal(size):
    if not isinstance(size, types.IntegerLiteral):
        raise RequireLiteralValue("expected a literal number of vectors")
    return size.literal_value


def _eight_ranks(context, builder, x, factor, rows, place):
    """Emit eight columns of 16 rows, each times its factor."""
    turned = []
    for half in (0, 4):
        places = [builder.add(row, builder.add(place, INT64(half))) for row in rows]
        # 16 rows of four numbers become four vectors, a row in each lane
        turned += _turned(builder, [_load_four(context, builder, *x, at) for at in places])
    scales = [
        element_pointer(context, builder, *factor, builder.add(place, INT64(i)), types.intp, INT64(1)) for i in range(8)
    ]
    return [
        builder.fmul(vector, spread(builder, builder.load(scale), f32x16))
        for vector, scale in zip(turned, scales, strict=True)
    ]


def _without_first(builder, vectors, count):
    """Emit vectors of which the first ``count``, which is 0 for most, are replaced by -inf."""
    before = builder.block
    with builder.if_then(builder.icmp_signed(">", count, INT64(0)), likely=False):
        replaced = [
            builder.select(builder.icmp_signed(">", count, INT64(i)), NONE, vector) for i, vector in enumerate(vectors)
        ]
        inside = builder.block
    chosen = []
    for vector, other in zip(vectors, replaced, strict=True):
        phi = builder.phi(f32x16.llvm)
        phi.add_incoming(vector, before)
        phi.add_incoming(other, inside)
        chosen.append(phi)
    return chosen


def _smaller(builder, a, b):
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _vector_at(context, builder, array_type, array, place):
    pointer = element_pointer(context, builder, array_type, array, place, types.intp)
    return builder.bitcast(pointer, f32x16.llvm.as_pointer())


def _load_four(context, builder, array_type, array, place):
    pointer = element_pointer(context, builder, array_type, array, place, types.intp, INT64(4))
    return builder.load(builder.bitcast(pointer, FOUR.as_pointer()), align=4)


def _turned(builder, rows):
    """Emit the transpose of 16 rows of four: rows r, r + 4, r + 8, r + 12 are joined, then 4 x 4 are transposed."""
    joined = [_joined(builder, rows[r::4]) for r in range(4)]
    # lane 4 * q + i of joined[r] is column i of row 4 * q + r
    low, high = (
        [_in_quarters(builder, joined[r], joined[r + 1], lanes) for r in (0, 2)]
        for lanes in ((0, 16, 1, 17), (2, 18, 3, 19))
    )
    return [_in_quarters(builder, *pair, lanes) for pair in (low, high) for lanes in ((0, 1, 16, 17), (2, 3, 18, 19))]


def _joined(builder, quarters):
    # four rows of four numbers side by side: two pairs of eight lanes, then one of sixteen
    eights = [_shuffle(builder, *quarters[i : i + 2], range(8)) for i in (0, 2)]
    return _shuffle(builder, *eights, range(16))


def _in_quarters(builder, a, b, lanes):
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
    return _larger(builder, a, b), builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _larger(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _tile(builder, tile, vectors):
    value = ir.Constant(tile.llvm, ir.Undefined)
    for i, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, i)
    return value
