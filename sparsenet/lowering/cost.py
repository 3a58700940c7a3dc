"""What a kernel will take, predicted from the work it does.

A kernel's time is the larger of its arithmetic and its traffic of weights. The rates below were read off kernels of
this package on one core of an AVX-512 server at 3.8 GHz (a whole vector of 16, or one scalar step, in nanoseconds);
another core's times are in proportion to its :mod:`pace <sparsenet.machine.calibration>`. They decide between
candidates that differ by factors; where they differ by less, ``planner="measure"`` asks the machine.
"""

from dataclasses import dataclass
from math import ceil

from sparsenet.lowering.predicted import Cost
from sparsenet.machine.calibration import pace_of
from sparsenet.machine.facts import Machine

__all__ = ["WeightedWork", "cost_of", "predict", "reading_ns"]

Parts = tuple[float, float]
"""Nanoseconds of arithmetic, and of what getting at addresses adds to it."""

VECTOR_NS = 0.18
"""A fused multiply-add of 16 numbers, in a tile that holds many sums."""
LONE_VECTOR_NS = 0.40
"""The same where each number read is used once."""
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
CALL_NS = 35.0
"""Calling a step at all."""
CACHED_NS_PER_BYTE = 0.010
"""Reading weights from the second-level cache."""
FAR_NS_PER_BYTE = 0.033
"""Reading weights from beyond it."""


@dataclass(frozen=True)
class WeightedWork:
    """What a convolution or a linear layer has to do for one sample; a linear layer has one position and tap.

    Attributes
    ----------
    positions, out_positions : int
        Places of the input and of the output image.
    taps : int
        Places of the filter.
    channels, outputs, groups : int
    nnz : int
        Weights kept.
    active : float
        Non-zeros to be expected among the channels of one position.
    batch : int
        Samples per call, at most those of a chunk.
    blocks : int
        Blocks of 16 outputs by one input, or by one channel at one tap, that hold a kept weight.
    sets : int
        Complementary sets that the weights pack into; 0 where nobody has packed them.
    pooled : bool
        Whether a 2 x 2 max pooling follows, in the same kernel or in another one.
    """

    positions: int
    out_positions: int
    taps: int
    channels: int
    outputs: int
    groups: int
    nnz: int
    active: float
    batch: int
    blocks: int
    sets: int = 0
    pooled: bool = False

    @property
    def dense_vectors(self) -> int:
        """Vectors of 16 outputs that one position takes for every tap and channel, in panels of four."""
        per_group = self.outputs // self.groups
        lanes = 16 if per_group <= 16 else 64
        return self.groups * ceil(per_group / lanes) * (lanes // 16)

    @property
    def dense_taps(self) -> int:
        """Taps times channels of one group."""
        return self.taps * self.channels // self.groups


def predict(kernel: str, work: WeightedWork, machine: Machine) -> Cost:
    """Predict a kernel's time for one sample, packing and lists included.

    Parameters
    ----------
    kernel : str
        Name without its variant.
    work : WeightedWork
    machine : Machine
    """
    *_, weights, inputs = kernel.split("_")
    pace = pace_of(machine)
    parts_ns = _NANOSECONDS[weights, inputs](work, pace.vector / pace.scalar)
    arithmetic_ns, addresses_ns = (part_ns * pace.scalar for part_ns in parts_ns)
    calls = 1
    if work.pooled and not kernel.startswith("conv2d_pool2"):
        arithmetic_ns += work.out_positions * ceil(work.outputs / 16) * POOLED_VECTOR_NS
        calls = 2
    return cost_of(arithmetic_ns, addresses_ns, _traffic_ns(weights, inputs, work, machine), calls / work.batch)


def cost_of(arithmetic_ns: float, addresses_ns: float = 0.0, traffic_ns: float = 0.0, calls: float = 1.0) -> Cost:
    """Put together what a kernel takes for one sample; a call takes the same everywhere, and samples share it."""
    return Cost(arithmetic_ns / 1000, addresses_ns / 1000, traffic_ns / 1000, calls * CALL_NS / 1000)


def _looked_up(vectors: float, each_ns: float, width: float, besides_ns: float = 0.0) -> Parts:
    """Part the time of vectors of 16: what they take in a tile of sums is arithmetic, the rest is for addresses."""
    return vectors * VECTOR_NS * width, vectors * (each_ns - VECTOR_NS) * width + besides_ns


def _scattered(products: float, each_ns: float, besides_ns: float = 0.0) -> Parts:
    """Part the time of single products, of which 16 could be a vector."""
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


_NANOSECONDS = {
    ("dense", "dense"): _dense_dense,
    ("dense", "active"): _dense_active,
    ("csr", "dense"): _csr_dense,
    ("csc", "dense"): _csc_dense,
    ("csc", "active"): _csc_active,
    ("blocks", "active"): _blocks_active,
    ("blocks", "dense"): _blocks_dense,
    ("complementary", "dense"): _complementary_dense,
    ("complementary", "active"): _complementary_active,
}


def _traffic_ns(weights: str, inputs: str, work: WeightedWork, machine: Machine) -> float:
    """Charge the weights that must come from beyond the first-level cache, once for every sample or tile of samples."""
    if weights == "dense":
        size_bytes = 64 * work.dense_taps * work.dense_vectors
    elif weights == "blocks":
        size_bytes = 68 * work.blocks
    else:
        size_bytes = 8 * (work.nnz if weights != "complementary" else work.taps * work.channels * work.sets)
    share = min(1.0, work.active / work.channels if inputs == "active" else 1.0)
    shared_by = min(work.batch, 6 if weights == "dense" else 16) if inputs == "dense" else 1
    return reading_ns(size_bytes, machine) * share / shared_by


def reading_ns(size_bytes: int, machine: Machine) -> float:
    """Predict how long reading all weights of a layer takes, from the nearest level that holds them."""
    pace = pace_of(machine)
    if size_bytes <= machine.assumed_l2_bytes:
        return size_bytes * CACHED_NS_PER_BYTE * pace.cached
    return size_bytes * FAR_NS_PER_BYTE * pace.far
