"""A plugin for pytest that lets kernels for AMX run where there are no tiles: each instruction calls Python instead.

What an instruction does follows Intel's manual (volume 2: LDTILECFG, TILELOADD, TILESTORED, TDPBUSD, TILEZERO,
TILERELEASE), faults included. Speed, and what the compiler makes of the instructions, it cannot show.

    python -m pytest -p amx_in_python tests/kernels/test_kernels.py -k amx
"""

import ctypes
import threading
from collections import Counter

import numpy as np
import pytest
from llvmlite import ir

from sparsenet_kernels.simd import amx

WORD = ir.IntType(64)


class Tiles(threading.local):
    """The tiles of a thread: the bytes of each, and how many rows of how many bytes it has."""

    def __init__(self):
        self.release()

    def release(self):
        self.sizes, self.bytes = None, np.zeros((8, 16, 64), np.uint8)

    def of(self, tile):
        if self.sizes is None or 0 in self.sizes[tile]:
            raise ValueError(f"tile {tile} was not configured")
        rows, columns = self.sizes[tile]
        return self.bytes[tile, :rows, :columns]


TILES = Tiles()
FAULTS = []
"""What would have ended the process on a processor with tiles."""

DONE = Counter()
"""How often each instruction was carried out."""


def memory(address, rows, columns, stride):
    """Give rows of bytes that lie ``stride`` bytes apart in this process's memory."""
    one = (ctypes.c_uint8 * columns).from_address
    return [np.frombuffer(one(address + row * stride), np.uint8) for row in range(rows)]


def ldtilecfg(address):
    block = np.ctypeslib.as_array((ctypes.c_uint8 * 64).from_address(address))
    widths, heights = block[16:32].view(np.uint16), block[48:56]
    if block[0] != 1 or block[1:16].any() or widths.max() > 64 or heights.max() > 16 or (widths % 4).any():
        raise ValueError(f"wrong configuration: {heights} rows of {widths} bytes")
    TILES.release()
    TILES.sizes = [(int(high), int(wide)) for high, wide in zip(heights, widths, strict=True)]


def tilerelease():
    TILES.release()


def tilezero(tile):
    TILES.of(tile)
    TILES.bytes[tile] = 0


def tileloadd64(tile, address, stride):
    rows, columns = TILES.of(tile).shape
    TILES.bytes[tile] = 0
    TILES.of(tile)[:] = memory(address, rows, columns, stride)


def tilestored64(tile, address, stride):
    content = TILES.of(tile)
    for row, place in zip(content, memory(address, *content.shape, stride), strict=True):
        place[:] = row


def tdpbusd(sums, left, right):
    a, b, c = TILES.of(left), TILES.of(right).view(np.int8), TILES.of(sums).view(np.int32)
    if a.shape[0] != c.shape[0] or a.shape[1] != 4 * b.shape[0] or b.shape[1] != 4 * c.shape[1]:
        raise ValueError(f"tiles of {a.shape} and {b.shape} bytes do not make sums of {c.shape}")
    fours = b.reshape(len(b), -1, 4).transpose(0, 2, 1).reshape(a.shape[1], -1)
    c += a.astype(np.int32) @ fours.astype(np.int32)


def callback(instruction, count):
    """Make a C function of int64 of an instruction; its faults are kept, for they cannot pass through C."""

    def run(*values):
        DONE[instruction.__name__] += 1
        try:
            instruction(*values)
        except ValueError as error:
            FAULTS.append(f"{instruction.__name__}: {error}")

    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * count)(run)


INSTRUCTIONS = {
    function.__name__: callback(function, count)
    for function, count in (
        (ldtilecfg, 1),
        (tilerelease, 0),
        (tilezero, 1),
        (tileloadd64, 3),
        (tilestored64, 3),
        (tdpbusd, 3),
    )
}


def call_python(context, builder, name, *args):
    """Emit a call of Python in place of an instruction."""
    address = ctypes.cast(INSTRUCTIONS[name], ctypes.c_void_p).value
    shape = ir.FunctionType(ir.VoidType(), [WORD] * len(args))
    builder.call(builder.inttoptr(WORD(address), shape.as_pointer()), [_as_word(builder, value) for value in args])


def _as_word(builder, value):
    if isinstance(value.type, ir.PointerType):
        return builder.ptrtoint(value, WORD)
    return value if value.type == WORD else builder.zext(value, WORD)


amx._call = call_python
amx._permitted = lambda: True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Fail a test in which a fault happened, or after which tiles were not released."""
    FAULTS.clear()
    yield
    assert not FAULTS, FAULTS[:5]
    assert TILES.sizes is None, "the tiles were not released"


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"done in Python: {', '.join(sorted(DONE)) or 'nothing'}")
