"""Memory at an address, seen by compiled code as an array or as a word; nobody owns it and nothing is checked."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sparsenet_kernels.step_abi import array_at

__all__ = ["bytes_at", "floats_at", "integers_at", "word_at"]


@intrinsic
def floats_at(typing_context, address, size):
    """Give the array of ``size`` float32 at an address."""
    result = types.Array(types.float32, 1, "C")

    def emit(context, builder, signature, args):
        return array_at(context, builder, result, args[0], [args[1]])

    return result(types.int64, types.int64), emit


@intrinsic
def integers_at(typing_context, address, size):
    """Give the array of ``size`` int32 at an address."""
    result = types.Array(types.int32, 1, "C")

    def emit(context, builder, signature, args):
        return array_at(context, builder, result, args[0], [args[1]])

    return result(types.int64, types.int64), emit


@intrinsic
def bytes_at(typing_context, address, size):
    """Give the array of ``size`` bytes at an address."""
    result = types.Array(types.uint8, 1, "C")

    def emit(context, builder, signature, args):
        return array_at(context, builder, result, args[0], [args[1]])

    return result(types.int64, types.int64), emit


@intrinsic
def word_at(typing_context, address, index):
    """Read the int64 number ``index`` of those from an address on."""

    def emit(context, builder, signature, args):
        words = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load(builder.gep(words, [context.cast(builder, args[1], signature.args[1], types.int64)]))

    return types.int64(types.int64, index), emit
