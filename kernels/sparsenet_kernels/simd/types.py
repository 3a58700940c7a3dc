"""The vector and tile types, as Numba and as LLVM know them."""

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

__all__ = ["LANES", "TileType", "VectorType", "f32x16", "i32x16"]

LANES = 16
"""Numbers in a vector. Sixteen 32-bit numbers fill one AVX-512 register; lesser processors use several."""

_LLVM_ELEMENTS = {types.float32: ir.FloatType(), types.int32: ir.IntType(32)}


class VectorType(types.Type):
    """Sixteen numbers of one type, held in one LLVM vector."""

    def __init__(self, element: types.Type) -> None:
        self.element = element
        super().__init__(name=f"vector({element} x {LANES})")

    @property
    def llvm(self) -> ir.Type:
        """The LLVM type of the vector."""
        return ir.VectorType(_LLVM_ELEMENTS[self.element], LANES)

    @property
    def suffix(self) -> str:
        """How the names of LLVM's functions end for this type."""
        return "v16f32" if self.element is types.float32 else "v16i32"


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


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: object, vector: VectorType) -> None:
        super().__init__(manager, vector, vector.llvm)


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager: object, tile: TileType) -> None:
        super().__init__(manager, tile, tile.llvm)
