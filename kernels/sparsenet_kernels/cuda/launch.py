"""How kernels for the device are registered, and how they are launched."""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from sparsenet_kernels.cuda.api import cuda, is_simulated
from sparsenet_kernels.indices import check_index
from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.registry import kernel as register

__all__ = ["BINS", "kernel", "launch", "prepared", "sizes_of"]

MOST_THREADS = 256
"""Threads of a block, at most."""

BINS = 256
"""Every block has shared memory for so many counts, and behind them a place for each thread, all int32.

Its size comes with the launch. Arrays of fixed size would do, but in the simulator two threads that ask for one at the
same time may get two.
"""

SIMULATED_THREADS = 3
"""In the simulator a thread of the device is a thread of Python: a few, and no divisor of anything usual."""

WARP = 32

kernel = partial(register, device="cuda", jit=cuda.jit)
"""Register a kernel for the device: :func:`sparsenet_kernels.registry.kernel`, with ``blocks`` and ``threads``."""


def launch(kernel: Kernel, arguments: Sequence[Any], stream: Any = 0) -> None:
    """Run a kernel on device arrays and integers, in the order of its record; it may still run on return."""
    prepared(kernel, arguments, stream)()


def prepared(kernel: Kernel, arguments: Sequence[Any], stream: Any = 0) -> Any:
    """Return a callable that launches a kernel on these arguments: with its geometry found, and its code chosen."""
    blocks, threads = geometry(kernel, arguments)
    if not blocks:
        return lambda: None
    configuration = blocks, threads, stream, 4 * (BINS + threads)
    if is_simulated():  # whose kernels remember the last configuration only
        return lambda: kernel.function[configuration](*arguments)
    configured = kernel.function[configuration]
    return lambda: configured(*arguments)


def sizes_of(kernel: Kernel, shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
    """Return how long each axis is, by its letter, for arguments of these shapes; those of integers are not looked at.

    Raises
    ------
    IndexRangeError
        If that makes more blocks than a launch can have, of which each has a number of 31 bits.
    """
    sizes = {
        axis: size
        for argument, shape in zip(kernel.arguments, shapes, strict=True)
        if argument.is_array
        for axis, size in zip(argument.axes, shape, strict=True)
    }
    blocks = prod(sizes[axis] for axis in kernel.blocks.split())
    check_index(blocks, np.int32, f"blocks of {kernel.name} ({kernel.blocks})", "compile for a smaller batch")
    return sizes


def geometry(kernel: Kernel, arguments: Sequence[Any]) -> tuple[int, int]:
    """Count the blocks, and the threads of each, for arguments of these shapes."""
    sizes = sizes_of(kernel, [getattr(value, "shape", ()) for value in arguments])
    blocks = prod(sizes[axis] for axis in kernel.blocks.split())
    wanted = max(1, sizes[kernel.threads])
    most = SIMULATED_THREADS if is_simulated() else MOST_THREADS
    return blocks, min(most, -(-wanted // WARP) * WARP)
