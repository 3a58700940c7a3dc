"""Predict the time of float32 kernels with weights, and the memory of their weights before they are packed.

Rates as in :mod:`sparsenet.lowering.cost`, in nanoseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from sparsenet.lowering.cost import VECTOR_NS, cost_of, reading_ns
from sparsenet.lowering.float_work import WeightedWork
from sparsenet.lowering.predicted import Cost
from sparsenet.machine.calibration import pace_of
from sparsenet.machine.facts import Machine

__all__ = [
    "BLOCKS_ACTIVE",
    "BLOCKS_DENSE",
    "COMPLEMENTARY_ACTIVE",
    "COMPLEMENTARY_DENSE",
    "CSC_ACTIVE",
    "CSC_DENSE",
    "CSR_DENSE",
    "DENSE_ACTIVE",
    "DENSE_DENSE",
    "FloatCosts",
    "predict",
]

Parts = tuple[float, float]
"""Nanoseconds of arithmetic, and of what getting at addresses adds to it."""

LONE_VECTOR_NS = 0.40
"""A fused multiply-add of 16 numbers where each number read is used once."""
SHIFTED_NS = 0.36
"""The same where vectors begin anywhere, so that most loads cross a cache line."""
SCATTER_NS = 0.65
"""A scalar multiply-add to a place that is looked up."""
MOVE_NS = 0.6
"""A scalar read and written elsewhere."""
CROWDED_NS = 3.3
"""A number written for each of 16 samples whose rows lie whole pages apart, so that they share few lines of the cache:
1024 outputs took 4.4 µs a sample where 512 took 1.2."""
ENTRY_NS = 2.0
"""Looking at one active input at one tap."""
BLOCK_NS = 1.2
"""A fused multiply-add of 16 weights to sums in memory."""
REPEATED_BLOCK_NS = 0.42
"""The same where the weights stay in a register."""
LOOKED_UP_VECTOR_NS = 0.65
"""A fused multiply-add of 16 weights, read once, to sums in registers, with an input that is looked up."""
LISTED_NS = 0.8
"""Moving one active input to the list of its channel."""
POOLED_VECTOR_NS = 1.4
"""Reading a vector of a convolution's outputs once more, to pool it."""
GROUP_NS = 14.0
"""Leaving a loop over the active inputs of a channel, whose end nobody can predict."""


@dataclass(frozen=True)
class FloatCosts:
    """How the time and the memory of a float32 kernel follow from the work.

    Attributes
    ----------
    parts : callable (WeightedWork, pace of vectors) -> Parts
    read_bytes, stored_bytes : callable (WeightedWork) -> int
        What it reads of the weights for one sample, and what these take with the scratch memory that grows with them.
    skips_inputs : bool
        Whether it reads only the weights of active inputs, for each sample anew.
    shared_by : int
        How many samples share what is read, at most.
    """

    parts: Callable[[WeightedWork, float], Parts]
    read_bytes: Callable[[WeightedWork], int]
    stored_bytes: Callable[[WeightedWork], int]
    skips_inputs: bool = False
    shared_by: int = 16


def predict(costs: FloatCosts, work: WeightedWork, machine: Machine, pools: bool = False) -> Cost:
    """Predict a kernel's time for one sample, packing and lists included.

    Parameters
    ----------
    costs : FloatCosts
    work : WeightedWork
    machine : Machine
    pools : bool
        Whether the kernel itself does the pooling that follows; another step does where it does not.
    """
    pace = pace_of(machine)
    parts_ns = costs.parts(work, pace.vector / pace.scalar)
    arithmetic_ns, addresses_ns = (part_ns * pace.scalar for part_ns in parts_ns)
    calls = 1
    if work.pooled and not pools:
        arithmetic_ns += work.out_positions * ceil(work.outputs / 16) * POOLED_VECTOR_NS
        calls = 2
    return cost_of(arithmetic_ns, addresses_ns, _traffic_ns(costs, work, machine), calls / work.batch)


def _looked_up(vectors: float, each_ns: float, width: float, besides_ns: float = 0.0) -> Parts:
    """Divide the time of vectors of 16: time in a tile of accumulators is arithmetic, the rest is for addresses."""
    return vectors * VECTOR_NS * width, vectors * (each_ns - VECTOR_NS) * width + besides_ns


def _scattered(products: float, each_ns: float, besides_ns: float = 0.0) -> Parts:
    """Divide the time of scalar products; 16 of them could be one vector."""
    return products * VECTOR_NS / 16, products * (each_ns - VECTOR_NS / 16) + besides_ns


def _dense_dense(work: WeightedWork, width: float) -> Parts:
    vectors = work.out_positions * work.dense_taps * work.dense_vectors
    alone = work.positions == 1 and work.batch < 3
    return vectors * width * (LONE_VECTOR_NS if alone else VECTOR_NS), 0.0


def _dense_active(work: WeightedWork, width: float) -> Parts:
    entries = work.out_positions * work.taps * work.active
    return entries * work.dense_vectors * LONE_VECTOR_NS * width, entries * ENTRY_NS / 4


def _csr_dense(work: WeightedWork, width: float) -> Parts:
    if work.positions == 1 and work.taps == 1:
        turns = ceil(work.batch / 16) / work.batch
        crowded = work.outputs if work.batch > 8 and work.outputs % 1024 == 0 else 0
        return _looked_up(turns * work.nnz, 0.95, width, turns * 16 * work.channels * MOVE_NS + crowded * CROWDED_NS)
    vectors = work.nnz * ceil(work.out_positions * 1.3 / 16)
    written = work.out_positions * work.outputs / (4 if work.pooled else 1)
    moved = work.positions * min(work.active * 2, work.channels) + written
    return _looked_up(vectors, SHIFTED_NS, width, moved * MOVE_NS)


def _csc_dense(work: WeightedWork, width: float) -> Parts:
    return _scattered(work.nnz * work.out_positions, SCATTER_NS)


def _csc_active(work: WeightedWork, width: float) -> Parts:
    entries = work.out_positions * work.taps * work.active
    per_column = work.nnz / (work.taps * work.channels)
    return _scattered(entries * per_column, SCATTER_NS, entries * ENTRY_NS)


def _blocks_active(work: WeightedWork, width: float) -> Parts:
    entries = work.positions * work.active
    each = entries * work.blocks / work.channels  # blocks that are added
    if work.positions == 1 and work.taps == 1:
        return _looked_up(each, BLOCK_NS, width, entries * ENTRY_NS)
    moved = 2 * work.positions * ceil(work.outputs / 16)
    groups = max(work.blocks / 4, min(work.blocks, work.channels))
    listed_ns = moved * LONE_VECTOR_NS * width + entries * LISTED_NS + groups * GROUP_NS
    return _looked_up(each, REPEATED_BLOCK_NS, width, listed_ns)


def _blocks_dense(work: WeightedWork, width: float) -> Parts:
    if work.positions == 1 and work.taps == 1:
        each_ns = LOOKED_UP_VECTOR_NS if work.batch < 8 else LONE_VECTOR_NS
        return _looked_up(work.blocks, each_ns, width, ceil(work.outputs / 16) * ENTRY_NS * width)
    moved = work.positions * min(work.active * 2, work.channels)
    return work.out_positions * work.blocks * VECTOR_NS * width, moved * MOVE_NS


def _complementary_dense(work: WeightedWork, width: float) -> Parts:
    return _scattered(work.out_positions * work.taps * work.channels * work.sets, SCATTER_NS * 1.3)


def _complementary_active(work: WeightedWork, width: float) -> Parts:
    entries = work.out_positions * work.taps * work.active
    return _scattered(entries * work.sets, SCATTER_NS * 1.3, entries * ENTRY_NS)


def _traffic_ns(costs: FloatCosts, work: WeightedWork, machine: Machine) -> float:
    """Add the time for weights from beyond the first-level cache, once for every sample or tile of samples."""
    share = min(1.0, work.active / work.channels if costs.skips_inputs else 1.0)
    shared_by = 1 if costs.skips_inputs else min(work.batch, costs.shared_by)
    return reading_ns(costs.read_bytes(work), machine) * share / shared_by


def _dense_bytes(work: WeightedWork) -> int:
    return 64 * work.dense_taps * work.dense_vectors


def _listed_bytes(work: WeightedWork) -> int:
    return 8 * work.nnz


def _csr_bytes(work: WeightedWork) -> int:
    turned = 64 * work.channels if work.taps == 1 and work.positions == 1 else 0
    return 8 * work.nnz + 4 * work.outputs + turned


def _csc_bytes(work: WeightedWork) -> int:
    return 8 * work.nnz + 4 * work.columns


def _block_bytes(work: WeightedWork) -> int:
    return 68 * work.blocks


def _blocks_of_tiles_bytes(work: WeightedWork) -> int:
    return 68 * work.blocks + 4 * ceil(work.outputs / 16)


def _blocks_of_columns_bytes(work: WeightedWork) -> int:
    return 68 * work.blocks + 4 * work.columns


def _sets_bytes(work: WeightedWork) -> int:
    return 8 * work.columns * work.sets


DENSE_DENSE = FloatCosts(_dense_dense, _dense_bytes, _dense_bytes, shared_by=6)
DENSE_ACTIVE = FloatCosts(_dense_active, _dense_bytes, _dense_bytes, skips_inputs=True)
CSR_DENSE = FloatCosts(_csr_dense, _listed_bytes, _csr_bytes)
CSC_DENSE = FloatCosts(_csc_dense, _listed_bytes, _csc_bytes)
CSC_ACTIVE = FloatCosts(_csc_active, _listed_bytes, _csc_bytes, skips_inputs=True)
BLOCKS_DENSE = FloatCosts(_blocks_dense, _block_bytes, _blocks_of_tiles_bytes)
BLOCKS_ACTIVE = FloatCosts(_blocks_active, _block_bytes, _blocks_of_columns_bytes, skips_inputs=True)
COMPLEMENTARY_DENSE = FloatCosts(_complementary_dense, _sets_bytes, _sets_bytes)
COMPLEMENTARY_ACTIVE = FloatCosts(_complementary_active, _sets_bytes, _sets_bytes, skips_inputs=True)
