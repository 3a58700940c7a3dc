"""The k winners of 64 bytes, for eight groups of 64 at a time.

A group's bytes are turned into eight *planes*: plane b holds bit b of all 64 as one 64-bit mask. The winners are then
found bit by bit from the top, by counting how many candidates have the bit set:

    rank = k - 1                       how many candidates still win beside the last winner
    for each plane, highest bit first:
        set = candidates & plane
        if popcount(set) > rank:       candidates = set
        else:                          winners |= set;  candidates ^= set;  rank -= popcount(set)

The index goes on where the bytes end: six more planes, the same for all groups, prefer lower indices, so ties need no
rule of their own, and the last candidate is the last winner. Eight groups lie in the eight lanes of one vector, so each
step above is one instruction for all of them; nothing depends on the data.

Searching a threshold for each group by itself, by comparing all bytes with it, took 2.5 times as long.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from sparsenet_kernels.simd.byte_code import BYTES, INT8, call, filled, spread
from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.target import has

__all__ = ["GROUPS", "store_winners"]

GROUPS = 8
"""Groups of 64 bytes that are searched together."""

MASKS = ir.VectorType(INT64, GROUPS)
FLAGS = ir.VectorType(ir.IntType(1), 64)

LOWER_HALVES = (
    0x00000000FFFFFFFF,
    0x0000FFFF0000FFFF,
    0x00FF00FF00FF00FF,
    0x0F0F0F0F0F0F0F0F,
    0x3333333333333333,
    0x5555555555555555,
)
"""The planes of the index: bit i of each says that one bit of i is not set, highest first."""


@intrinsic
def store_winners(typing_context, out, x, index, k):
    """Keep the k largest of each of eight groups of 64 bytes, set the others to zero; the lowest index wins a tie.

    ``index`` is where the groups begin, in ``x.ravel()`` and in ``out.ravel()``, which may be the same; 1 <= k <= 64.
    """

    def emit(context, builder, signature, args):
        out_type, x_type, index_type, k_type = signature.args
        start = context.cast(builder, args[2], index_type, types.intp)
        places = [builder.add(start, INT64(64 * group)) for group in range(GROUPS)]
        pointers = [_bytes_at(context, builder, x_type, args[1], place) for place in places]
        values = [builder.load(pointer, align=1) for pointer in pointers]
        last = builder.sub(context.cast(builder, args[3], k_type, types.int64), INT64(1))
        winners = _select(builder, _planes(context, builder, values), spread(builder, last, MASKS))
        for group, place in enumerate(places):
            flags = builder.bitcast(builder.extract_element(winners, INT32(group)), FLAGS)
            kept = builder.select(flags, values[group], filled(BYTES, 0))
            builder.store(kept, _bytes_at(context, builder, out_type, args[0], place), align=1)
        return context.get_dummy_value()

    return types.void(out, x, index, k), emit


def _bytes_at(context, builder, array_type, array, place):
    pointer = element_pointer(context, builder, array_type, array, place, types.intp, INT64(64))
    return builder.bitcast(pointer, BYTES.as_pointer())


def _select(builder, planes, rank):
    """Emit the search; the module's text says how it goes."""
    winners, candidates = filled(MASKS, 0), filled(MASKS, -1)
    for plane in [*reversed(planes), *(filled(MASKS, half) for half in LOWER_HALVES)]:
        chosen = builder.and_(candidates, plane)
        count = call(builder, "llvm.ctpop.v8i64", MASKS, chosen)
        all_win = builder.icmp_unsigned("<=", count, rank)
        winners = builder.select(all_win, builder.or_(winners, chosen), winners)
        candidates = builder.select(all_win, builder.xor(candidates, chosen), chosen)
        rank = builder.select(all_win, builder.sub(rank, count), rank)
    return builder.or_(winners, candidates)


def _planes(context, builder, values):
    """Emit the eight planes, lowest bit first, of eight vectors of 64 bytes: lane g of a plane belongs to vector g."""
    if has(context, "avx512vbmi", "gfni"):
        return _transposed(builder, [_planes_by_affine(builder, value) for value in values])
    return [_plane_by_tests(builder, values, 1 << bit) for bit in range(8)]


def _plane_by_tests(builder, values, bit):
    plane = ir.Constant(MASKS, ir.Undefined)
    for group, value in enumerate(values):
        is_set = builder.icmp_unsigned("!=", builder.and_(value, filled(BYTES, bit)), filled(BYTES, 0))
        plane = builder.insert_element(plane, builder.bitcast(is_set, INT64), INT32(group))
    return plane


def _planes_by_affine(builder, value):
    """Emit the planes of one vector, one in each 64-bit lane.

    Multiplying by a matrix of bits transposes blocks of 8 x 8 bits when the data are the matrix, and reverses the order
    of each byte's bits; a second multiplication puts that right. Then the bytes of each plane are gathered.
    """
    bits = ir.Constant(BYTES, [1 << place % 8 for place in range(64)])  # as vectors the unit matrix, as matrix reversal
    straight = _affine(builder, _affine(builder, bits, value), bits)
    order = ir.Constant(BYTES, [place % 8 * 8 + place // 8 for place in range(64)])
    gathered = call(builder, "llvm.x86.avx512.permvar.qi.512", BYTES, straight, order)
    return builder.bitcast(gathered, MASKS)


def _affine(builder, vectors, matrices):
    """Emit, for each byte: bit i is the parity of the byte & byte 7 - i of the matrix in its 64-bit lane."""
    return call(builder, "llvm.x86.vgf2p8affineqb.512", BYTES, vectors, matrices, INT8(0))


def _transposed(builder, rows):
    """Emit the transpose of 8 x 8 masks in three rounds of eight shuffles.

    The first joins the even, or the odd, columns of two rows in pairs; the others choose among four pairs each.
    """
    columns = {}
    for odd in (0, 1):
        pairs = [_columns_of(builder, rows[row], rows[row + 1], odd) for row in (0, 2, 4, 6)]
        for second in (0, 1):
            quads = [_every_other_pair(builder, pairs[at], pairs[at + 1], second) for at in (0, 2)]
            for fourth in (0, 1):
                columns[odd + 2 * second + 4 * fourth] = _every_other_pair(builder, *quads, fourth)
    return [columns[column] for column in range(8)]


def _columns_of(builder, a, b, odd):
    """Emit ``a[odd], b[odd], a[odd + 2], b[odd + 2]`` and so on."""
    return _shuffled(builder, a, b, [start + 2 * pair + odd for pair in range(4) for start in (0, 8)])


def _every_other_pair(builder, a, b, first):
    """Emit the pairs ``first`` and ``first + 2`` of a, then those of b."""
    return _shuffled(builder, a, b, [start + 2 * first + lane for start in (0, 8) for lane in (0, 1, 4, 5)])


def _shuffled(builder, a, b, lanes):
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, GROUPS), lanes))
