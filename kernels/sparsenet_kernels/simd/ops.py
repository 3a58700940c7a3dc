"""What kernels do with vectors of 16 numbers. Each function says what it means in NumPy.

``array`` is any C-contiguous array and ``index`` a position in ``array.ravel()``. A mask is a ``uint16``, bit i for
lane i. Everything here is generic LLVM, so it runs on every processor; LLVM picks the instructions.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import BOOL16, INT32, INT64, element_pointer, masked_load, masked_store
from sparsenet_kernels.simd.types import f32x16, i32x16

__all__ = [
    "add",
    "bits_of",
    "compress",
    "double_bits_of",
    "fused_multiply_add",
    "greater",
    "greater_equal",
    "lanes_from",
    "largest_lane",
    "load",
    "load_first",
    "magnitudes",
    "maximum",
    "minimum",
    "multiply",
    "multiply_add",
    "not_equal",
    "number_of",
    "order_keys",
    "popcount",
    "prefetch",
    "select",
    "splat",
    "spread",
    "store",
    "store_first",
    "sum_lanes",
]

_VECTORS = {types.float32: f32x16, types.int32: i32x16}


def _vector_of(array):
    return _VECTORS[array.dtype]


@intrinsic
def load(typing_context, array, index):
    """``array.ravel()[index : index + 16]``."""

    def emit(context, builder, signature, args):
        pointer = element_pointer(context, builder, signature.args[0], args[0], args[1], signature.args[1])
        return builder.load(builder.bitcast(pointer, vector.llvm.as_pointer()), align=4)

    vector = _vector_of(array)
    return vector(array, index), emit


@intrinsic
def load_first(typing_context, array, index, count, other):
    """Load ``count`` numbers into the first lanes (at most 16); the remaining lanes get ``other``."""

    def emit(context, builder, signature, args):
        array_type, index_type, count_type, other_type = signature.args
        place = context.cast(builder, args[1], index_type, types.intp)
        wanted = context.cast(builder, args[2], count_type, types.intp)
        fill = spread(builder, context.cast(builder, args[3], other_type, array.dtype), vector)
        return masked_load(context, builder, array_type, args[0], place, fill, wanted)

    vector = _vector_of(array)
    return vector(array, index, count, other), emit


@intrinsic
def store(typing_context, array, index, value):
    """``array.ravel()[index : index + 16] = value``."""

    def emit(context, builder, signature, args):
        pointer = element_pointer(context, builder, signature.args[0], args[0], args[1], signature.args[1])
        builder.store(args[2], builder.bitcast(pointer, value.llvm.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, index, value), emit


@intrinsic
def store_first(typing_context, array, index, value, count):
    """``array.ravel()[index : index + count] = value[:count]`` for ``count`` of at most 16."""

    def emit(context, builder, signature, args):
        array_type, index_type, _, count_type = signature.args
        place = context.cast(builder, args[1], index_type, types.intp)
        wanted = context.cast(builder, args[3], count_type, types.intp)
        masked_store(context, builder, array_type, args[0], place, args[2], wanted)
        return context.get_dummy_value()

    return types.void(array, index, value, count), emit


@intrinsic
def prefetch(typing_context, array, index):
    """Have the cache line of ``array.ravel()[index]`` fetched; a place outside of the array does no harm."""

    def emit(context, builder, signature, args):
        pointer = element_pointer(context, builder, signature.args[0], args[0], args[1], signature.args[1], INT64(0))
        pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        shape = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        builder.call(function, [pointer, INT32(0), INT32(3), INT32(1)])  # to be read; nearest cache; data
        return context.get_dummy_value()

    return types.void(array, index), emit


@intrinsic
def splat(typing_context, number):
    """``np.full(16, number)``, for a float32 or an int32."""

    def emit(context, builder, signature, args):
        return spread(builder, args[0], vector)

    vector = _VECTORS[number]
    return vector(number), emit


@intrinsic
def lanes_from(typing_context, first):
    """``first + np.arange(16)``, int32."""

    def emit(context, builder, signature, args):
        start = spread(builder, context.cast(builder, args[0], signature.args[0], types.int32), i32x16)
        return builder.add(start, ir.Constant(i32x16.llvm, list(range(16))))

    return i32x16(first), emit


@intrinsic
def multiply_add(typing_context, a, b, c):
    """Compute ``a * b + c``, in one rounding where the processor fuses them, in two where it does not."""

    def emit(context, builder, signature, args):
        return fused_multiply_add(builder, *args)

    return f32x16(a, b, c), emit


@intrinsic
def add(typing_context, a, b):
    """Compute ``a + b``."""

    def emit(context, builder, signature, args):
        return builder.fadd(*args) if a.element is types.float32 else builder.add(*args)

    return a(a, b), emit


@intrinsic
def multiply(typing_context, a, b):
    """Compute ``a * b``, float32."""

    def emit(context, builder, signature, args):
        return builder.fmul(*args)

    return f32x16(a, b), emit


@intrinsic
def maximum(typing_context, a, b):
    """``np.where(a > b, a, b)``: b where one of them is NaN."""

    def emit(context, builder, signature, args):
        larger = builder.fcmp_ordered if a.element is types.float32 else builder.icmp_signed
        return builder.select(larger(">", *args), *args)

    return a(a, b), emit


@intrinsic
def minimum(typing_context, a, b):
    """``np.where(a < b, a, b)``: b where one of them is NaN."""

    def emit(context, builder, signature, args):
        smaller = builder.fcmp_ordered if a.element is types.float32 else builder.icmp_signed
        return builder.select(smaller("<", *args), *args)

    return a(a, b), emit


@intrinsic
def greater(typing_context, a, b):
    """Mask of ``a > b``."""
    return _compare(">", a, b)


@intrinsic
def greater_equal(typing_context, a, b):
    """Mask of ``a >= b``."""
    return _compare(">=", a, b)


@intrinsic
def not_equal(typing_context, a, b):
    """Mask of ``a != b``, of float32; NaN differs from everything."""

    def emit(context, builder, signature, args):
        return builder.bitcast(builder.fcmp_unordered("!=", *args), ir.IntType(16))

    return types.uint16(a, b), emit


@intrinsic
def select(typing_context, mask, a, b):
    """``np.where(mask, a, b)``."""

    def emit(context, builder, signature, args):
        flags = builder.bitcast(context.cast(builder, args[0], signature.args[0], types.uint16), BOOL16)
        return builder.select(flags, args[1], args[2])

    return a(mask, a, b), emit


@intrinsic
def compress(typing_context, value, mask):
    """Move the lanes of set mask bits to the front, in order; what follows them is undefined."""

    def emit(context, builder, signature, args):
        flags = builder.bitcast(context.cast(builder, args[1], signature.args[1], types.uint16), BOOL16)
        shape = ir.FunctionType(value.llvm, [value.llvm, BOOL16, value.llvm])
        name = f"llvm.experimental.vector.compress.{value.suffix}"
        function = cgutils.get_or_insert_function(builder.module, shape, name)
        return builder.call(function, [args[0], flags, ir.Constant(value.llvm, ir.Undefined)])

    return value(value, mask), emit


@intrinsic
def order_keys(typing_context, value):
    """Turn float32 into int32 that compare the same way; -0.0 becomes the key of 0.0.

    ``bits = value.view(np.int32); np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)``

    Adding 0.0 to lose the sign of -0.0 is no shorter, and wrong where LLVM fuses it with the product before it: a
    negative product that underflows stays -0.0.
    """

    def emit(context, builder, signature, args):
        bits = builder.bitcast(args[0], i32x16.llvm)
        sign = builder.ashr(bits, ir.Constant(i32x16.llvm, [31] * 16))
        size = builder.and_(bits, ir.Constant(i32x16.llvm, [0x7FFFFFFF] * 16))
        return builder.sub(builder.xor(size, sign), sign)

    return i32x16(value), emit


@intrinsic
def magnitudes(typing_context, value):
    """``value.view(np.int32) & 0x7FFFFFFF``: they compare as sizes do; infinity is above all others, NaN above it."""

    def emit(context, builder, signature, args):
        bits = builder.bitcast(args[0], i32x16.llvm)
        return builder.and_(bits, ir.Constant(i32x16.llvm, [0x7FFFFFFF] * 16))

    return i32x16(value), emit


@intrinsic
def bits_of(typing_context, number):
    """``np.float32(number).view(np.int32)`` of a single float32."""

    def emit(context, builder, signature, args):
        return builder.bitcast(args[0], INT32)

    return types.int32(number), emit


@intrinsic
def double_bits_of(typing_context, number):
    """``np.float64(number).view(np.int64)`` of a single float64."""

    def emit(context, builder, signature, args):
        return builder.bitcast(args[0], INT64)

    return types.int64(types.float64), emit


@intrinsic
def number_of(typing_context, bits):
    """``np.int32(bits).view(np.float32)`` of a single int32."""

    def emit(context, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), emit


@intrinsic
def popcount(typing_context, mask):
    """Count the set bits of a mask."""

    def emit(context, builder, signature, args):
        width = args[0].type
        shape = ir.FunctionType(width, [width])
        function = cgutils.get_or_insert_function(builder.module, shape, f"llvm.ctpop.i{width.width}")
        return builder.zext(builder.call(function, args), INT64)

    return types.intp(types.uint16), emit


@intrinsic
def sum_lanes(typing_context, value):
    """``value.sum()``, float32, in any order."""

    def emit(context, builder, signature, args):
        number = ir.FloatType()
        shape = ir.FunctionType(number, [number, value.llvm])
        function = cgutils.get_or_insert_function(builder.module, shape, "llvm.vector.reduce.fadd.v16f32")
        return builder.call(function, [ir.Constant(number, -0.0), args[0]], fastmath=("reassoc",))

    return types.float32(value), emit


@intrinsic
def largest_lane(typing_context, value):
    """``value.max()``, int32."""

    def emit(context, builder, signature, args):
        shape = ir.FunctionType(INT32, [value.llvm])
        function = cgutils.get_or_insert_function(builder.module, shape, "llvm.vector.reduce.smax.v16i32")
        return builder.call(function, args)

    return types.int32(value), emit


def _compare(operator, a, b):
    def emit(context, builder, signature, args):
        if a.element is types.float32:
            flags = builder.fcmp_ordered(operator, *args)
        else:
            flags = builder.icmp_signed(operator, *args)
        return builder.bitcast(flags, ir.IntType(16))

    return types.uint16(a, b), emit


def spread(builder, number, vector):
    """Emit a vector that holds ``number`` in every lane."""
    start = builder.insert_element(ir.Constant(vector.llvm, ir.Undefined), number, INT32(0))
    return builder.shuffle_vector(start, start, ir.Constant(ir.VectorType(INT32, 16), [0] * 16))


def fused_multiply_add(builder, a, b, c):
    """Emit ``a * b + c``: ``llvm.fmuladd`` is fused exactly where that is one instruction."""
    shape = ir.FunctionType(f32x16.llvm, [f32x16.llvm] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, shape, "llvm.fmuladd.v16f32"), [a, b, c])
