"""The layers of the sweep: square, random, packed without overlap, with inputs of which a given share is active."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["TINY", "WHOLE", "GpuLayer", "GpuSweep", "LayerInputs", "Packed", "inputs_of", "pack_random"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class GpuLayer:
    """One point of the sweep: a fully connected layer of ``size`` inputs and outputs.

    ``density`` is the share of weights kept, ``active`` that of inputs that are not zero, as k-winners leave them.
    """

    size: int
    density: float
    active: float
    batch: int

    @property
    def active_inputs(self) -> int:
        """Inputs of a sample that are not zero."""
        return max(1, round(self.active * self.size))

    @property
    def per_set(self) -> int:
        """Outputs that share a complementary set."""
        return max(1, int(1 / self.density + 1e-9))

    @property
    def sets(self) -> int:
        """Complementary sets."""
        return -(-self.size // self.per_set)

    @property
    def key(self) -> str:
        """A name to find the point again by."""
        return f"{self.size} {self.density:g} {self.active:g} {self.batch}"

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class GpuSweep:
    """What is swept."""

    sizes: tuple[int, ...]
    densities: tuple[float, ...]
    actives: tuple[float, ...]
    batches: tuple[int, ...]

    def layers(self) -> list[GpuLayer]:
        """List the points: the small ones first, so that an interrupted study has whole sizes."""
        return [
            GpuLayer(size, density, active, batch)
            for size, batch, density, active in product(self.sizes, self.batches, self.densities, self.actives)
        ]


WHOLE = GpuSweep(
    (256, 512, 1024, 2048, 4096, 8192), (0.02, 0.05, 0.1, 0.25, 0.5), (0.02, 0.1, 0.3, 1.0), (1, 8, 64, 512)
)
TINY = GpuSweep((12, 16), (0.1, 0.5), (0.25, 1.0), (1, 3))
"""For the simulator, where a thread of the device is one of Python."""


@dataclass(frozen=True, eq=False)
class Packed:
    """Random weights in complementary sets, and their bias: the tables of ``formats.Complementary``."""

    outputs: Ints
    weights: Floats
    bias: Floats

    def dense(self) -> Floats:
        """Return the weights as an ordinary matrix (N, D)."""
        weight = np.zeros((len(self.bias), len(self.outputs)), np.float32)
        rows, slots = np.nonzero(self.outputs >= 0)
        weight[self.outputs[rows, slots], rows] = self.weights[rows, slots]
        return weight


@lru_cache(maxsize=1)
def pack_random(size: int, per_set: int) -> Packed:
    """Deal the inputs out among the outputs of each set: packed as it is drawn, without a search.

    Examples
    --------
    >>> packed = pack_random(6, 2)
    >>> packed.outputs.shape, (packed.dense() != 0).mean().item()
    ((6, 3), 0.5)
    """
    rng = np.random.default_rng(size * 1000 + per_set)
    firsts = np.arange(0, size, per_set)
    dealt = rng.permuted(np.tile(np.arange(size) % per_set, (len(firsts), 1)), axis=1) + firsts[:, None]
    outputs = np.where(dealt < size, dealt, -1).T.astype(np.int32)
    weights = np.where(outputs < 0, 0, rng.standard_normal(outputs.shape)).astype(np.float32)
    return Packed(np.ascontiguousarray(outputs), weights, rng.standard_normal(size).astype(np.float32))


@dataclass(frozen=True, eq=False)
class LayerInputs:
    """One batch of inputs, dense (B, D) and as active lists (B, K)."""

    x: Floats
    columns: Ints
    values: Floats


def inputs_of(layer: GpuLayer, seed: int) -> LayerInputs:
    """Draw inputs of which as many are active, others in each sample."""
    rng = np.random.default_rng(seed)
    shape = layer.batch, layer.size
    columns = np.sort(rng.random(shape).argsort(axis=1)[:, : layer.active_inputs], axis=1).astype(np.int32)
    values = rng.uniform(0.5, 1.5, columns.shape).astype(np.float32)
    x = np.zeros(shape, np.float32)
    np.put_along_axis(x, columns, values, axis=1)
    return LayerInputs(x, columns, values)
