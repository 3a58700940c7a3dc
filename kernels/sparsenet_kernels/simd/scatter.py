"""Adding blocks of weights at listed places, the blocks held in registers."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT64, element_pointer
from sparsenet_kernels.simd.ops import fused_multiply_add, spread
from sparsenet_kernels.simd.types import f32x16

__all__ = ["scatter_blocks"]


@intrinsic
def scatter_blocks(typing_context, count, weights, offsets, z, listed, first, end, sums):
    """Add ``count`` blocks of 16 weights, from the z-th on, times each listed value, each at its offset from the place.

        for i in range(first, end):
            place, value = listed[2 * i], listed[2 * i + 1].view(np.float32)
            for j in range(z, z + count):
                sums.ravel()[place + offsets[j] :][:16] += value * weights.ravel()[16 * j : 16 * j + 16]

    ``listed`` is int32; ``count`` is literal. The loop is written here, so that weights and offsets need not be loaded
    anew after every store.
    """
    if not isinstance(count, types.IntegerLiteral):
        raise RequireLiteralValue("expected a literal number of blocks")
    blocks = range(count.literal_value)

    def emit(context, builder, signature, args):
        arrays = dict(zip(("weights", "offsets", "listed", "sums"), (1, 2, 4, 7), strict=True))

        def at(name, place, size):
            number = arrays[name]
            count = INT64(size)
            return element_pointer(context, builder, signature.args[number], args[number], place, types.intp, count)

        def vector_at(name, place):
            return builder.bitcast(at(name, place, 16), f32x16.llvm.as_pointer())

        begin, start, stop = (context.cast(builder, args[i], signature.args[i], types.intp) for i in (3, 5, 6))
        numbers = [builder.add(begin, INT64(j)) for j in blocks]
        held = [builder.load(vector_at("weights", builder.mul(j, INT64(16))), align=4) for j in numbers]
        apart = [builder.sext(builder.load(at("offsets", j, 1)), INT64) for j in numbers]
        with cgutils.for_range_slice(builder, start, stop, INT64(1), INT64) as (i, _):
            pair = builder.mul(i, INT64(2))
            place = builder.sext(builder.load(at("listed", pair, 1)), INT64)
            bits = builder.load(at("listed", builder.add(pair, INT64(1)), 1))
            value = spread(builder, builder.bitcast(bits, ir.FloatType()), f32x16)
            for weight, offset in zip(held, apart, strict=True):
                pointer = vector_at("sums", builder.add(place, offset))
                total = fused_multiply_add(builder, value, weight, builder.load(pointer, align=4))
                builder.store(total, pointer, align=4)
        return context.get_dummy_value()

    return types.void(count, weights, offsets, z, listed, first, end, sums), emit
