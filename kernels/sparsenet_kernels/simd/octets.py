"""Sets of eight channels, taken out of an image eight positions at a time.

:mod:`sparsenet_kernels.formats.octets` draws them.
"""

from llvmlite import ir
from numba.core import types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from sparsenet_kernels.simd.byte_code import BYTES, emitted
from sparsenet_kernels.simd.bytes import lookup
from sparsenet_kernels.simd.memory import INT32, INT64, element_pointer
from sparsenet_kernels.simd.types import u8x64

__all__ = ["store_octets"]

WORDS64 = ir.VectorType(INT64, 8)


@intrinsic
def store_octets(typing_context, count, sets, place, apart, x, start, step, indices):
    """Choose 64 of the 64 bytes at each of eight positions, and store the first ``count`` (literal) eights by set.

    ``sets.ravel()[place + s * apart + 8 * p :][:8] = x.ravel()[start + p * step :][:64][indices[8 * s : 8 * s + 8]]``
    for the positions p = 0 to 7 and the sets s = 0 to count - 1: a transposition of 8 x 8 words of eight bytes.
    """
    if not isinstance(count, types.IntegerLiteral):
        raise RequireLiteralValue("expected a literal number of sets")

    def emit(context, builder, signature, args):
        _, sets_type, _, _, x_type, *_ = signature.args
        place, apart, start, step = (
            context.cast(builder, args[i], signature.args[i], types.int64) for i in (2, 3, 5, 6)
        )
        rows = []
        for _ in range(8):
            pointer = element_pointer(context, builder, x_type, args[4], start, types.int64, INT64(64))
            table = builder.load(builder.bitcast(pointer, BYTES.as_pointer()), align=1)
            chosen = emitted(context, builder, lookup, (u8x64, u8x64), (table, args[7]))
            rows.append(builder.bitcast(chosen, WORDS64))
            start = builder.add(start, step)
        for row in _transposed(builder, rows)[: count.literal_value]:
            pointer = element_pointer(context, builder, sets_type, args[1], place, types.int64, INT64(64))
            builder.store(row, builder.bitcast(pointer, WORDS64.as_pointer()), align=1)
            place = builder.add(place, apart)
        return context.get_dummy_value()

    return types.void(count, sets, place, apart, x, start, step, indices), emit


def _transposed(builder, rows):
    """Transpose eight vectors of eight: exchange halves, quarters, and eighths of pairs."""
    for distance in (1, 2, 4):
        lanes = range(8)
        low = [lane if not lane & distance else 8 + (lane ^ distance) for lane in lanes]
        high = [lane | distance if not lane & distance else 8 + lane for lane in lanes]
        turned = list(rows)
        for i in lanes:
            if not i & distance:
                turned[i], turned[i | distance] = (
                    builder.shuffle_vector(rows[i], rows[i | distance], ir.Constant(ir.VectorType(INT32, 8), order))
                    for order in (low, high)
                )
        rows = turned
    return rows
