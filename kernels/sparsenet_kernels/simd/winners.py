"""The k winners of 64 bytes, for eight groups of 64 at a time.

A group's bytes are turned into eight *planes*: plane b holds bit b of all 64 as one 64-bit mask. The winners are then
found bit by bit from the top, by counting how many candidates have the bit set:

    rank = k - 1                       how many candidates still win beside the last winner
    for each plane, highest bit first:
        set = candidates & plane
        if popcount(set) > rank:       candidates = set
        else:                          winners |= set;  candidates ^= set;  rank -= popcount(set)

What is left are candidates of one value, of which the lowest rank + 1 win. Eight groups lie in the eight lanes of one
vector, so each step is a few instructions for all of them; nothing depends on the data. Searching several such blocks
side by side gained nothing.

Halving the range of a threshold for each group, by comparing all of its bytes with it, took 1.5 times as long.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from sparsenet_kernels.simd.byte_code import BYTES, INT8, call, filled, kept_lowest, spread
from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.target import has

__all__ = ["GROUPS", "store_winners"]

GROUPS = 8
"""Groups of 64 bytes in a block."""

MASKS = ir.VectorType(INT64, GROUPS)
FLAGS = ir.VectorType(ir.IntType(1), 64)


@intrinsic
def store_winners(typing_context, x, index, k, out):
    """Keep the k largest of each of eight groups of 64 bytes, set the others to zero; the lowest index wins a tie.

    ``index`` is where the groups begin, in ``x.ravel()`` and in ``out.ravel()``, which may be the same; 1 <= k <= 64.
    """

    def emit(context, builder, signature, args):
        x_type, index_type, k_type, out_type = signature.args
        start = context.cast(builder, args[1], index_type, types.intp)
        places = [builder.add(start, INT64(64 * group)) for group in range(GROUPS)]
        values = [builder.load(_bytes_at(context, builder, x_type, args[0], place), align=1) for place in places]
        last = builder.sub(context.cast(builder, args[2], k_type, types.int64), INT64(1))
        winners = _winners(context, builder, _planes(context, builder, values), spread(builder, last, MASKS))
        for place, value, mask in zip(places, values, winners, strict=True):
            kept = builder.select(builder.bitcast(mask, FLAGS), value, filled(BYTES, 0))
            builder.store(kept, _bytes_at(context, builder, out_type, args[3], place), align=1)
        return context.get_dummy_value()

    return types.void(x, index, k, out), emit


def _bytes_at(context, builder, array_type, array, place):
    pointer = element_pointer(context, builder, array_type, array, place, types.intp, INT64(64))
    return builder.bitcast(pointer, BYTES.as_pointer())


def _winners(context, builder, planes, rank):
    """Emit the search; give the mask of the winners of each group."""
    winners, candidates = filled(MASKS, 0), filled(MASKS, -1)
    for plane in reversed(planes):
        winners, candidates, rank = _narrowed(builder, winners, candidates, rank, plane)
    return _masks(context, builder, winners, candidates, rank)


def _narrowed(builder, winners, candidates, rank, plane):
    """Emit one step of the search; ``few`` says where no more candidates have the bit set than can win.

    Each choice follows one operation whose other outcome is an operand, so that a masked instruction does both.
    """
    chosen = builder.and_(candidates, plane)
    rest = builder.sub(rank, call(builder, "llvm.ctpop.v8i64", MASKS, chosen))
    few = builder.icmp_signed(">", rest, filled(MASKS, -1))
    winners = builder.select(few, builder.or_(winners, chosen), winners)
    candidates = builder.select(few, builder.xor(candidates, chosen), chosen)
    return winners, candidates, builder.select(few, rest, rank)


def _masks(context, builder, winners, candidates, rank):
    """Emit the mask of each group of a block: its winners and the lowest of its candidates.

    The lanes go through memory: moving them one by one from a vector register is what the search itself is bound by.
    """
    lanes = [_lanes_in_memory(builder, vector) for vector in (winners, candidates, rank)]
    for group in range(GROUPS):
        sure, tied, others = (builder.load(builder.gep(pointer, [INT64(group)])) for pointer in lanes)
        lowest = kept_lowest(context, builder, tied, builder.add(others, INT64(1)))
        yield builder.or_(sure, lowest)


def _lanes_in_memory(builder, vector):
    """Store a vector where LLVM cannot follow: an empty instruction may have changed it. Give the place of lane 0."""
    memory = cgutils.alloca_once(builder, MASKS)
    builder.store(vector, memory)
    first = builder.bitcast(memory, INT64.as_pointer())
    builder.asm(ir.FunctionType(ir.VoidType(), [first.type]), "", "r,~{memory}", [first], side_effect=True)
    return first


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
