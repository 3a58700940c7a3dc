"""Sums of byte products that stay in registers: a block of vectors of 16 int32, one per position of an image.

Rows and columns are rows and columns of neighbouring outputs, so that a pooling finds its windows in the block. One
statement here unrolls to all vectors in LLVM. Row and column counts are literal integers, so they are part of the type.
"""

from functools import partial, reduce

from llvmlite import ir
from numba.core import types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic, models, register_model

from sparsenet_kernels.simd.byte_code import emitted, pack_clipped, pack_x86, part
from sparsenet_kernels.simd.bytes import dot4, load_i8, load_u8, lookup, repeat4
from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.ops import load, spread
from sparsenet_kernels.simd.target import has
from sparsenet_kernels.simd.types import i8x64, i32x16, u8x64

__all__ = [
    "SumsType",
    "store_16_bytes",
    "store_halves",
    "sums_add_fours",
    "sums_add_lookups",
    "sums_at",
    "sums_from",
    "sums_save",
    "sums_store",
    "sums_store_pooled",
    "sums_zero",
]


class SumsType(types.Type):
    """A block of ``rows`` times ``columns`` vectors of int32."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        super().__init__(name=f"sums({rows} x {columns})")

    @property
    def llvm(self) -> ir.Type:
        """The LLVM type of the block: its vectors in row order."""
        return ir.ArrayType(i32x16.llvm, self.rows * self.columns)


@register_model(SumsType)
class _SumsModel(models.PrimitiveModel):
    def __init__(self, manager: object, sums: SumsType) -> None:
        super().__init__(manager, sums, sums.llvm)


@intrinsic
def sums_from(typing_context, rows, columns, array, index):
    """Fill every vector of a new block with ``array.ravel()[index : index + 16]``."""
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(columns, types.IntegerLiteral):
        raise RequireLiteralValue("expected literal row and column counts")
    sums = SumsType(rows.literal_value, columns.literal_value)

    def emit(context, builder, signature, args):
        start = emitted(context, builder, load, signature.args[2:], args[2:])
        value = ir.Constant(sums.llvm, ir.Undefined)
        for position in range(sums.rows * sums.columns):
            value = builder.insert_value(value, start, position)
        return value

    return sums(rows, columns, array, index), emit


@intrinsic
def sums_zero(typing_context, rows, columns):
    """Make a new block of zeros."""
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(columns, types.IntegerLiteral):
        raise RequireLiteralValue("expected literal row and column counts")
    sums = SumsType(rows.literal_value, columns.literal_value)

    def emit(context, builder, signature, args):
        return ir.Constant(sums.llvm, [[0] * 16] * (sums.rows * sums.columns))

    return sums(rows, columns), emit


@intrinsic
def sums_add_fours(typing_context, sums, x, corner, row_step, column_step, weights, place):
    """Add, at every position, the products of four bytes with the weights of 16 outputs.

    ``sums[r, c] += x[at : at + 4] @ weights[place : place + 64].reshape(16, 4).T`` of the flattened arrays, where
    ``at = corner + r * row_step + c * column_step``.
    """

    def emit(context, builder, signature, args):
        factors = emitted(context, builder, load_i8, signature.args[5:7], args[5:7])

        def inputs(place):
            return emitted(context, builder, repeat4, (signature.args[1], types.int64), (args[1], place))

        return _add_everywhere(context, builder, signature, args, inputs, factors)

    return sums(sums, x, corner, row_step, column_step, weights, place), emit


@intrinsic
def sums_add_lookups(typing_context, sums, x, corner, row_step, column_step, indices, weights, place):
    """Add, at every position, the products of four bytes for each output, chosen out of 64, with their weights.

    ``sums[r, c] += (x[at : at + 64][i] * weights[place : place + 64]).reshape(16, 4).sum(axis=1)`` of the flattened
    arrays, where ``i = indices[place : place + 64]`` and ``at = corner + r * row_step + c * column_step``.
    """

    def emit(context, builder, signature, args):
        chosen = emitted(context, builder, load_u8, (signature.args[5], signature.args[7]), (args[5], args[7]))
        factors = emitted(context, builder, load_i8, signature.args[6:8], args[6:8])

        def inputs(place):
            table = emitted(context, builder, load_u8, (signature.args[1], types.int64), (args[1], place))
            return emitted(context, builder, lookup, (u8x64, u8x64), (table, chosen))

        return _add_everywhere(context, builder, signature, args, inputs, factors)

    return sums(sums, x, corner, row_step, column_step, indices, weights, place), emit


@intrinsic
def sums_at(typing_context, sums, row, column):
    """Take one vector out of a block; both positions are literal."""
    if not isinstance(row, types.IntegerLiteral) or not isinstance(column, types.IntegerLiteral):
        raise RequireLiteralValue("expected literal positions")
    position = row.literal_value * sums.columns + column.literal_value

    def emit(context, builder, signature, args):
        return builder.extract_value(args[0], position)

    return i32x16(sums, row, column), emit


@intrinsic
def sums_store(typing_context, sums, array, index, step, shift):
    """Requantise the sums of one row and store 16 bytes for each column, ``step`` bytes apart.

    ``array.ravel()[index + c * step :][:16] = np.clip((sums[0, c] + (1 << shift >> 1)) >> shift, 0, 255)``; a sum plus
    the half that rounds it must stay below 2**31.
    """
    return _store_each(sums, array, index, step, shift, lambda column: [column], sums.columns)


@intrinsic
def sums_store_pooled(typing_context, sums, array, index, step, shift):
    """Take the largest of each two rows and two columns, requantise, and store 16 bytes each, ``step`` bytes apart.

    What :func:`sums_store` does, for ``sums.reshape(2, -1, 2, 16).max(axis=(0, 2))``.
    """
    window = [row * sums.columns + x for row in (0, 1) for x in (0, 1)]
    return _store_each(
        sums, array, index, step, shift, lambda w: [2 * w + place for place in window], sums.columns // 2
    )


@intrinsic
def sums_save(typing_context, sums, array, index):
    """Store the vectors of a block one after the other, from element ``index`` on of an array of int32."""
    if array.dtype is not types.int32:
        return None

    def emit(context, builder, signature, args):
        _, array_type, index_type = signature.args
        place = context.cast(builder, args[2], index_type, types.int64)
        for position in range(sums.rows * sums.columns):
            pointer = element_pointer(context, builder, array_type, args[1], place, types.int64)
            value = builder.extract_value(args[0], position)
            builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=4)
            place = builder.add(place, INT64(16))
        return context.get_dummy_value()

    return types.void(sums, array, index), emit


@intrinsic
def store_16_bytes(typing_context, array, index, value, shift):
    """Divide 16 sums by a power of two, rounding halves up, clip them to bytes and store them.

    ``array.ravel()[index : index + 16] = np.clip((value + (1 << shift >> 1)) >> shift, 0, 255)``; a sum plus the half
    that rounds it must stay below 2**31.
    """
    if array.dtype is not types.uint8:
        return None

    def emit(context, builder, signature, args):
        array_type, index_type, _, shift_type = signature.args
        places = context.cast(builder, args[3], shift_type, types.int32)
        place = context.cast(builder, args[1], index_type, types.int64)
        (sixteen,) = _requantized(context, builder, [args[2]], places)
        _store_sixteen(context, builder, array_type, args[0], place, sixteen)
        return context.get_dummy_value()

    return types.void(array, index, value, shift), emit


@intrinsic
def store_halves(typing_context, array, index, value, other):
    """Store the first 32 bytes of a vector from element ``index`` on and the last 32 from element ``other`` on."""

    def emit(context, builder, signature, args):
        array_type, index_type, _, other_type = signature.args
        half = ir.VectorType(ir.IntType(8), 32)
        for first, at, at_type in ((0, args[1], index_type), (32, args[3], other_type)):
            lanes = ir.Constant(ir.VectorType(INT32, 32), list(range(first, first + 32)))
            part = builder.shuffle_vector(args[2], args[2], lanes)
            pointer = element_pointer(context, builder, array_type, args[0], at, at_type, INT64(32))
            builder.store(part, builder.bitcast(pointer, half.as_pointer()), align=1)
        return context.get_dummy_value()

    return (types.void(array, index, u8x64, other), emit) if array.dtype is types.uint8 else None


def _add_everywhere(context, builder, signature, args, inputs, factors):
    """Add the dot products of ``inputs(place)`` and ``factors`` to every vector of the block."""
    sums = signature.args[0]
    at, down, right = (context.cast(builder, args[i], signature.args[i], types.int64) for i in (2, 3, 4))
    value = args[0]
    for row in range(sums.rows):
        place = at
        for column in range(sums.columns):
            position = row * sums.columns + column
            before = builder.extract_value(value, position)
            after = emitted(context, builder, dot4, (i32x16, u8x64, i8x64), (before, inputs(place), factors))
            value = builder.insert_value(value, after, position)
            place = builder.add(place, right)
        at = builder.add(at, down)
    return value


def _store_each(sums, array, index, step, shift, window, count):
    """Store ``count`` times 16 bytes, each the largest of the vectors at the positions of its ``window``."""
    if array.dtype is not types.uint8:
        return None

    def emit(context, builder, signature, args):
        _, array_type, index_type, step_type, shift_type = signature.args
        place = context.cast(builder, args[2], index_type, types.int64)
        apart = context.cast(builder, args[3], step_type, types.int64)
        places = context.cast(builder, args[4], shift_type, types.int32)
        for first in range(0, count, 4):
            windows = [window(output) for output in range(first, min(first + 4, count))]
            largest = [
                reduce(partial(_larger, builder), [builder.extract_value(args[0], position) for position in positions])
                for positions in windows
            ]
            for sixteen in _requantized(context, builder, largest, places):
                _store_sixteen(context, builder, array_type, args[1], place, sixteen)
                place = builder.add(place, apart)
        return context.get_dummy_value()

    return types.void(sums, array, index, step, shift), emit


def _requantized(context, builder, sums, places):
    """Emit up to four vectors of 16 bytes: the sums divided by a power of two, halves up, and clipped."""
    half = spread(builder, builder.lshr(builder.shl(INT32(1), places), INT32(1)), i32x16)
    shifts = spread(builder, places, i32x16)
    units = [builder.ashr(builder.add(vector, half), shifts) for vector in sums]
    if len(units) > 1 and has(context, "avx512bw"):  # two instructions a vector instead of four
        packed = pack_x86(builder, [*units, *units[:1] * 3][:4])
    else:
        packed = pack_clipped(builder, [*units, *units[:1] * 3][:4])
    return [part(builder, packed, 16 * at, 16) for at in range(len(units))]


def _store_sixteen(context, builder, array_type, array, place, sixteen):
    pointer = element_pointer(context, builder, array_type, array, place, types.int64, INT64(16))
    builder.store(sixteen, builder.bitcast(pointer, sixteen.type.as_pointer()), align=1)


def _larger(builder, a, b):
    return builder.select(builder.icmp_signed(">", a, b), a, b)
