"""What kernels do with vectors of 32 int16. Each function says what it means in NumPy.

For fixed-point numbers between bytes and int32 sums. A mask is a ``uint32``, bit i for lane i. ``array`` is any
C-contiguous array of int16 and ``index`` a position in ``array.ravel()``.

No kernel of this package uses them: blocks of 32 outputs in fixed point were no faster than 16 in float32 (3.2 to 4.3
against 3.3 microseconds), because scattered addresses bind them, not their width. They are here for kernels of yours.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from sparsenet_kernels.simd.byte_code import BYTES, SHORTS, call, filled, pair_sums, spread
from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.types import i16x32, i32x16, u8x64

__all__ = [
    "add_clipped_i16",
    "add_i16",
    "dot2",
    "load_i16",
    "maximum_i16",
    "multiply_high_i16",
    "reaching_i16",
    "select_i16",
    "splat_i16",
    "store_i16",
    "widen_u8",
]

BOOL32 = ir.VectorType(ir.IntType(1), 32)
WIDE = ir.VectorType(INT32, 32)


@intrinsic
def load_i16(typing_context, array, index):
    """``array.ravel()[index : index + 32]``."""

    def emit(context, builder, signature, args):
        return builder.load(_pointer(context, builder, signature, args), align=2)

    return (i16x32(array, index), emit) if array.dtype is types.int16 else None


@intrinsic
def store_i16(typing_context, array, index, value):
    """``array.ravel()[index : index + 32] = value``."""

    def emit(context, builder, signature, args):
        builder.store(args[2], _pointer(context, builder, signature, args), align=2)
        return context.get_dummy_value()

    return (types.void(array, index, value), emit) if array.dtype is types.int16 else None


@intrinsic
def splat_i16(typing_context, number):
    """``np.full(32, number, np.int16)`` for any integer; its lowest 16 bits count."""

    def emit(context, builder, signature, args):
        return spread(builder, context.cast(builder, args[0], signature.args[0], types.int16), SHORTS)

    return i16x32(number), emit


@intrinsic
def add_i16(typing_context, a, b):
    """Compute ``a + b``, modulo 2**16."""

    def emit(context, builder, signature, args):
        return builder.add(*args)

    return i16x32(i16x32, i16x32), emit


@intrinsic
def add_clipped_i16(typing_context, a, b):
    """``np.clip(a.astype(np.int32) + b, -(2**15), 2**15 - 1).astype(np.int16)``."""

    def emit(context, builder, signature, args):
        return call(builder, "llvm.sadd.sat.v32i16", SHORTS, *args)

    return i16x32(i16x32, i16x32), emit


@intrinsic
def multiply_high_i16(typing_context, a, b):
    """Multiply fractions of 2**15, rounding halves up: ``((a.astype(np.int32) * b + 2**14) >> 15).astype(np.int16)``.

    The product of the two lowest numbers, 2**15, wraps to the lowest.
    """

    def emit(context, builder, signature, args):
        left, right = (builder.sext(value, WIDE) for value in args)
        rounded = builder.add(builder.mul(left, right), filled(WIDE, 2**14))
        return builder.trunc(builder.ashr(rounded, filled(WIDE, 15)), SHORTS)

    return i16x32(i16x32, i16x32), emit


@intrinsic
def maximum_i16(typing_context, a, b):
    """``np.maximum(a, b)``."""

    def emit(context, builder, signature, args):
        return builder.select(builder.icmp_signed(">", *args), *args)

    return i16x32(i16x32, i16x32), emit


@intrinsic
def reaching_i16(typing_context, a, b):
    """Mask of ``a >= b``."""

    def emit(context, builder, signature, args):
        return builder.bitcast(builder.icmp_signed(">=", *args), INT32)

    return types.uint32(i16x32, i16x32), emit


@intrinsic
def select_i16(typing_context, mask, a, b):
    """``np.where(mask, a, b)``."""

    def emit(context, builder, signature, args):
        flags = builder.bitcast(context.cast(builder, args[0], signature.args[0], types.uint32), BOOL32)
        return builder.select(flags, args[1], args[2])

    return i16x32(mask, i16x32, i16x32), emit


@intrinsic
def dot2(typing_context, total, a, b):
    """``total + (a.astype(np.int32) * b).reshape(16, 2).sum(axis=1)``, exact modulo 2**32."""

    def emit(context, builder, signature, args):
        return builder.add(args[0], pair_sums(context, builder, *args[1:]))

    return i32x16(i32x16, i16x32, i16x32), emit


@intrinsic
def widen_u8(typing_context, value, half):
    """``value[32 * half : 32 * half + 32].astype(np.int16)`` of 64 bytes; ``half`` is the literal 0 or 1."""
    if not isinstance(half, types.IntegerLiteral) or half.literal_value not in (0, 1):
        return None
    first = 32 * half.literal_value

    def emit(context, builder, signature, args):
        lanes = ir.Constant(ir.VectorType(INT32, 32), list(range(first, first + 32)))
        return builder.zext(builder.shuffle_vector(args[0], ir.Constant(BYTES, ir.Undefined), lanes), SHORTS)

    return i16x32(u8x64, half), emit


def _pointer(context, builder, signature, args):
    array_type, index_type = signature.args[:2]
    pointer = element_pointer(context, builder, array_type, args[0], args[1], index_type, INT64(32))
    return builder.bitcast(pointer, SHORTS.as_pointer())
