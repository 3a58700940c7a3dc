"""Predict the time of kernels for bytes, as :mod:`sparsenet.lowering.cost` predicts that of float32 kernels."""

from dataclasses import dataclass
from math import ceil

from sparsenet.lowering.cost import cost_of, reading_ns
from sparsenet.lowering.predicted import Cost
from sparsenet.machine.calibration import pace_of
from sparsenet.machine.facts import Machine

__all__ = ["TileWork", "byte_conv2d_cost", "byte_linear_cost", "byte_linear_tiles_cost", "byte_tiles_cost"]

DOT_NS = 0.2
"""Sixteen sums of four products of bytes, where the processor has an instruction for it."""
SLOW_DOT_NS = 1.6
"""The same in generic instructions."""
LOOKUP_NS = 0.85
"""The same with each output's own choice of inputs; a fifth of it each for eight samples at once."""
CHOSEN_STEPS = 1.6
"""In a convolution, a product with each output's own choice of inputs takes so many times one with shared ones."""
TILE_ROW_NS = 0.37
"""A row of inputs in a product of AMX tiles, with loading it; fewer than ten rows take as long as ten."""
TILE_WEIGHTS_NS = 2.7
"""Loading the weights of a product, where no other product shares them."""
TILE_SUM_NS = 0.8
"""Storing 16 sums of a tile, pooling them and making them bytes or floats."""
EIGHT_SETS_NS = 7.0
"""Taking eight sets of channels out of an image at eight positions."""


@dataclass(frozen=True)
class TileWork:
    """The work of a layer of bytes on AMX tiles.

    Attributes
    ----------
    products : int
        Products of two tiles.
    rows : int
        Rows of their left-hand tiles.
    sums : int
        Vectors of 16 sums.
    eights : int
        Eights of positions at which eights of sets are taken out of an image.
    """

    products: int
    rows: int
    sums: int
    eights: int = 0


def byte_tiles_cost(work: TileWork, machine: Machine) -> Cost:
    """Predict a convolution of bytes on AMX tiles, for one sample."""
    products_ns = work.products * TILE_ROW_NS * max(work.rows, 10)
    pace = pace_of(machine).scalar
    return cost_of((products_ns + work.sums * TILE_SUM_NS) * pace, work.eights * EIGHT_SETS_NS * pace)


def byte_linear_tiles_cost(tiles: int, outputs: int, machine: Machine, batch: int) -> Cost:
    """Predict a linear layer of bytes on AMX tiles, for one sample.

    Parameters
    ----------
    tiles : int
        Tiles of 64 inputs by 16 outputs that are stored.
    outputs : int
    machine : Machine
    batch : int
        Samples that go through together.
    """
    rows = max(min(batch, 16), 10)
    products_ns = ceil(batch / 16) * tiles * rows * TILE_ROW_NS + tiles * TILE_WEIGHTS_NS
    pace = pace_of(machine).scalar
    sums_ns = ceil(outputs / 16) * TILE_SUM_NS * pace
    traffic_ns = reading_ns(1024 * tiles, machine) / batch + sums_ns
    return cost_of(products_ns * pace / batch + sums_ns, 0.0, traffic_ns, 1 / batch)


def byte_linear_cost(form: str, stored: int, machine: Machine, batch: int, active: float) -> Cost:
    """Predict a linear layer of bytes, for one sample.

    Parameters
    ----------
    form : {"dense", "tiles", "lookup", "blocks"}
    stored : int
        Vectors of 64 weights that the format stores.
    machine : Machine
    batch : int
        Samples that go through together.
    active : float
        Share of inputs to be expected not to be zero.
    """
    together = 8 if batch >= 8 and form != "blocks" else 1
    read = stored * (1 - (1 - active) ** 4 if form == "blocks" else 1.0)
    dot_ns = _dot_ns(machine)
    step_ns = {
        "dense": dot_ns,
        "tiles": dot_ns,
        "lookup": dot_ns + LOOKUP_NS / (together / 1.6 if together > 1 else 1),
        "blocks": 6 * dot_ns,
    }
    bytes_per_vector = {"dense": 64, "tiles": 68, "lookup": 132, "blocks": 68}[form]
    traffic_ns = reading_ns(stored * bytes_per_vector, machine) * (read / max(stored, 1)) / together
    return cost_of(read * dot_ns, read * (step_ns[form] - dot_ns), traffic_ns, 1 / batch)


def byte_conv2d_cost(products: int, machine: Machine, chosen: bool = False) -> Cost:
    """Predict a convolution of bytes on vectors, for one sample.

    Parameters
    ----------
    products : int
        Products of vectors of 64 bytes.
    machine : Machine
    chosen : bool
        Whether each output chooses its own inputs.
    """
    products_ns = products * _dot_ns(machine)
    return cost_of(products_ns, (CHOSEN_STEPS - 1) * products_ns if chosen else 0.0)


def _dot_ns(machine: Machine) -> float:
    return (DOT_NS if machine.has_byte_dot else SLOW_DOT_NS) * pace_of(machine).scalar
