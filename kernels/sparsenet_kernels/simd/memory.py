"""Addresses of array elements for the vector operations, checked when Numba was asked to check bounds."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

__all__ = ["BOOL16", "INT32", "INT64", "element_pointer", "masked_load", "masked_store"]

INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
BOOL16 = ir.VectorType(ir.IntType(1), 16)


def element_pointer(context, builder, array_type, array, index, index_type, count=None):
    """Give the address of element ``index`` of an array laid out in C order, whatever its number of axes.

    With ``NUMBA_BOUNDSCHECK=1``, raises ``IndexError`` unless ``count`` elements (an i64 value, 16 when left out)
    from there on lie inside the array.
    """
    data = make_array(array_type)(context, builder, array)
    position = context.cast(builder, index, index_type, types.intp)
    if context.enable_boundscheck:
        _check_bounds(context, builder, data.nitems, position, INT64(16) if count is None else count)
    return builder.gep(data.data, [position])


def _check_bounds(context, builder, size, position, count):
    end = builder.add(position, count)
    outside = builder.or_(
        builder.icmp_signed("<", position, position.type(0)),
        builder.icmp_signed(">", end, size),
    )
    with cgutils.if_unlikely(builder, builder.and_(outside, builder.icmp_signed(">", count, count.type(0)))):
        context.call_conv.return_user_exc(builder, IndexError, ("vector access outside of the array",))


def masked_load(context, builder, array_type, array, index, other, count):
    """Load the first ``count`` (i64, at most 16) lanes from element ``index`` on; take the rest from ``other``."""
    pointer = element_pointer(context, builder, array_type, array, index, types.intp, _at_most_16(builder, count))
    pointer = builder.bitcast(pointer, other.type.as_pointer())
    shape = ir.FunctionType(other.type, [pointer.type, INT32, BOOL16, other.type])
    function = cgutils.get_or_insert_function(builder.module, shape, f"llvm.masked.load.{_suffix(other)}.p0")
    return builder.call(function, [pointer, INT32(4), _first_lanes(builder, count), other])


def masked_store(context, builder, array_type, array, index, value, count):
    """Store the first ``count`` (i64; none below 1, all from 16 on) lanes from element ``index`` on."""
    pointer = element_pointer(context, builder, array_type, array, index, types.intp, _at_most_16(builder, count))
    pointer = builder.bitcast(pointer, value.type.as_pointer())
    shape = ir.FunctionType(ir.VoidType(), [value.type, pointer.type, INT32, BOOL16])
    function = cgutils.get_or_insert_function(builder.module, shape, f"llvm.masked.store.{_suffix(value)}.p0")
    builder.call(function, [value, pointer, INT32(4), _first_lanes(builder, count)])


def _suffix(value):
    return "v16f32" if isinstance(value.type.element, ir.FloatType) else "v16i32"


def _at_most_16(builder, count):
    return builder.select(builder.icmp_signed("<", count, INT64(16)), count, INT64(16))


def _first_lanes(builder, count):
    """Give 16 flags of which the first ``count`` are set: counted in one scalar register, which is cheap everywhere."""
    inside = builder.select(builder.icmp_signed(">", count, INT64(0)), _at_most_16(builder, count), INT64(0))
    bits = builder.sub(builder.shl(INT64(1), inside), INT64(1))
    return builder.bitcast(builder.trunc(bits, ir.IntType(16)), BOOL16)
