"""What a kernel for bytes will take, predicted as :mod:`sparsenet.planner.cost` predicts those for float32."""

from dataclasses import dataclass
from math import ceil

from sparsenet.planner.cost import CALL_NS, reading_ns
from sparsenet.planner.machine import Machine
from sparsenet.planner.pace import pace_of

__all__ = ["TileWork", "byte_conv2d_us", "byte_linear_tiles_us", "byte_linear_us", "byte_tiles_us"]

DOT_NS = 0.2
"""Sixteen sums of four products of bytes, where the processor has an instruction for it."""
SLOW_DOT_NS = 1.6
"""The same in generic instructions."""
LOOKUP_NS = 0.85
"""The same with each output's own choice of inputs; a fifth of it each for eight samples at once."""
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
    """What a layer of bytes does on AMX tiles.

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


def byte_tiles_us(work: TileWork, machine: Machine) -> float:
    """Predict a convolution of bytes on AMX tiles, in microseconds a sample."""
    products_ns = work.products * TILE_ROW_NS * max(work.rows, 10)
    around_ns = work.sums * TILE_SUM_NS + work.eights * EIGHT_SETS_NS
    return (CALL_NS + (products_ns + around_ns) * pace_of(machine).scalar) / 1000


def byte_linear_tiles_us(tiles: int, outputs: int, machine: Machine, batch: int) -> float:
    """Predict a linear layer of bytes on AMX tiles, in microseconds a sample.

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
    each_ns = max(products_ns * pace, reading_ns(1024 * tiles, machine)) / batch
    return (CALL_NS + each_ns + ceil(outputs / 16) * TILE_SUM_NS * pace) / 1000


def byte_linear_us(form: str, stored: int, machine: Machine, batch: int, active: float) -> float:
    """Predict a linear layer of bytes, in microseconds a sample.

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
    return (CALL_NS + max(read * step_ns[form] * pace_of(machine).scalar, traffic_ns)) / 1000


def byte_conv2d_us(products: int, machine: Machine) -> float:
    """Predict a convolution of bytes on vectors, in microseconds a sample.

    Parameters
    ----------
    products : int
        Products of vectors of 64 bytes.
    machine : Machine
    """
    return (CALL_NS + products * _dot_ns(machine) * pace_of(machine).scalar) / 1000


def _dot_ns(machine: Machine) -> float:
    return DOT_NS if "avx512vnni" in machine.features else SLOW_DOT_NS
