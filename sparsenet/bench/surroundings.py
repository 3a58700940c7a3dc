"""On what something was measured: machine, clock, limits, versions of everybody who could take part."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sparsenet.bench.peers.peer import PEERS
from sparsenet.info import info
from sparsenet.machine.facts import Machine
from sparsenet.machine.limits import Limits, limits
from sparsenet.machine.memory import Memory, memory
from sparsenet.tables import as_size

__all__ = ["Surroundings", "surroundings"]

MORE_PACKAGES = ("onnx", "threadpoolctl")


@dataclass(frozen=True)
class Surroundings:
    """The machine, what was measured of it, and the versions of everything that took part.

    Attributes
    ----------
    machine : Machine
    usable_cores : int
    memory : Memory
    limits : Limits
    versions : dict of str to str
        By distribution, of what is installed.
    """

    machine: Machine
    usable_cores: int
    memory: Memory
    limits: Limits
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return asdict(self) | {"machine": self.machine.to_dict(), "memory": self.memory.to_dict()}

    def lines(self) -> Iterator[str]:
        """Say it in words, a line for each kind."""
        here, found = self.machine, self.limits
        cores = f"{self.usable_cores} of {here.logical_cores} cores usable"
        yield f"{here.model or here.llvm_name} ({here.architecture}), {cores}"
        yield f"{here.vector_bits}-bit vectors: {' '.join(here.features) or 'no features of note'}"
        sizes = (("L1d", here.l1d_bytes), ("L2", here.l2_bytes), ("L3", here.l3_bytes))
        yield ", ".join(f"{name} {as_size(size)}" for name, size in sizes)
        yield self.memory.line()
        reads = ", ".join(f"{level} {rate / 1e9:,.0f}" for level, rate in found.read_bytes_per_s.items())
        rates = {"float32": found.multiply_adds_per_s, **found.byte_multiply_adds_per_s}
        adds = ", ".join(f"{unit} {rate / 1e9:,.0f}" for unit, rate in rates.items())
        yield f"measured, one core: {found.clock_hz / 1e9:.2f} GHz; billion multiply-adds a second: {adds}"
        yield f"measured, one core: reading in GB/s: {reads}"
        yield ", ".join(f"{name} {number}" for name, number in self.versions.items())


def surroundings() -> Surroundings:
    """Describe this machine and what is installed; measures the machine's limits the first time."""
    about = info()
    peers = dict.fromkeys(package for peer in PEERS for package in peer.packages)
    found = about.versions | {name: _version(name) for name in (*peers, *MORE_PACKAGES)}
    installed = {name: number for name, number in found.items() if number is not None}
    return Surroundings(about.machine, about.usable_cores, memory(), limits(), installed)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
