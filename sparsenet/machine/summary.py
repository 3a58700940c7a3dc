"""The machine that something was measured on, in one line."""

from sparsenet.machine.cores import usable_cores
from sparsenet.machine.facts import Machine, machine
from sparsenet.machine.memory import Memory, memory
from sparsenet.units import as_size

__all__ = ["caches_text", "hardware_line", "here_line"]

TELLING = ("amx-int8", "avx512vnni", "avx512vbmi", "avx512f", "avx2", "sve2", "i8mm", "dotprod", "neon")
"""The instruction sets that decide most, the strongest first."""


def hardware_line(here: Machine, cores: int, about: Memory) -> str:
    """Say in one line what a machine is: its processor, vectors, caches, memory, NUMA nodes and channels.

    Parameters
    ----------
    here : Machine
    cores : int
        That this process may keep busy.
    about : Memory
    """
    return (
        f"{here.model or here.llvm_name}, {cores} of {here.logical_cores} cores usable, "
        f"{here.vector_bits}-bit vectors ({_widest(here.features)}); {caches_text(here)}; {about.line()}"
    )


def here_line() -> str:
    """Say in one line what this machine is.

    Examples
    --------
    >>> "cores usable" in here_line()
    True
    """
    return hardware_line(machine(), usable_cores(), memory())


def caches_text(here: Machine) -> str:
    """Say how large the data caches are that one core sees."""
    sizes = ("L1d", here.l1d_bytes), ("L2", here.l2_bytes), ("L3", here.l3_bytes)
    return ", ".join(f"{name} {as_size(size)}" for name, size in sizes)


def _widest(features: tuple[str, ...]) -> str:
    return ", ".join([name for name in TELLING if name in features][:4]) or "none of note"
