"""Make linear layers of growing size, to be timed with hot and with displaced caches."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import index
from typing import TYPE_CHECKING

import numpy as np

from sparsenet.bench.studies.cache_timing import FloatArray
from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.layers import Linear
from sparsenet.machine.available import available_bytes
from sparsenet.tables import as_size

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["Subject", "check_sizes", "layers_of"]

Subject = tuple[str, str, Callable[[], "tuple[Engine, FloatArray]"]]
"""What is timed: its name, its kind, and how to get it with its inputs."""

DENSITY, ACTIVE = 0.05, 0.1
"""Of the linear layers."""

LINEAR_KERNELS = {"sparse twice": "linear_f32_blocks_active", "dense": "linear_f32_dense_dense"}
LARGEST_SIZE, COPIES = 2**15, 4
"""Of a linear layer; and how many times its dense weights are in memory while it is made (3.6 were measured)."""
INPUTS = 32


def check_sizes(sizes: Sequence[int]) -> None:
    """Refuse sizes that cannot be, or whose layers do not fit the memory that is left.

    Raises
    ------
    SparsenetError
        If a size is out of range or too large.
    TypeError
        If a size is no integer.
    """
    if not all(1 <= index(size) <= LARGEST_SIZE for size in sizes):
        raise SparsenetError(f"expected sizes of linear layers from 1 to {LARGEST_SIZE:,}, got {list(sizes)}")
    largest, available = max(sizes, default=0), available_bytes()
    needed = COPIES * 4 * largest**2
    if available is not None and needed > available:
        raise SparsenetError(
            f"expected linear layers that fit into memory: making one of {largest:,} x {largest:,} takes "
            f"{as_size(needed)}, and {as_size(available)} are available; take a smaller size"
        )


def layers_of(sizes: Sequence[int]) -> list[Subject]:
    """List the layers, sparse twice and dense; each is made when its turn comes, so that only one is in memory."""
    return [
        (f"linear {size}x{size}", kind, partial(_layer, size, kernel))
        for size in sizes
        for kind, kernel in LINEAR_KERNELS.items()
    ]


def _layer(size: int, kernel: str) -> "tuple[Engine, FloatArray]":
    network, x = _linear(size)
    return _compiled(network, kernel), x


def _linear(size: int) -> tuple[Network, FloatArray]:
    """Make a layer whose mask fills blocks of 16 outputs, and inputs of which a tenth is not zero."""
    random = np.random.default_rng(size)
    weight = random.standard_normal((size, size), np.float32)
    shared = random.random((-(-size // 16), size), np.float32) < DENSITY
    weight *= shared.repeat(16, axis=0)[:size]
    x = random.standard_normal((INPUTS, size), np.float32)
    x *= random.random((INPUTS, size), np.float32) < ACTIVE
    return Network.sequential((size,), [Linear(weight)]), x


def _compiled(network: Network, kernel: str) -> "Engine":
    from sparsenet.engine import compiling

    kernels = {"linear1": kernel}
    return compiling.compile(network, batch=1, threads=1, planner="predict", kernels=kernels, progress=False)
