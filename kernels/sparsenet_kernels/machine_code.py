"""What LLVM made of a kernel: its instructions, counted, and how wide its vectors are."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sparsenet_kernels.registry import Kernel

__all__ = ["NOTABLE", "MachineCode", "machine_code"]

NOTABLE = {
    "tdpb": "product of tiles of bytes, 16 x 16 sums of 64",
    "tileload": "load a tile",
    "vpdpb": "sums of four products of bytes",
    "vpdpw": "sums of two products of int16",
    "vfmadd": "multiply and add, one rounding",
    "vfnmadd": "multiply and subtract, one rounding",
    "vpermb": "look 64 bytes up in a table of 64",
    "vpermi2": "look up in two registers",
    "vpermt2": "look up in two registers",
    "vperm": "reorder lanes",
    "vpcompress": "move the lanes of a mask together",
    "vcompress": "move the lanes of a mask together",
    "vgather": "load from scattered addresses",
    "vpgather": "load from scattered addresses",
    "vscatter": "store to scattered addresses",
    "vpscatter": "store to scattered addresses",
    "vpcmp": "compare integers into a mask",
    "vcmp": "compare floats into a mask",
    "pdep": "spread bits over a mask",
    "popcnt": "count the bits of a mask",
    "tzcnt": "find the lowest bit of a mask",
    "vaddps": "add",
    "vmulps": "multiply",
    "vmaxps": "larger of two",
    "fmla": "multiply and add, one rounding",
    "udot": "sums of four products of bytes",
    "usdot": "sums of four products of bytes",
    "tbl": "look up in a table",
    "compact": "move the lanes of a mask together",
}
"""Instructions worth a word, by what their names begin with; those of x86 first, then those of ARM."""

_VECTORS = {
    512: re.compile(r"%zmm\d"),
    256: re.compile(r"%ymm\d"),
    128: re.compile(r"%xmm\d|\bv\d+\.\d|\bq\d"),
}
_SCALAR = re.compile(r"(?!v?p)\w+s[sd]$")  # vmulss, vaddsd: one number in a vector register; not vpdpbusd
_LABEL = re.compile(r'^"?([A-Za-z_$][^:"]*)"?:', re.MULTILINE)
_INSTRUCTION = re.compile(r"^\t(?:\{\w+\}\s+)?([a-z][\w.]*)(?:\s+([^#\n]*))?", re.MULTILINE)  # "{vex}" may come first


@dataclass(frozen=True)
class MachineCode:
    """The code of a kernel as the engine calls it.

    Attributes
    ----------
    text : str
        Assembly, of the step and of all that it calls.
    instructions : Mapping of str to int
        How many of each stand there, most first; how often they run is another matter.
    vectors : Mapping of int to int
        Instructions on vectors of 512, 256 and 128 bits.
    """

    text: str
    instructions: Mapping[str, int]
    vectors: Mapping[int, int]

    @property
    def vector_bits(self) -> int:
        """Width of the widest vectors; 0 where there are none."""
        return max((bits for bits, count in self.vectors.items() if count), default=0)

    def notable(self) -> dict[str, tuple[int, str]]:
        """Return how often each instruction that is worth a word stands there, and that word."""
        found = {name: _word(name) for name in self.instructions}
        return {name: (self.instructions[name], word) for name, word in found.items() if word}


def machine_code(kernel: Kernel) -> MachineCode:
    """Compile a kernel anew and read what came out; code in the cache cannot be read.

    Parameters
    ----------
    kernel : Kernel
        Of the CPU.

    Returns
    -------
    MachineCode

    Raises
    ------
    KernelCompileError
        When Numba cannot compile it.
    ValueError
        When it is for another device.

    Examples
    --------
    >>> from sparsenet_kernels.registry import kernels
    >>> sum(machine_code(kernels()["relu_f32"]).vectors.values()) > 0
    True
    """
    if kernel.device != "cpu":
        raise ValueError(f"expected a kernel for the CPU, got {kernel.name} for {kernel.device}")
    library: Any = kernel.compile_step(kept=False)._library
    text = "".join(_reached(_functions(library.get_asm_str()), f"step_{kernel.name}"))
    found = [(match[1], match[2] or "") for match in _INSTRUCTION.finditer(text)]
    counts = Counter(name for name, _ in found)
    vectors = Counter(_vector_bits(name, operands) for name, operands in found)
    return MachineCode(text, dict(counts.most_common()), {bits: vectors[bits] for bits in _VECTORS})


def _functions(assembly: str) -> dict[str, str]:
    """Cut assembly into its functions, by their symbols."""
    starts = [(match[1], match.start()) for match in _LABEL.finditer(assembly) if not match[1].startswith("L")]
    ends = [start for _, start in starts[1:]] + [len(assembly)]
    return {name: assembly[start:end] for (name, start), end in zip(starts, ends, strict=True)}


def _reached(functions: Mapping[str, str], name: str) -> Iterator[str]:
    """Yield the step and the functions that it names, directly or not; not the Python wrapper around it."""
    left = [symbol for symbol in functions if name in symbol and "cfunc." not in symbol][:1]
    seen = set(left)
    while left:
        body = functions[left.pop()]
        yield body
        called = [symbol for symbol in functions if symbol not in seen and symbol in body]
        seen.update(called)
        left += called


def _vector_bits(name: str, operands: str) -> int:
    if _SCALAR.match(name):
        return 0
    return next((bits for bits, registers in _VECTORS.items() if registers.search(operands)), 0)


def _word(name: str) -> str:
    known = max((start for start in NOTABLE if name.startswith(start)), key=len, default="")
    return NOTABLE[known] if known and not _SCALAR.match(name) else ""
