"""Listing the set bits of a mask, and the numbers at their positions."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer, masked_store
from sparsenet_kernels.simd.ops import spread
from sparsenet_kernels.simd.target import has
from sparsenet_kernels.simd.types import f32x16, i32x16

__all__ = ["list_set_bits", "popcount64", "reaching64"]

BYTES = ir.VectorType(ir.IntType(8), 64)
FLAGS = ir.VectorType(ir.IntType(1), 64)
EIGHT = 8
"""Bits that can be listed at a time."""

INT8 = ir.IntType(8)
EIGHT_INTS = ir.VectorType(INT32, EIGHT)
EIGHT_FLOATS = ir.VectorType(ir.FloatType(), EIGHT)


@intrinsic
def popcount64(typing_context, mask):
    """Count the set bits of a 64-bit mask."""

    def emit(context, builder, signature, args):
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INT64, [INT64]), "llvm.ctpop.i64")
        return builder.call(function, args)

    return types.intp(types.uint64), emit


@intrinsic
def reaching64(typing_context, x, start, factor, first, limit):
    """Mask of 64 products of at least a limit.

    ``x.ravel()[start : start + 64] * factor.ravel()[first : first + 64] >= limit``, bit i for the i-th
    """

    def emit(context, builder, signature, args):
        x_type, start_type, factor_type, first_type, _ = signature.args
        start = context.cast(builder, args[1], start_type, types.intp)
        first = context.cast(builder, args[3], first_type, types.intp)
        mask = INT64(0)
        for j in range(0, 64, 16):
            value, scale = (
                builder.load(builder.bitcast(pointer, f32x16.llvm.as_pointer()), align=4)
                for pointer in (
                    element_pointer(context, builder, x_type, args[0], builder.add(start, INT64(j)), types.intp),
                    element_pointer(context, builder, factor_type, args[2], builder.add(first, INT64(j)), types.intp),
                )
            )
            flags = builder.fcmp_ordered(">=", builder.fmul(value, scale), args[4])
            bits = builder.zext(builder.bitcast(flags, ir.IntType(16)), INT64)
            mask = builder.or_(mask, builder.shl(bits, INT64(j)))
        return mask

    return types.uint64(x, start, factor, first, limit), emit


@intrinsic
def list_set_bits(typing_context, mask, x, start, first, columns, values, at, count):
    """List the lowest ``count`` set bits of a 64-bit mask, at most eight and at most as many as there are.

        bits = np.flatnonzero(mask >> np.arange(64) & 1)[:count]
        columns.ravel()[at : at + count] = first + bits
        values.ravel()[at : at + count] = x.ravel()[start + bits]

    Where the processor compresses bytes, that takes a compression and a gathering load; elsewhere bit follows bit.
    """

    def emit(context, builder, signature, args):
        whole = (types.uint64, *(types.intp,) * 4)
        mask, start, first, at, count = (
            context.cast(builder, args[i], signature.args[i], kind)
            for i, kind in zip((0, 2, 3, 6, 7), whole, strict=True)
        )
        arrays = [(signature.args[i], args[i]) for i in (1, 4, 5)]
        list_them = _by_compressing if has(context, "avx512vbmi2") and not context.enable_boundscheck else _one_by_one
        list_them(context, builder, mask, start, first, at, count, *arrays)
        return context.get_dummy_value()

    return types.void(mask, x, start, first, columns, values, at, count), emit


def _by_compressing(context, builder, mask, start, first, at, count, x, columns, values):
    bits = _compressed_positions(builder, mask)
    found = builder.add(bits, spread(builder, builder.trunc(first, INT32), i32x16))
    masked_store(context, builder, columns[0], columns[1], at, found, count)
    gathered = _gathered(context, builder, x, start, _first_lanes(builder, bits), count)
    masked_store(context, builder, values[0], values[1], at, gathered, count)


def _compressed_positions(builder, mask):
    """Emit the positions of the lowest 16 set bits as int32."""
    shape = ir.FunctionType(BYTES, [BYTES, FLAGS, BYTES])
    compress = cgutils.get_or_insert_function(builder.module, shape, "llvm.experimental.vector.compress.v64i8")
    positions, nothing = ir.Constant(BYTES, list(range(64))), ir.Constant(BYTES, ir.Undefined)
    moved = builder.call(compress, [positions, builder.bitcast(mask, FLAGS), nothing])
    lowest = builder.shuffle_vector(moved, nothing, ir.Constant(ir.VectorType(INT32, 16), list(range(16))))
    return builder.zext(lowest, i32x16.llvm)


def _first_lanes(builder, vector):
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(INT32, EIGHT), list(range(EIGHT))))


def _gathered(context, builder, x, start, bits, count):
    """Emit the numbers at eight positions behind ``start``, of which the first ``count`` are read."""
    base = element_pointer(context, builder, x[0], x[1], start, types.intp, INT64(1))
    base = builder.bitcast(base, INT8.as_pointer())
    wanted = builder.icmp_signed("<", ir.Constant(EIGHT_INTS, list(range(EIGHT))), _everywhere(builder, count))
    wanted = builder.bitcast(builder.sext(wanted, EIGHT_INTS), EIGHT_FLOATS)
    shape = ir.FunctionType(EIGHT_FLOATS, [EIGHT_FLOATS, base.type, EIGHT_INTS, EIGHT_FLOATS, INT8])
    gather = cgutils.get_or_insert_function(builder.module, shape, "llvm.x86.avx2.gather.d.ps.256")
    zeros = ir.Constant(EIGHT_FLOATS, [0.0] * EIGHT)
    eight = builder.call(gather, [zeros, base, bits, wanted, INT8(4)])
    lanes = ir.Constant(ir.VectorType(INT32, 16), [*range(EIGHT), *[0] * EIGHT])
    return builder.shuffle_vector(eight, eight, lanes)


def _everywhere(builder, number):
    one = builder.insert_element(ir.Constant(EIGHT_INTS, ir.Undefined), builder.trunc(number, INT32), INT32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(INT32, EIGHT), [0] * EIGHT))


def _one_by_one(context, builder, mask, start, first, at, count, x, columns, values):
    left = cgutils.alloca_once(builder, INT64)
    builder.store(mask, left)
    shape = ir.FunctionType(INT64, [INT64, ir.IntType(1)])
    trailing_zeros = cgutils.get_or_insert_function(builder.module, shape, "llvm.cttz.i64")
    with cgutils.for_range(builder, count) as loop:
        bits = builder.load(left)
        bit = builder.call(trailing_zeros, [bits, ir.IntType(1)(0)])
        builder.store(builder.and_(bits, builder.sub(bits, INT64(1))), left)
        place = builder.add(at, loop.index)
        column = element_pointer(context, builder, *columns, place, types.intp, INT64(1))
        builder.store(builder.trunc(builder.add(first, bit), INT32), column)
        number = builder.load(element_pointer(context, builder, *x, builder.add(start, bit), types.intp, INT64(1)))
        builder.store(number, element_pointer(context, builder, *values, place, types.intp, INT64(1)))
