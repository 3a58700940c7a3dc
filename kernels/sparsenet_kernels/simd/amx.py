"""Tiles of AMX: eight registers of up to 16 rows of 64 bytes, and one instruction that multiplies two of them.

A product adds, to 16 x 16 int32 sums, 16 rows of 64 unsigned bytes times 64 x 16 signed bytes. Left-hand tiles are read
from anywhere, row by row at a constant step; right-hand tiles hold four inputs of each of 16 outputs in a row, as
:mod:`sparsenet_kernels.formats.tiles` packs them.

Linux gives a process the right to use tiles when it asks; without it, or with tiles whose sizes do not match, the
process is killed. So :func:`amx_available` must have said yes before a kernel runs, and the sizes must be proven.
Tiles belong to a thread and survive no call: a kernel configures them first and releases them last. Tile numbers are
literal integers, for they are registers.
"""

import sys
from functools import cache

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import RequireLiteralValue, UnsupportedError
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.target import has

__all__ = [
    "amx_available",
    "tile_dot",
    "tile_load",
    "tile_save",
    "tile_zero",
    "tiles_add_rows",
    "tiles_configure",
    "tiles_release",
    "tiles_save",
    "tiles_zero",
]

INT8 = ir.IntType(8)
INT16 = ir.IntType(16)
FEATURES = ("amx-tile", "amx-int8")

ARCH_PRCTL = 158
"""Number of the system call on x86-64."""

ASK_SUPPORTED, ASK_PERMITTED, REQUEST = 0x1021, 0x1022, 0x1023
"""Its codes: ARCH_GET_XCOMP_SUPP, ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM."""

CONFIGURATION, DATA = 17, 18
"""Numbers of the two parts of the processor's state that tiles take."""


@cache
def amx_available() -> bool:
    """Tell whether kernels of this process may use tiles; asks the system for the right to, once.

    False where Numba does not compile for AMX, the system is not Linux, or it refuses (for one, because a stack for
    signals is too small to save tiles on).
    """
    from numba.core.registry import cpu_target

    return has(cpu_target.target_context, *FEATURES) and _permitted()


def _permitted() -> bool:
    if sys.platform != "linux":
        return False
    import ctypes

    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long

    def answer(code: int) -> int:
        parts = ctypes.c_uint64(0)
        failed = call(ctypes.c_long(ARCH_PRCTL), ctypes.c_long(code), ctypes.byref(parts))
        return 0 if failed else parts.value

    needed = 1 << CONFIGURATION | 1 << DATA
    if answer(ASK_SUPPORTED) & needed != needed:
        return False
    if call(ctypes.c_long(ARCH_PRCTL), ctypes.c_long(REQUEST), ctypes.c_long(DATA)) != 0:
        return False
    return bool(answer(ASK_PERMITTED) >> DATA & 1)


@intrinsic
def tiles_configure(typing_context, sums, lefts, rows, depth):
    """Say how large the tiles are: the first ``sums``, the next ``lefts`` (both literal), and the others up to eight.

    Sums are ``rows`` x 16 int32, left-hand tiles ``rows`` x ``depth`` bytes, right-hand tiles ``depth // 4`` rows of
    64 bytes; 1 <= rows <= 16, and depth is a multiple of 4 from 4 to 64.
    """
    counts = _literal(sums), _literal(lefts)

    def emit(context, builder, signature, args):
        high, deep = (context.cast(builder, args[i], signature.args[i], types.int64) for i in (2, 3))
        shapes = [(high, INT64(64))] * counts[0] + [(high, deep)] * counts[1]
        shapes += [(builder.lshr(deep, INT64(2)), INT64(64))] * (8 - len(shapes))
        # 64 bytes: the palette (1), from byte 16 each tile's bytes in a row, from byte 48 its rows
        block = cgutils.alloca_once(builder, ir.ArrayType(INT8, 64))
        builder.store(ir.Constant(block.type.pointee, bytearray([1] + [0] * 63)), block)
        first = builder.bitcast(block, INT8.as_pointer())
        for tile, (height, width) in enumerate(shapes):
            place = builder.gep(first, [INT64(16 + 2 * tile)])
            builder.store(builder.trunc(width, INT16), builder.bitcast(place, INT16.as_pointer()))
            builder.store(builder.trunc(height, INT8), builder.gep(first, [INT64(48 + tile)]))
        _call(context, builder, "ldtilecfg", first)
        return context.get_dummy_value()

    return types.void(sums, lefts, rows, depth), emit


@intrinsic
def tiles_release(typing_context):
    """Give the tiles back, which spares the system saving them."""

    def emit(context, builder, signature, args):
        _call(context, builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def tile_zero(typing_context, tile):
    """Fill a tile with zeros."""
    number = _literal(tile)

    def emit(context, builder, signature, args):
        _call(context, builder, "tilezero", INT8(number))
        return context.get_dummy_value()

    return types.void(tile), emit


@intrinsic
def tile_load(typing_context, tile, array, index, step):
    """Load row r of a tile from the bytes from element ``index`` on and ``r * step`` bytes further."""
    number = _literal(tile)

    def emit(context, builder, signature, args):
        _, array_type, index_type, step_type = signature.args
        pointer = _bytes_from(context, builder, array_type, args[1], args[2], index_type)
        stride = context.cast(builder, args[3], step_type, types.int64)
        _call(context, builder, "tileloadd64", INT8(number), pointer, stride)
        return context.get_dummy_value()

    return types.void(tile, array, index, step), emit


@intrinsic
def tile_save(typing_context, tile, array, index, step):
    """Store row r of a tile to the bytes from element ``index`` on and ``r * step`` bytes further."""
    number = _literal(tile)

    def emit(context, builder, signature, args):
        _, array_type, index_type, step_type = signature.args
        pointer = _bytes_from(context, builder, array_type, args[1], args[2], index_type)
        stride = context.cast(builder, args[3], step_type, types.int64)
        _call(context, builder, "tilestored64", INT8(number), pointer, stride)
        return context.get_dummy_value()

    return types.void(tile, array, index, step), emit


@intrinsic
def tile_dot(typing_context, sums, left, right):
    """Add a product of unsigned and signed bytes: ``sums[m, n] += left[m, 4k : 4k + 4] @ right[k, n]`` over all k."""
    numbers = [_literal(tile) for tile in (sums, left, right)]

    def emit(context, builder, signature, args):
        _call(context, builder, "tdpbusd", *map(INT8, numbers))
        return context.get_dummy_value()

    return types.void(sums, left, right), emit


@intrinsic
def tiles_zero(typing_context, count):
    """Fill the tiles 0 to ``count - 1`` with zeros."""
    tiles = range(_literal(count))

    def emit(context, builder, signature, args):
        for tile in tiles:
            _call(context, builder, "tilezero", INT8(tile))
        return context.get_dummy_value()

    return types.void(count), emit


@intrinsic
def tiles_add_rows(typing_context, count, left, index, between, step, right, place, ahead):
    """Multiply ``count`` rows of an image by the same weights: add the i-th product to tile i.

    The left-hand tile 6 of row i begins at element ``index + i * between`` of the bytes ``left``, its rows lie ``step``
    bytes apart; the right-hand tile 7 begins at element ``place`` of the bytes ``right``.

    Fetches 16 rows that lie ``ahead`` bytes (literal, a multiple of 64) behind that tile into the first-level cache:
    without that, 25 tiles for each of 64 outputs, which do not fit into it, took 5.7 instead of 4.6 µs. Reads nothing
    behind the arrays: a fetch ahead is no access.
    """
    sums, distance = range(_literal(count)), _literal(ahead)

    def emit(context, builder, signature, args):
        _, left_type, index_type, between_type, step_type, right_type, place_type, _ = signature.args
        # tile 7: the weights, once for all blocks of sums
        weights = _bytes_from(context, builder, right_type, args[5], args[6], place_type)
        _call(context, builder, "tileloadd64", INT8(7), weights, INT64(64))
        start = context.cast(builder, args[2], index_type, types.int64)
        apart = context.cast(builder, args[3], between_type, types.int64)
        stride = context.cast(builder, args[4], step_type, types.int64)
        share = -(-16 // len(sums))
        for tile in sums:
            # tile 6: the inputs of one block
            pointer = _bytes_from(context, builder, left_type, args[1], start, types.int64)
            _call(context, builder, "tileloadd64", INT8(6), pointer, stride)
            # an equal share of the 16 lines that are needed later, between the load and its product
            for row in range(share * tile, min(share * (tile + 1), 16)):
                _prefetch(builder, builder.gep(weights, [INT64(distance + 64 * row)]))
            # into a tile of its own, so that no product waits for the one before
            _call(context, builder, "tdpbusd", INT8(tile), INT8(6), INT8(7))
            start = builder.add(start, apart)
        return context.get_dummy_value()

    return types.void(count, left, index, between, step, right, place, ahead), emit


@intrinsic
def tiles_save(typing_context, count, array, index, between, step):
    """Store the tiles 0 to ``count - 1``: tile i from element ``index + i * between`` on, rows ``step`` bytes apart."""
    tiles = range(_literal(count))

    def emit(context, builder, signature, args):
        _, array_type, index_type, between_type, step_type = signature.args
        start = context.cast(builder, args[2], index_type, types.int64)
        apart = context.cast(builder, args[3], between_type, types.int64)
        stride = context.cast(builder, args[4], step_type, types.int64)
        for tile in tiles:
            pointer = _bytes_from(context, builder, array_type, args[1], start, types.int64)
            _call(context, builder, "tilestored64", INT8(tile), pointer, stride)
            start = builder.add(start, apart)
        return context.get_dummy_value()

    return types.void(count, array, index, between, step), emit


def _literal(number):
    if not isinstance(number, types.IntegerLiteral):
        raise RequireLiteralValue("expected a literal number of a tile, or of tiles")
    return number.literal_value


def _bytes_from(context, builder, array_type, array, index, index_type):
    pointer = element_pointer(context, builder, array_type, array, index, index_type, INT64(1))
    return builder.bitcast(pointer, INT8.as_pointer())


def _prefetch(builder, pointer):
    for_reading, keep, data = ir.Constant(INT32, 0), ir.Constant(INT32, 3), ir.Constant(INT32, 1)
    shape = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
    function = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
    builder.call(function, [pointer, for_reading, keep, data])


def _call(context, builder, name, *args):
    """Emit a tile instruction, or refuse: LLVM would end the process where the target has none."""
    if not has(context, *FEATURES):
        raise UnsupportedError("expected a target with AMX tiles for bytes; ask amx_available() first")
    shape = ir.FunctionType(ir.VoidType(), [value.type for value in args])
    builder.call(cgutils.get_or_insert_function(builder.module, shape, f"llvm.x86.{name}"), args)
