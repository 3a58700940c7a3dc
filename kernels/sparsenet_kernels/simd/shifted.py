"""Sums of shifted vectors, each times a number: the inner loop of a convolution with positions in lanes."""

from numba.core import cgutils, types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT64, element_pointer
from sparsenet_kernels.simd.ops import fused_multiply_add, spread
from sparsenet_kernels.simd.types import f32x16

__all__ = ["add_shifted"]


@intrinsic
def add_shifted(typing_context, vectors, array, start, offsets, scales, first, end, sums, index):
    """Add so many vectors of an array, shifted by an offset and times a number, for each pair of the two.

        for z in range(first, end):
            shifted = array.ravel()[start + offsets[z] :][: 16 * vectors]
            sums.ravel()[index : index + 16 * vectors] += scales[z] * shifted

    ``vectors`` is literal: the sums are in as many registers. The loop is written here, because a function for each
    number of vectors took Numba a second.
    """
    if not isinstance(vectors, types.IntegerLiteral):
        raise RequireLiteralValue("expected a literal number of vectors")
    count = vectors.literal_value

    def emit(context, builder, signature, args):
        def at(number, place, size):
            kind = signature.args[number]
            return element_pointer(context, builder, kind, args[number], place, types.intp, INT64(size))

        def vector_at(number, place, j):
            pointer = at(number, builder.add(place, INT64(16 * j)), 16)
            return builder.bitcast(pointer, f32x16.llvm.as_pointer())

        begin, lowest, highest, place = (
            context.cast(builder, args[number], signature.args[number], types.intp) for number in (2, 5, 6, 8)
        )
        totals = [cgutils.alloca_once(builder, f32x16.llvm) for _ in range(count)]
        for j, total in enumerate(totals):
            builder.store(builder.load(vector_at(7, place, j), align=4), total)
        with cgutils.for_range_slice(builder, lowest, highest, INT64(1), INT64) as (z, _):
            shift = builder.add(begin, builder.sext(builder.load(at(3, z, 1)), INT64))
            scale = spread(builder, builder.load(at(4, z, 1)), f32x16)
            for j, total in enumerate(totals):
                shifted = builder.load(vector_at(1, shift, j), align=4)
                builder.store(fused_multiply_add(builder, scale, shifted, builder.load(total)), total)
        for j, total in enumerate(totals):
            builder.store(builder.load(total), vector_at(7, place, j), align=4)
        return context.get_dummy_value()

    return types.void(vectors, array, start, offsets, scales, first, end, sums, index), emit
