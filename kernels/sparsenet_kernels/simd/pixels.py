"""Slots of eight pixels, sixteen at a time; :mod:`sparsenet_kernels.formats.pixels` draws them."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.types import i32x16

__all__ = ["store_16_slots", "store_slot"]

PIXELS = ir.VectorType(ir.IntType(8), 16)


@intrinsic
def store_16_slots(typing_context, slots, place, x, start, second, third, fourth, right):
    """Store the slots of 16 neighbouring pixels, from byte ``place`` of ``slots`` on.

    Byte 0 of slot i is pixel ``start + i`` of ``x`` (flattened), the bytes 1 to 3 lie ``second``, ``third`` and
    ``fourth`` pixels behind it, the bytes 4 to 7 ``right``, ``right + 1`` and so on.
    """
    if slots.dtype is not types.uint8 or x.dtype is not types.uint8:
        return None

    def emit(context, builder, signature, args):
        slots_type, place_type, x_type, _, *_ = signature.args
        first, *behind = (context.cast(builder, args[i], signature.args[i], types.int64) for i in range(3, 8))

        def pixels(offset):
            at = builder.add(first, offset)
            pointer = element_pointer(context, builder, x_type, args[2], at, types.int64, INT64(16))
            narrow = builder.load(builder.bitcast(pointer, PIXELS.as_pointer()), align=1)
            return builder.zext(narrow, i32x16.llvm)

        down = _join(builder, [pixels(offset) for offset in (INT64(0), *behind[:3])])
        right = _join(builder, [pixels(builder.add(behind[3], INT64(k))) for k in range(4)])
        for half in range(2):
            turns = [lane // 2 + 8 * half + 16 * (lane % 2) for lane in range(16)]
            both = builder.shuffle_vector(down, right, ir.Constant(ir.VectorType(INT32, 16), turns))
            at = builder.add(context.cast(builder, args[1], place_type, types.int64), INT64(64 * half))
            pointer = element_pointer(context, builder, slots_type, args[0], at, types.int64, INT64(64))
            builder.store(both, builder.bitcast(pointer, i32x16.llvm.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(slots, place, x, start, second, third, fourth, right), emit


@intrinsic
def store_slot(typing_context, slots, place, word):
    """Store the eight bytes of a uint64, the lowest first, from byte ``place`` of ``slots`` on."""
    if slots.dtype is not types.uint8:
        return None

    def emit(context, builder, signature, args):
        slots_type, place_type, _ = signature.args
        pointer = element_pointer(context, builder, slots_type, args[0], args[1], place_type, INT64(8))
        builder.store(args[2], builder.bitcast(pointer, INT64.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(slots, place, types.uint64), emit


def _join(builder, quarters):
    """Emit the four bytes that each lane has in its quarters, the first lowest."""
    joined = quarters[0]
    for position, quarter in enumerate(quarters[1:], 1):
        joined = builder.or_(joined, builder.shl(quarter, ir.Constant(i32x16.llvm, [8 * position] * 16)))
    return joined
