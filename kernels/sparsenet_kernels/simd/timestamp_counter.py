"""A counter that native code can read between two steps, and a way to send memory out of all caches.

Where a call of Python stands between the clock and what is timed, its own memory is cold too whenever caches were
displaced, and that costs more than a small network.
"""

import platform

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from sparsenet_kernels.simd.memory import INT64

__all__ = ["LINE_BYTES", "can_flush", "fence", "flush_line", "ticks"]

LINE_BYTES = 64
"""A cache line of every x86 processor that has the instruction."""

X86 = ("x86_64", "amd64")
ARM = ("aarch64", "arm64")


def can_flush() -> bool:
    """Tell whether this processor lets programs flush cache lines: every x86-64 does; of others it is not known."""
    return platform.machine().lower() in X86


@intrinsic
def ticks(typing_context):
    """Read a counter of constant rate, once everything before is done and before anything after has begun."""

    def emit(context, builder, signature, args):
        if platform.machine().lower() in ARM:  # the cycle counter is the system's own there; this one is everybody's
            return _assembly(builder, INT64, "isb\nmrs $0, cntvct_el0\nisb", "=r,~{memory}")
        fenced = can_flush()
        if fenced:
            _call(builder, ir.VoidType(), "llvm.x86.sse2.lfence")
        counted = _call(builder, INT64, "llvm.readcyclecounter")
        if fenced:
            _call(builder, ir.VoidType(), "llvm.x86.sse2.lfence")
        return counted

    return types.int64(), emit


@intrinsic
def flush_line(typing_context, address):
    """Send the cache line at an address to memory, out of every cache of every core; does nothing but on x86."""

    def emit(context, builder, signature, args):
        if can_flush():
            pointer = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
            _call(builder, ir.VoidType(), "llvm.x86.sse2.clflush", pointer)
        return context.get_dummy_value()

    return types.void(types.int64), emit


@intrinsic
def fence(typing_context):
    """Wait until all lines that were flushed are in memory."""

    def emit(context, builder, signature, args):
        if can_flush():
            _call(builder, ir.VoidType(), "llvm.x86.sse2.mfence")
        return context.get_dummy_value()

    return types.void(), emit


def _call(builder, result, name, *args):
    shape = ir.FunctionType(result, [value.type for value in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, shape, name), args)


def _assembly(builder, result, text, constraints):
    return builder.asm(ir.FunctionType(result, []), text, constraints, [], True)
