"""How operations on byte vectors are emitted: an instruction's sequence where it is best, generic LLVM elsewhere.

Everything here takes and gives LLVM values. Vectors of bytes lie as all supported processors have them, little-endian.
"""

from llvmlite import ir
from numba.core import cgutils

from sparsenet_kernels.simd.memory import INT32, INT64
from sparsenet_kernels.simd.target import has

INT8 = ir.IntType(8)
INT16 = ir.IntType(16)
BYTES = ir.VectorType(INT8, 64)
SHORTS = ir.VectorType(INT16, 32)
WORDS = ir.VectorType(INT32, 16)


def call(builder, name, result, *args):
    """Emit a call of one of LLVM's intrinsic functions."""
    function = ir.FunctionType(result, [value.type for value in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), args)


def emitted(context, builder, operation, argument_types, args):
    """Emit another intrinsic's code."""
    typing = context.typing_context
    function = typing.resolve_value_type(operation)
    signature = function.get_call_type(typing, tuple(argument_types), {})
    return context.get_function(function, signature)(builder, args)


def spread(builder, number, vector):
    """Emit a vector that holds ``number`` in every lane."""
    start = builder.insert_element(ir.Constant(vector, ir.Undefined), number, INT32(0))
    return builder.shuffle_vector(start, start, ir.Constant(ir.VectorType(INT32, vector.count), [0] * vector.count))


def filled(vector, number):
    """Give a constant vector that holds ``number`` in every lane."""
    return ir.Constant(vector, [number] * vector.count)


def part(builder, value, start, count):
    """Emit the lanes ``start`` to ``start + count`` of a vector."""
    lanes = ir.Constant(ir.VectorType(INT32, count), list(range(start, start + count)))
    return builder.shuffle_vector(value, value, lanes)


def joined(builder, low, high):
    """Emit the concatenation of two vectors of one type."""
    count = 2 * low.type.count
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(INT32, count), list(range(count))))


def by_halves(builder, name, result, *args):
    """Emit two calls of an instruction that takes vectors of half the width."""
    half = ir.VectorType(result.element, result.count // 2)
    halves = [
        [part(builder, value, at * value.type.count // 2, value.type.count // 2) for value in args] for at in (0, 1)
    ]
    return joined(builder, *(call(builder, name, half, *values) for values in halves))


def dot4_of_shorts(context, builder, total, u, s):
    """Widen even and odd bytes to 16 bits, multiply, add neighbours: x86 has one instruction for the latter two.

    Its instruction for bytes (pmaddubsw) would saturate.
    """
    u, s, eight = builder.bitcast(u, SHORTS), builder.bitcast(s, SHORTS), filled(SHORTS, 8)
    even = builder.and_(u, filled(SHORTS, 255)), builder.ashr(builder.shl(s, eight), eight)
    odd = builder.lshr(u, eight), builder.ashr(s, eight)
    for left, right in (even, odd):
        total = builder.add(total, pair_sums(context, builder, left, right))
    return total


def pair_sums(context, builder, left, right):
    """Emit ``(left * right).reshape(16, 2).sum(axis=1)`` in int32.

    LLVM finds the instruction in the generic form as well, but unpacks and packs its operand on the way.
    """
    if has(context, "avx512bw"):
        return call(builder, "llvm.x86.avx512.pmaddw.d.512", WORDS, left, right)
    if has(context, "avx2"):
        return by_halves(builder, "llvm.x86.avx2.pmadd.wd", WORDS, left, right)
    wide = ir.VectorType(INT32, 32)
    products = builder.mul(builder.sext(left, wide), builder.sext(right, wide))
    evens, odds = (ir.Constant(WORDS, list(range(first, 32, 2))) for first in (0, 1))
    first, second = (builder.shuffle_vector(products, products, lanes) for lanes in (evens, odds))
    return builder.add(first, second)


def lookup_by_quarters(builder, table, indices):
    """Look 32 indices up in each quarter of the table (AVX2 permutes bytes within 16), then choose by index bits."""
    lane = ir.VectorType(INT8, 32)
    quarters = [_twice(builder, table, 16 * quarter) for quarter in range(4)]
    halves = []
    for start in (0, 32):
        wanted = builder.and_(part(builder, indices, start, 32), filled(lane, 63))
        found = [call(builder, "llvm.x86.avx2.pshuf.b", lane, quarter, wanted) for quarter in quarters]
        odd, upper = (_bit_set(builder, wanted, bit) for bit in (16, 32))
        low = builder.select(odd, found[1], found[0])
        halves.append(builder.select(upper, builder.select(odd, found[3], found[2]), low))
    return joined(builder, *halves)


def _twice(builder, value, start):
    lanes = [*range(start, start + 16)] * 2
    return builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(INT32, 32), lanes))


def _bit_set(builder, value, bit):
    return builder.icmp_unsigned("!=", builder.and_(value, filled(value.type, bit)), filled(value.type, 0))


def lookup_in_memory(builder, table, indices):
    """Spill the table and load byte by byte: indexing a vector by a variable would spill it 64 times."""
    memory = cgutils.alloca_once(builder, BYTES)
    builder.store(table, memory)
    first = builder.bitcast(memory, INT8.as_pointer())
    wanted = builder.and_(indices, filled(BYTES, 63))
    result = ir.Constant(BYTES, ir.Undefined)
    for lane in range(64):
        place = builder.zext(builder.extract_element(wanted, INT32(lane)), INT64)
        result = builder.insert_element(result, builder.load(builder.gep(first, [place])), INT32(lane))
    return result


def kept_lowest(context, builder, mask, count):
    """Emit the ``count`` lowest set bits of a 64-bit mask, 0 <= count <= 64; all of them where there are fewer."""
    if has(context, "bmi2"):
        ones = call(builder, "llvm.x86.bmi.bzhi.64", INT64, INT64(-1), count)
        return call(builder, "llvm.x86.bmi.pdep.64", INT64, ones, mask)
    return _lowest_by_halving(builder, mask, count)


def _lowest_by_halving(builder, mask, count):
    """Find by halving how many low bits of the mask hold at most ``count`` set ones, and keep those."""
    width = INT64(0)
    for step in (32, 16, 8, 4, 2, 1):
        wider = builder.add(width, INT64(step))
        fits = builder.icmp_signed("<=", _ones_within(builder, mask, wider), count)
        width = builder.select(fits, wider, width)
    few = builder.icmp_signed("<=", call(builder, "llvm.ctpop.i64", INT64, mask), count)
    return builder.select(few, mask, builder.and_(mask, _low_bits(builder, width)))


def _ones_within(builder, mask, width):
    return call(builder, "llvm.ctpop.i64", INT64, builder.and_(mask, _low_bits(builder, width)))


def _low_bits(builder, width):
    """Emit a mask of the lowest ``width`` bits, fewer than 64."""
    return builder.sub(builder.shl(INT64(1), width), INT64(1))


def pack_x86(builder, parts):
    """Saturate twice by the pack instructions, then undo their order, which goes by 128-bit lanes.

    The first must saturate to signed shorts (packssdw), for the second takes them as signed: with packusdw a sum from
    32768 on became 0.
    """
    low, high = (call(builder, "llvm.x86.avx512.packssdw.512", SHORTS, *pair) for pair in (parts[:2], parts[2:]))
    packed = builder.bitcast(call(builder, "llvm.x86.avx512.packuswb.512", BYTES, low, high), WORDS)
    order = ir.Constant(WORDS, [lane % 4 * 4 + lane // 4 for lane in range(16)])
    return builder.bitcast(builder.shuffle_vector(packed, packed, order), BYTES)


def pack_clipped(builder, parts):
    """Clip each lane, drop the upper bytes, join."""
    narrow = [builder.trunc(_clipped(builder, part), ir.VectorType(INT8, 16)) for part in parts]
    return joined(builder, joined(builder, *narrow[:2]), joined(builder, *narrow[2:]))


def _clipped(builder, part):
    """Clip int32 to 0 to 255."""
    zero, most = filled(WORDS, 0), filled(WORDS, 255)
    part = builder.select(builder.icmp_signed(">", part, zero), part, zero)
    return builder.select(builder.icmp_signed("<", part, most), part, most)
