"""Outer products of bytes, added to sums that stay in registers: what a matrix product of bytes consists of."""

from functools import reduce

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from sparsenet_kernels.simd.byte_code import emitted
from sparsenet_kernels.simd.bytes import dot4, load_i8, repeat4
from sparsenet_kernels.simd.memory import INT64
from sparsenet_kernels.simd.types import i8x64, i32x16, u8x64

__all__ = ["sums_add_outer", "sums_total"]


@intrinsic
def sums_add_outer(typing_context, sums, x, start, step, weights, place):
    """Add four bytes for each row times the weights of 16 outputs for each column.

    ``sums[r, c] += x[at : at + 4] @ weights[place + 64 * c :][:64].reshape(16, 4).T`` of the flattened arrays, where
    ``at = start + r * step``.
    """

    def emit(context, builder, signature, args):
        _, x_type, start_type, step_type, weights_type, place_type = signature.args
        at = context.cast(builder, args[2], start_type, types.int64)
        apart = context.cast(builder, args[3], step_type, types.int64)
        first = context.cast(builder, args[5], place_type, types.int64)
        factors = [
            emitted(
                context, builder, load_i8, (weights_type, types.int64), (args[4], builder.add(first, INT64(64 * c)))
            )
            for c in range(sums.columns)
        ]
        value = args[0]
        for r in range(sums.rows):
            inputs = emitted(context, builder, repeat4, (x_type, types.int64), (args[1], at))
            for c, factor in enumerate(factors):
                position = r * sums.columns + c
                before = builder.extract_value(value, position)
                after = emitted(context, builder, dot4, (i32x16, u8x64, i8x64), (before, inputs, factor))
                value = builder.insert_value(value, after, position)
            at = builder.add(at, apart)
        return value

    return sums(sums, x, start, step, weights, place), emit


@intrinsic
def sums_total(typing_context, sums):
    """Add all vectors of a block to one, modulo 2**32."""

    def emit(context, builder, signature, args):
        vectors = [builder.extract_value(args[0], position) for position in range(sums.rows * sums.columns)]
        return reduce(builder.add, vectors, ir.Constant(i32x16.llvm, [0] * 16))

    return i32x16(sums), emit
