"""Blocks of vectors that stay in registers while a kernel accumulates.

One statement here unrolls to all vectors of the block in LLVM, which costs 0.1 ms to compile where the same statement
written out in Numba source costs 6.5 ms. Row and column counts are literal integers, so they are part of the type.
"""

from llvmlite import ir
from numba.core import types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT64, element_pointer, masked_store
from sparsenet_kernels.simd.ops import fused_multiply_add, spread
from sparsenet_kernels.simd.types import TileType, f32x16

__all__ = [
    "tile_add_outer",
    "tile_add_scaled",
    "tile_add_square",
    "tile_from_row",
    "tile_pooled",
    "tile_row",
    "tile_store",
    "tile_store_all",
]


@intrinsic
def tile_from_row(typing_context, rows, columns, array, index):
    """Fill every row of a new tile with ``array.ravel()[index : index + 16 * columns]``."""
    if not isinstance(rows, types.IntegerLiteral) or not isinstance(columns, types.IntegerLiteral):
        raise RequireLiteralValue("expected literal row and column counts")
    tile = TileType(rows.literal_value, columns.literal_value)

    def emit(context, builder, signature, args):
        _, _, array_type, index_type = signature.args
        one_row = _load_row(context, builder, array_type, args[2], args[3], index_type, tile.columns)
        value = ir.Constant(tile.llvm, ir.Undefined)
        for position in range(tile.rows * tile.columns):
            value = builder.insert_value(value, one_row[position % tile.columns], position)
        return value

    return tile(rows, columns, array, index), emit


@intrinsic
def tile_add_outer(typing_context, tile, scales, start, step, array, index):
    """Add an outer product: a number per row times a row of vectors.

    ``tile[r, :] += scales.ravel()[start + r * step] * array.ravel()[index : index + 16 * columns]``
    """

    def emit(context, builder, signature, args):
        _, scales_type, start_type, step_type, array_type, index_type = signature.args
        value, scales_value, start_value, step_value, array_value, index_value = args
        row = _load_row(context, builder, array_type, array_value, index_value, index_type, tile.columns)
        offset = context.cast(builder, start_value, start_type, types.intp)
        stride = context.cast(builder, step_value, step_type, types.intp)
        places = _places(builder, offset, stride, tile.rows)
        return _add_scaled_rows(context, builder, tile, value, scales_type, scales_value, places, row)

    return tile(tile, scales, start, step, array, index), emit


@intrinsic
def tile_add_square(typing_context, tile, scales, start, step, below, array, index):
    """Add an outer product as :func:`tile_add_outer` does, with the numbers in two lines, one below the other.

    ``tile[r, :] += scales.ravel()[start + r * step] * row`` for the first half of the rows, and for the second half
    ``tile[half + r, :] += scales.ravel()[start + below + r * step] * row``
    """

    def emit(context, builder, signature, args):
        _, scales_type, start_type, step_type, below_type, array_type, index_type = signature.args
        value, scales_value, start_value, step_value, below_value, array_value, index_value = args
        row = _load_row(context, builder, array_type, array_value, index_value, index_type, tile.columns)
        offset = context.cast(builder, start_value, start_type, types.intp)
        stride = context.cast(builder, step_value, step_type, types.intp)
        lower = builder.add(offset, context.cast(builder, below_value, below_type, types.intp))
        half = tile.rows // 2
        places = _places(builder, offset, stride, half) + _places(builder, lower, stride, half)
        return _add_scaled_rows(context, builder, tile, value, scales_type, scales_value, places, row)

    return tile(tile, scales, start, step, below, array, index), emit


@intrinsic
def tile_pooled(typing_context, tile):
    """Keep the largest of each square of two neighbouring rows and the two below them, half the tile further on.

    ``np.maximum(tile[:half], tile[half:]).reshape(half // 2, 2, -1).max(axis=1)``
    """
    pooled = TileType(tile.rows // 4, tile.columns)

    def emit(context, builder, signature, args):
        value = ir.Constant(pooled.llvm, ir.Undefined)
        for position in range(pooled.rows * pooled.columns):
            r, c = divmod(position, pooled.columns)
            rows = 2 * r, 2 * r + 1, tile.rows // 2 + 2 * r, tile.rows // 2 + 2 * r + 1
            vectors = [builder.extract_value(args[0], row * tile.columns + c) for row in rows]
            best = _larger(builder, _larger(builder, *vectors[:2]), _larger(builder, *vectors[2:]))
            value = builder.insert_value(value, best, position)
        return value

    return pooled(tile), emit


@intrinsic
def tile_add_scaled(typing_context, tile, scale, array, index):
    """Add one number times as many numbers as the tile holds.

    ``tile.ravel() += scale * array.ravel()[index : index + 16 * rows * columns]``
    """

    def emit(context, builder, signature, args):
        _, _, array_type, index_type = signature.args
        vectors = _load_row(context, builder, array_type, args[2], args[3], index_type, tile.rows * tile.columns)
        return _accumulate(builder, args[0], 0, spread(builder, args[1], f32x16), vectors)

    return tile(tile, types.float32, array, index), emit


@intrinsic
def tile_row(typing_context, tile, row, column):
    """Take one vector out of a tile; both positions are literal."""
    if not isinstance(row, types.IntegerLiteral) or not isinstance(column, types.IntegerLiteral):
        raise RequireLiteralValue("expected a literal row and column")
    position = row.literal_value * tile.columns + column.literal_value

    def emit(context, builder, signature, args):
        return builder.extract_value(args[0], position)

    return f32x16(tile, row, column), emit


@intrinsic
def tile_store(typing_context, tile, array, index, step, count):
    """Store the first ``count`` numbers (at most ``16 * columns``) of every row.

    ``array.ravel()[index + r * step : index + r * step + count] = tile[r, :].ravel()[:count]`` for every row r.
    """

    def emit(context, builder, signature, args):
        _, array_type, index_type, step_type, count_type = signature.args
        offset = context.cast(builder, args[2], index_type, types.intp)
        stride = context.cast(builder, args[3], step_type, types.intp)
        wanted = context.cast(builder, args[4], count_type, types.intp)
        for r in range(tile.rows):
            for c in range(tile.columns):
                vector = builder.extract_value(args[0], r * tile.columns + c)
                place = builder.add(offset, INT64(16 * c))
                masked_store(context, builder, array_type, args[1], place, vector, builder.sub(wanted, INT64(16 * c)))
            offset = builder.add(offset, stride)
        return context.get_dummy_value()

    return types.void(tile, array, index, step, count), emit


@intrinsic
def tile_store_all(typing_context, tile, array, index):
    """``array.ravel()[index : index + 16 * rows * columns] = tile.ravel()``."""

    def emit(context, builder, signature, args):
        _, array_type, index_type = signature.args
        start = context.cast(builder, args[2], index_type, types.intp)
        for position in range(tile.rows * tile.columns):
            place = builder.add(start, INT64(16 * position))
            pointer = element_pointer(context, builder, array_type, args[1], place, types.intp)
            pointer = builder.bitcast(pointer, f32x16.llvm.as_pointer())
            builder.store(builder.extract_value(args[0], position), pointer, align=4)
        return context.get_dummy_value()

    return types.void(tile, array, index), emit


def _places(builder, start, step, count):
    places = [start]
    while len(places) < count:
        places.append(builder.add(places[-1], step))
    return places


def _add_scaled_rows(context, builder, tile, value, scales_type, scales, places, row):
    """Add to each row of a tile the number at its place times a row of vectors."""
    for r, place in enumerate(places):
        pointer = element_pointer(context, builder, scales_type, scales, place, types.intp, INT64(1))
        scale = spread(builder, builder.load(pointer), f32x16)
        value = _accumulate(builder, value, r * tile.columns, scale, row)
    return value


def _larger(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _load_row(context, builder, array_type, array, index, index_type, columns):
    start = context.cast(builder, index, index_type, types.intp)
    row = []
    for c in range(columns):
        place = builder.add(start, INT64(16 * c))
        pointer = element_pointer(context, builder, array_type, array, place, types.intp)
        row.append(builder.load(builder.bitcast(pointer, f32x16.llvm.as_pointer()), align=4))
    return row


def _accumulate(builder, tile, first, scale, vectors):
    for offset, vector in enumerate(vectors):
        total = fused_multiply_add(builder, scale, vector, builder.extract_value(tile, first + offset))
        tile = builder.insert_value(tile, total, first + offset)
    return tile
