"""What kernels do with vectors of 64 bytes. Each function says what it means in NumPy.

Activations are ``u8x64``, weights ``i8x64``, their sums of products ``i32x16``: lane n of a sum belongs to the bytes
4n to 4n + 3. A mask is a ``uint64``, bit i for byte i. ``array`` is any C-contiguous array and ``index`` a position in
``array.ravel()``.

Where a processor has an instruction for an operation, that is emitted; elsewhere generic LLVM that gives the same
result, bit for bit.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.target import has
from sparsenet_kernels.simd.types import f32x16, i8x64, i32x16, u8x64

__all__ = [
    "above_u8",
    "compress_u8",
    "dot4",
    "load_i8",
    "load_u8",
    "lookup",
    "lowest_bits",
    "maximum_u8",
    "narrow_u8",
    "nonzero_groups",
    "popcount64",
    "reaching_u8",
    "repeat4",
    "select_u8",
    "splat_u8",
    "store_u8",
    "to_float",
]

INT8 = ir.IntType(8)
INT16 = ir.IntType(16)
BOOL64 = ir.VectorType(ir.IntType(1), 64)
BYTES = u8x64.llvm
SHORTS = ir.VectorType(INT16, 32)
WORDS = i32x16.llvm


@intrinsic
def load_u8(typing_context, array, index):
    """``array.ravel()[index : index + 64]`` of an array of uint8."""
    return _load(u8x64, array, index)


@intrinsic
def load_i8(typing_context, array, index):
    """``array.ravel()[index : index + 64]`` of an array of int8."""
    return _load(i8x64, array, index)


@intrinsic
def store_u8(typing_context, array, index, value):
    """``array.ravel()[index : index + 64] = value``."""

    def emit(context, builder, signature, args):
        array_type, index_type, _ = signature.args
        pointer = element_pointer(context, builder, array_type, args[0], args[1], index_type, INT64(64))
        builder.store(args[2], builder.bitcast(pointer, BYTES.as_pointer()), align=1)
        return context.get_dummy_value()

    return (types.void(array, index, value), emit) if array.dtype is types.uint8 else None


@intrinsic
def repeat4(typing_context, array, index):
    """Repeat four bytes 16 times: ``np.tile(array.ravel()[index : index + 4], 16)``.

    The bytes keep their sign: an array of uint8 gives a ``u8x64``, one of int8 an ``i8x64``.
    """
    vector = {types.uint8: u8x64, types.int8: i8x64}.get(array.dtype)

    def emit(context, builder, signature, args):
        array_type, index_type = signature.args
        pointer = element_pointer(context, builder, array_type, args[0], args[1], index_type, INT64(4))
        group = builder.load(builder.bitcast(pointer, INT32.as_pointer()), align=1)
        return builder.bitcast(_spread(builder, group, WORDS), BYTES)

    return None if vector is None else (vector(array, index), emit)


@intrinsic
def splat_u8(typing_context, number):
    """``np.full(64, number, np.uint8)`` for any integer."""

    def emit(context, builder, signature, args):
        return _spread(builder, context.cast(builder, args[0], signature.args[0], types.uint8), BYTES)

    return u8x64(number), emit


@intrinsic
def dot4(typing_context, total, u, s):
    """``total + (u.astype(np.int32) * s).reshape(16, 4).sum(axis=1)``, exact modulo 2**32."""

    def emit(context, builder, signature, args):
        if has(context, "avx512vnni"):
            return _call(builder, "llvm.x86.avx512.vpdpbusd.512", WORDS, *args)
        if has(context, "avxvnni"):
            return _by_halves(builder, "llvm.x86.avx512.vpdpbusd.256", WORDS, *args)
        return _dot4_of_shorts(builder, *args)

    return i32x16(i32x16, u8x64, i8x64), emit


@intrinsic
def lookup(typing_context, table, indices):
    """``table[indices & 63]``."""

    def emit(context, builder, signature, args):
        if has(context, "avx512vbmi"):
            return _call(builder, "llvm.x86.avx512.permvar.qi.512", BYTES, *args)
        if has(context, "avx2"):
            return _lookup_by_quarters(builder, *args)
        return _lookup_in_memory(builder, *args)

    return u8x64(u8x64, u8x64), emit


@intrinsic
def reaching_u8(typing_context, a, b):
    """Mask of ``a >= b``."""
    return _compare(">=")


@intrinsic
def above_u8(typing_context, a, b):
    """Mask of ``a > b``."""
    return _compare(">")


@intrinsic
def maximum_u8(typing_context, a, b):
    """``np.maximum(a, b)``."""

    def emit(context, builder, signature, args):
        return builder.select(builder.icmp_unsigned(">", *args), *args)

    return u8x64(u8x64, u8x64), emit


@intrinsic
def select_u8(typing_context, mask, a, b):
    """``np.where(mask, a, b)``."""

    def emit(context, builder, signature, args):
        return builder.select(_flags(context, builder, args[0], signature.args[0]), args[1], args[2])

    return u8x64(mask, u8x64, u8x64), emit


@intrinsic
def compress_u8(typing_context, value, mask):
    """Move the bytes of set mask bits to the front, in order; what follows them is undefined."""

    def emit(context, builder, signature, args):
        flags = _flags(context, builder, args[1], signature.args[1])
        nothing = ir.Constant(BYTES, ir.Undefined)
        return _call(builder, "llvm.experimental.vector.compress.v64i8", BYTES, args[0], flags, nothing)

    return u8x64(u8x64, mask), emit


@intrinsic
def nonzero_groups(typing_context, value):
    """Mask (uint16) of the groups of four bytes that are not all zero: ``value.reshape(16, 4).any(axis=1)``."""

    def emit(context, builder, signature, args):
        groups = builder.bitcast(args[0], WORDS)
        return builder.bitcast(builder.icmp_unsigned("!=", groups, ir.Constant(WORDS, [0] * 16)), INT16)

    return types.uint16(u8x64), emit


@intrinsic
def popcount64(typing_context, mask):
    """Count the set bits of a uint64."""

    def emit(context, builder, signature, args):
        return _call(builder, "llvm.ctpop.i64", INT64, context.cast(builder, args[0], signature.args[0], types.uint64))

    return types.intp(mask), emit


@intrinsic
def lowest_bits(typing_context, mask, count):
    """Keep the ``count`` lowest set bits of a uint64, 0 <= count <= 64; all of them where there are fewer."""

    def emit(context, builder, signature, args):
        bits = context.cast(builder, args[0], signature.args[0], types.uint64)
        wanted = context.cast(builder, args[1], signature.args[1], types.int64)
        if has(context, "bmi2"):
            ones = _call(builder, "llvm.x86.bmi.bzhi.64", INT64, INT64(-1), wanted)
            return _call(builder, "llvm.x86.bmi.pdep.64", INT64, ones, bits)
        return _lowest_by_halving(builder, bits, wanted)

    return types.uint64(mask, count), emit


@intrinsic
def narrow_u8(typing_context, a, b, c, d, shift):
    """Divide sums by a power of two, rounding halves up, and clip them to bytes.

    ``np.clip((np.concatenate([a, b, c, d]) + (1 << shift >> 1)) >> shift, 0, 255)`` for 0 <= shift <= 31; a sum plus
    the half that rounds it must stay below 2**31.
    """

    def emit(context, builder, signature, args):
        places = context.cast(builder, args[4], signature.args[4], types.int32)
        half = builder.lshr(builder.shl(INT32(1), places), INT32(1))
        half, places = _spread(builder, half, WORDS), _spread(builder, places, WORDS)
        parts = [builder.ashr(builder.add(part, half), places) for part in args[:4]]
        return _pack_x86(builder, parts) if has(context, "avx512bw") else _pack(builder, parts)

    return u8x64(i32x16, i32x16, i32x16, i32x16, shift), emit


@intrinsic
def to_float(typing_context, value):
    """``value.astype(np.float32)`` of 16 int32."""

    def emit(context, builder, signature, args):
        return builder.sitofp(args[0], f32x16.llvm)

    return f32x16(i32x16), emit


def _load(vector, array, index):
    def emit(context, builder, signature, args):
        array_type, index_type = signature.args
        pointer = element_pointer(context, builder, array_type, args[0], args[1], index_type, INT64(64))
        return builder.load(builder.bitcast(pointer, BYTES.as_pointer()), align=1)

    return (vector(array, index), emit) if array.dtype is vector.element else None


def _compare(operator):
    def emit(context, builder, signature, args):
        return builder.bitcast(builder.icmp_unsigned(operator, *args), INT64)

    return types.uint64(u8x64, u8x64), emit


def _call(builder, name, result, *args):
    function = ir.FunctionType(result, [value.type for value in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), args)


def _flags(context, builder, mask, mask_type):
    return builder.bitcast(context.cast(builder, mask, mask_type, types.uint64), BOOL64)


def _spread(builder, number, vector):
    """Emit a vector that holds ``number`` in every lane."""
    start = builder.insert_element(ir.Constant(vector, ir.Undefined), number, INT32(0))
    return builder.shuffle_vector(start, start, ir.Constant(ir.VectorType(INT32, vector.count), [0] * vector.count))


def _filled(vector, number):
    return ir.Constant(vector, [number] * vector.count)


def _part(builder, value, start, count):
    """Emit the lanes ``start`` to ``start + count`` of a vector."""
    lanes = ir.Constant(ir.VectorType(INT32, count), list(range(start, start + count)))
    return builder.shuffle_vector(value, value, lanes)


def _joined(builder, low, high):
    """Emit the concatenation of two vectors of one type."""
    count = 2 * low.type.count
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(INT32, count), list(range(count))))


def _by_halves(builder, name, result, *args):
    """Emit two calls of an instruction that takes vectors of half the width."""
    half = ir.VectorType(result.element, result.count // 2)
    halves = [[_part(builder, value, at * value.type.count // 2, value.type.count // 2) for value in args] for at in (0, 1)]
    return _joined(builder, *(_call(builder, name, half, *values) for values in halves))


def _dot4_of_shorts(builder, total, u, s):
    """Widen even and odd bytes to 16 bits, multiply, add neighbours: x86 has one instruction for the latter two.

    Its instruction for bytes (pmaddubsw) would saturate.
    """
    u, s, eight = builder.bitcast(u, SHORTS), builder.bitcast(s, SHORTS), _filled(SHORTS, 8)
    even = builder.and_(u, _filled(SHORTS, 255)), builder.ashr(builder.shl(s, eight), eight)
    odd = builder.lshr(u, eight), builder.ashr(s, eight)
    for left, right in (even, odd):
        total = builder.add(total, _sums_of_pairs(builder, left, right))
    return total


def _sums_of_pairs(builder, left, right):
    """Emit ``(left * right).reshape(16, 2).sum(axis=1)`` in int32."""
    wide = ir.VectorType(INT32, 32)
    products = builder.mul(builder.sext(left, wide), builder.sext(right, wide))
    evens, odds = (ir.Constant(WORDS, list(range(first, 32, 2))) for first in (0, 1))
    first, second = (builder.shuffle_vector(products, products, lanes) for lanes in (evens, odds))
    return builder.add(first, second)


def _lookup_by_quarters(builder, table, indices):
    """Look 32 indices up in each quarter of the table (AVX2 permutes bytes within 16), then choose by two index bits."""
    lane = ir.VectorType(INT8, 32)
    quarters = [_twice(builder, table, 16 * quarter) for quarter in range(4)]
    halves = []
    for start in (0, 32):
        wanted = builder.and_(_part(builder, indices, start, 32), _filled(lane, 63))
        found = [_call(builder, "llvm.x86.avx2.pshuf.b", lane, quarter, wanted) for quarter in quarters]
        odd, upper = (_bit_set(builder, wanted, bit) for bit in (16, 32))
        low = builder.select(odd, found[1], found[0])
        halves.append(builder.select(upper, builder.select(odd, found[3], found[2]), low))
    return _joined(builder, *halves)


def _twice(builder, value, start):
    lanes = [*range(start, start + 16)] * 2
    return builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(INT32, 32), lanes))


def _bit_set(builder, value, bit):
    return builder.icmp_unsigned("!=", builder.and_(value, _filled(value.type, bit)), _filled(value.type, 0))


def _lookup_in_memory(builder, table, indices):
    """Spill the table and load byte by byte: indexing a vector by a variable would spill it 64 times."""
    memory = cgutils.alloca_once(builder, BYTES)
    builder.store(table, memory)
    first = builder.bitcast(memory, INT8.as_pointer())
    wanted = builder.and_(indices, _filled(BYTES, 63))
    result = ir.Constant(BYTES, ir.Undefined)
    for lane in range(64):
        place = builder.zext(builder.extract_element(wanted, INT32(lane)), INT64)
        result = builder.insert_element(result, builder.load(builder.gep(first, [place])), INT32(lane))
    return result


def _lowest_by_halving(builder, mask, count):
    """Find by halving how many low bits of the mask hold at most ``count`` set ones, and keep those."""
    width = INT64(0)
    for step in (32, 16, 8, 4, 2, 1):
        wider = builder.add(width, INT64(step))
        fits = builder.icmp_signed("<=", _ones_within(builder, mask, wider), count)
        width = builder.select(fits, wider, width)
    few = builder.icmp_signed("<=", _call(builder, "llvm.ctpop.i64", INT64, mask), count)
    return builder.select(few, mask, builder.and_(mask, _low_bits(builder, width)))


def _ones_within(builder, mask, width):
    return _call(builder, "llvm.ctpop.i64", INT64, builder.and_(mask, _low_bits(builder, width)))


def _low_bits(builder, width):
    """Emit a mask of the lowest ``width`` bits, fewer than 64."""
    return builder.sub(builder.shl(INT64(1), width), INT64(1))


def _pack_x86(builder, parts):
    """Saturate twice by the pack instructions, then undo their order, which goes by 128-bit lanes."""
    low, high = (_call(builder, "llvm.x86.avx512.packusdw.512", SHORTS, *pair) for pair in (parts[:2], parts[2:]))
    packed = builder.bitcast(_call(builder, "llvm.x86.avx512.packuswb.512", BYTES, low, high), WORDS)
    order = ir.Constant(WORDS, [lane % 4 * 4 + lane // 4 for lane in range(16)])
    return builder.bitcast(builder.shuffle_vector(packed, packed, order), BYTES)


def _pack(builder, parts):
    narrow = [builder.trunc(_clipped(builder, part), ir.VectorType(INT8, 16)) for part in parts]
    return _joined(builder, _joined(builder, *narrow[:2]), _joined(builder, *narrow[2:]))


def _clipped(builder, part):
    """Clip int32 to 0 to 255."""
    zero, most = _filled(WORDS, 0), _filled(WORDS, 255)
    part = builder.select(builder.icmp_signed(">", part, zero), part, zero)
    return builder.select(builder.icmp_signed("<", part, most), part, most)
