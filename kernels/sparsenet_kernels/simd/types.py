"""The vector and tile types, as Numba and as LLVM know them."""

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

__all__ = ["TileType", "VectorType", "f32x16", "i8x64", "i16x32", "i32x16", "u8x64"]

_LLVM_ELEMENTS = {
    types.float32: ir.FloatType(),
    types.int32: ir.IntType(32),
    types.int16: ir.IntType(16),
    types.int8: ir.IntType(8),
    types.uint8: ir.IntType(8),
}


class VectorType(types.Type):
    """As many numbers of one type as fill 64 bytes, held in one LLVM vector.

    That is one AVX-512 register; lesser processors use several.
    """

    def __init__(self, element: types.Type) -> None:
        self.element = element
        self.lanes = 512 // element.bitwidth
        super().__init__(name=f"vector({element} x {self.lanes})")

    @property
    def llvm(self) -> ir.Type:
        """The LLVM type of the vector."""
        return ir.VectorType(_LLVM_ELEMENTS[self.element], self.lanes)

    @property
    def suffix(self) -> str:
        """How the names of LLVM's functions end for this type."""
        kind = "f" if self.element is types.float32 else "i"
        return f"v{self.lanes}{kind}{self.element.bitwidth}"


class TileType(types.Type):
    """A block of ``rows`` times ``columns`` float32 vectors that a kernel accumulates in."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        super().__init__(name=f"tile({rows} x {columns})")

    @property
    def llvm(self) -> ir.Type:
        """The LLVM type of the tile: its vectors in row order."""
        return ir.ArrayType(f32x16.llvm, self.rows * self.columns)


f32x16 = VectorType(types.float32)
i32x16 = VectorType(types.int32)
i16x32 = VectorType(types.int16)
i8x64 = VectorType(types.int8)
u8x64 = VectorType(types.uint8)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: object, vector: VectorType) -> None:
        super().__init__(manager, vector, vector.llvm)


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: object, tile: TileType) -> None:
        super().__init__(manager, tile, tile.llvm)
