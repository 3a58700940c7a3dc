"""What kernels do with vectors of 64 bytes. Each function says what it means in NumPy.

Activations are ``u8x64``, weights ``i8x64``, their sums of products ``i32x16``: lane n of a sum belongs to the bytes
4n to 4n + 3. A mask is a ``uint64``, bit i for byte i. ``array`` is any C-contiguous array and ``index`` a position in
``array.ravel()``.

Where a processor has an instruction for an operation, that is emitted; elsewhere generic LLVM that gives the same
result, bit for bit.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from sparsenet_kernels.simd.byte_code import (
    BYTES,
    INT16,
    WORDS,
    by_halves,
    call,
    dot4_of_shorts,
    kept_lowest,
    lookup_by_quarters,
    lookup_in_memory,
    pack_clipped,
    pack_x86,
    spread,
)
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
    "shifted_u8",
    "splat_u8",
    "store_u8",
    "to_float",
    "to_int",
]

BOOL64 = ir.VectorType(ir.IntType(1), 64)


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
        return builder.bitcast(spread(builder, group, WORDS), BYTES)

    return None if vector is None else (vector(array, index), emit)


@intrinsic
def splat_u8(typing_context, number):
    """``np.full(64, number, np.uint8)`` for any integer."""

    def emit(context, builder, signature, args):
        return spread(builder, context.cast(builder, args[0], signature.args[0], types.uint8), BYTES)

    return u8x64(number), emit


@intrinsic
def dot4(typing_context, total, u, s):
    """``total + (u.astype(np.int32) * s).reshape(16, 4).sum(axis=1)``, exact modulo 2**32."""

    def emit(context, builder, signature, args):
        # 64 products in one instruction, in two halves, or as pairs of 16-bit products
        if has(context, "avx512vnni"):
            return call(builder, "llvm.x86.avx512.vpdpbusd.512", WORDS, *args)
        if has(context, "avxvnni"):
            return by_halves(builder, "llvm.x86.avx512.vpdpbusd.256", WORDS, *args)
        return dot4_of_shorts(context, builder, *args)

    return i32x16(i32x16, u8x64, i8x64), emit


@intrinsic
def lookup(typing_context, table, indices):
    """``table[indices & 63]``."""

    def emit(context, builder, signature, args):
        # 64 bytes in one permutation, in four quarters, or one by one in memory
        if has(context, "avx512vbmi"):
            return call(builder, "llvm.x86.avx512.permvar.qi.512", BYTES, *args)
        if has(context, "avx2"):
            return lookup_by_quarters(builder, *args)
        return lookup_in_memory(builder, *args)

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
        return call(builder, "llvm.experimental.vector.compress.v64i8", BYTES, args[0], flags, nothing)

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
        return call(builder, "llvm.ctpop.i64", INT64, context.cast(builder, args[0], signature.args[0], types.uint64))

    return types.intp(mask), emit


@intrinsic
def lowest_bits(typing_context, mask, count):
    """Keep the ``count`` lowest set bits of a uint64; all of them where there are fewer, none for a count below 0.

    Any count, because the processor's instruction (bzhi) reads 8 bits of it: with 256 it kept none.
    """

    def emit(context, builder, signature, args):
        bits = context.cast(builder, args[0], signature.args[0], types.uint64)
        wanted = context.cast(builder, args[1], signature.args[1], types.int64)
        positive = builder.select(builder.icmp_signed("<", wanted, INT64(0)), INT64(0), wanted)
        within = builder.select(builder.icmp_signed(">", positive, INT64(64)), INT64(64), positive)
        return kept_lowest(context, builder, bits, within)

    return types.uint64(mask, count), emit


@intrinsic
def narrow_u8(typing_context, a, b, c, d, shift):
    """Divide sums by a power of two, rounding halves up, and clip them to bytes.

    ``np.clip((np.concatenate([a, b, c, d]) + (1 << shift >> 1)) >> shift, 0, 255)`` for 0 <= shift <= 31; a sum plus
    the half that rounds it must stay below 2**31.
    """

    def emit(context, builder, signature, args):
        places = context.cast(builder, args[4], signature.args[4], types.int32)
        # half a unit of the result, which rounds; zero where nothing is shifted out
        half = builder.lshr(builder.shl(INT32(1), places), INT32(1))
        half, places = spread(builder, half, WORDS), spread(builder, places, WORDS)
        parts = [builder.ashr(builder.add(part, half), places) for part in args[:4]]
        return pack_x86(builder, parts) if has(context, "avx512bw") else pack_clipped(builder, parts)

    return u8x64(i32x16, i32x16, i32x16, i32x16, shift), emit


@intrinsic
def shifted_u8(typing_context, a, b, c, d, shift):
    """Divide sums by a power of two, rounding down, and clip them to bytes.

    ``np.clip(np.concatenate([a, b, c, d]) >> shift, 0, 255)`` for 0 <= shift <= 31.
    """

    def emit(context, builder, signature, args):
        places = spread(builder, context.cast(builder, args[4], signature.args[4], types.int32), WORDS)
        parts = [builder.ashr(part, places) for part in args[:4]]
        return pack_x86(builder, parts) if has(context, "avx512bw") else pack_clipped(builder, parts)

    return u8x64(i32x16, i32x16, i32x16, i32x16, shift), emit


@intrinsic
def to_float(typing_context, value):
    """``value.astype(np.float32)`` of 16 int32."""

    def emit(context, builder, signature, args):
        return builder.sitofp(args[0], f32x16.llvm)

    return f32x16(i32x16), emit


@intrinsic
def to_int(typing_context, value):
    """``np.rint(np.clip(value, -(2.0**30), 2.0**30)).astype(np.int32)`` of 16 float32; halves go to the even number.

    Clipping comes first because converting what int32 cannot hold is undefined; NaN becomes the lower limit.
    """

    def emit(context, builder, signature, args):
        least, most = (
            spread(builder, ir.Constant(ir.FloatType(), limit), f32x16.llvm) for limit in (-(2.0**30), 2.0**30)
        )
        # a comparison with NaN is false, so NaN becomes the lower limit here
        clipped = builder.select(builder.fcmp_ordered(">", args[0], least), args[0], least)
        clipped = builder.select(builder.fcmp_ordered("<", clipped, most), clipped, most)
        return builder.fptosi(call(builder, "llvm.rint.v16f32", f32x16.llvm, clipped), i32x16.llvm)

    return i32x16(f32x16), emit


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


def _flags(context, builder, mask, mask_type):
    return builder.bitcast(context.cast(builder, mask, mask_type, types.uint64), BOOL64)
