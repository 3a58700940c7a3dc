"""Masks of 64 numbers: which reach a limit, how many, and lists of them."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer, masked_load, masked_store
from sparsenet_kernels.simd.ops import spread
from sparsenet_kernels.simd.target import has
from sparsenet_kernels.simd.types import f32x16, i32x16

__all__ = ["exceeding64", "list_set_bits", "popcount64", "reaching64"]

BYTES = ir.VectorType(ir.IntType(8), 64)
FLAGS = ir.VectorType(ir.IntType(1), 64)
ZEROS = ir.Constant(f32x16.llvm, [0.0] * 16)


@intrinsic
def popcount64(typing_context, mask):
    """Count the set bits of a 64-bit mask."""

    def emit(context, builder, signature, args):
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INT64, [INT64]), "llvm.ctpop.i64")
        return builder.call(function, args)

    return types.intp(types.uint64), emit


@intrinsic
def reaching64(typing_context, x, start, factor, first, limit, there):
    """Mask of up to 64 products of at least a limit, of which the first ``there`` exist.

    ``x.ravel()[start:][:64] * factor.ravel()[first:][:64] >= limit``, bit i for the i-th
    """
    return _comparing(">=", x, start, factor, first, limit, there)


@intrinsic
def exceeding64(typing_context, x, start, factor, first, limit, there):
    """Mask of up to 64 products above a limit; see :func:`reaching64`."""
    return _comparing(">", x, start, factor, first, limit, there)


def _comparing(operator, x, start, factor, first, limit, there):
    def emit(context, builder, signature, args):
        start, first, there = (context.cast(builder, args[i], signature.args[i], types.intp) for i in (1, 3, 5))
        values = _loaded(context, builder, signature.args[0], args[0], start, there)
        scales = _loaded(context, builder, signature.args[2], args[2], first, there)
        mask = INT64(0)
        for i, (value, scale) in enumerate(zip(values, scales, strict=True)):
            flags = builder.fcmp_ordered(operator, builder.fmul(value, scale), args[4])
            bits = builder.zext(builder.bitcast(flags, ir.IntType(16)), INT64)
            mask = builder.or_(mask, builder.shl(bits, INT64(16 * i)))
        return builder.and_(mask, _lowest_bits(builder, there))

    return types.uint64(x, start, factor, first, limit, there), emit


@intrinsic
def list_set_bits(typing_context, mask, x, start, first, there, columns, values, at, count):
    """List the lowest ``count`` set bits of a 64-bit mask, all below ``there``.

        bits = np.flatnonzero(mask >> np.arange(64) & 1)[:count]
        columns.ravel()[at : at + count] = first + bits
        values.ravel()[at : at + count] = x.ravel()[start + bits]

    Where the processor compresses bytes, that takes a compression, and three permutations for 16 of them (gathering
    loads took 0.4 µs more for 196 lists of six); elsewhere bit follows bit.

    Where fewer bits are set, what is listed behind them, at most ``count`` in all, is of no account.
    """

    def emit(context, builder, signature, args):
        whole = (types.uint64, *(types.intp,) * 5)
        mask, start, first, there, at, count = (
            context.cast(builder, args[i], signature.args[i], kind)
            for i, kind in zip((0, 2, 3, 4, 7, 8), whole, strict=True)
        )
        arrays = [(signature.args[i], args[i]) for i in (1, 5, 6)]
        list_them = _by_compressing if has(context, "avx512vbmi2") and not context.enable_boundscheck else _one_by_one
        list_them(context, builder, mask, start, first, there, at, count, *arrays)
        return context.get_dummy_value()

    return types.void(mask, x, start, first, there, columns, values, at, count), emit


def _loaded(context, builder, array_type, array, start, there):
    """Emit four vectors of an array's elements from ``start`` on, zeros from ``there`` on."""
    return [
        masked_load(
            context, builder, array_type, array, builder.add(start, INT64(j)), ZEROS, builder.sub(there, INT64(j))
        )
        for j in range(0, 64, 16)
    ]


def _lowest_bits(builder, count):
    all_but = builder.sub(INT64(64), count)
    some = builder.lshr(INT64(-1), builder.and_(all_but, INT64(63)))
    return builder.select(builder.icmp_signed("<", count, INT64(64)), some, INT64(-1))


def _by_compressing(context, builder, mask, start, first, there, at, count, x, columns, values):
    table = _loaded(context, builder, *x, start, there)
    positions = _compressed_positions(builder, mask)
    base = spread(builder, builder.trunc(first, INT32), i32x16)
    _list_sixteen(context, builder, positions, 0, table, base, at, count, columns, values)
    with cgutils.if_unlikely(builder, builder.icmp_signed(">", count, INT64(16))):
        for done in range(16, 64, 16):
            _list_sixteen(context, builder, positions, done, table, base, at, count, columns, values)


def _list_sixteen(context, builder, positions, done, table, base, at, count, columns, values):
    """Emit the list of set bits ``done`` to ``done + 15``, as far as they count."""
    lanes = ir.Constant(ir.VectorType(INT32, 16), list(range(done, done + 16)))
    bits = builder.zext(builder.shuffle_vector(positions, positions, lanes), i32x16.llvm)
    place, left = builder.add(at, INT64(done)), builder.sub(count, INT64(done))
    masked_store(context, builder, *columns, place, builder.add(base, bits), left)
    masked_store(context, builder, *values, place, _looked_up(builder, table, bits), left)


def _compressed_positions(builder, mask):
    """Emit the positions of the set bits as bytes, in order."""
    shape = ir.FunctionType(BYTES, [BYTES, FLAGS, BYTES])
    compress = cgutils.get_or_insert_function(builder.module, shape, "llvm.experimental.vector.compress.v64i8")
    positions, nothing = ir.Constant(BYTES, list(range(64))), ir.Constant(BYTES, ir.Undefined)
    return builder.call(compress, [positions, builder.bitcast(mask, FLAGS), nothing])


def _looked_up(builder, table, bits):
    """Emit the numbers at positions below 64 of a table of four vectors."""
    vector = f32x16.llvm
    shape = ir.FunctionType(vector, [vector, i32x16.llvm, vector])
    permute = cgutils.get_or_insert_function(builder.module, shape, "llvm.x86.avx512.vpermi2var.ps.512")
    low, high = (builder.call(permute, [table[i], bits, table[i + 1]]) for i in (0, 2))
    upper = builder.icmp_unsigned(">", bits, ir.Constant(i32x16.llvm, [31] * 16))
    return builder.select(upper, high, low)


def _one_by_one(context, builder, mask, start, first, there, at, count, x, columns, values):
    left = cgutils.alloca_once(builder, INT64)
    builder.store(mask, left)
    count_set = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INT64, [INT64]), "llvm.ctpop.i64")
    there_are = builder.call(count_set, [mask])  # which callers count, too: LLVM does so once
    count = builder.select(builder.icmp_signed("<", there_are, count), there_are, count)
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
