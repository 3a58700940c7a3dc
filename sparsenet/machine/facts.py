"""What this computer is: its processor, the vectors and caches it has, its cores and memory."""

import os
import platform
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sparsenet.machine.caches import cache_sizes
from sparsenet.machine.system_files import read_text, sysctl
from sparsenet.machine.target import compile_target, vector_bits

__all__ = ["Machine", "machine"]

CPUINFO = Path("/proc/cpuinfo")
NODES = Path("/sys/devices/system/node")

ASSUMED_L1D_BYTES, ASSUMED_L2_BYTES = 2**15, 2**20
"""Sizes of caches that are assumed where the machine does not tell them."""


@dataclass(frozen=True)
class Machine:
    """What a computer tells about itself; a value is None where the computer does not tell it.

    Attributes
    ----------
    model, vendor : str or None
        As the operating system names the CPU.
    architecture : str
        ``x86_64``, ``aarch64``, ``arm64``, ``AMD64`` …
    llvm_name : str
        The CPU that kernels are compiled for; a virtual machine may report another one than it has.
    features : tuple of str
        Those of :data:`sparsenet.machine.target.FEATURES` that kernels may use; ``NUMBA_CPU_NAME`` and
        ``NUMBA_CPU_FEATURES`` may restrict them.
    vector_bits : int
        Width of the widest vectors: 128, 256 or 512.
    l1d_bytes, l2_bytes, l3_bytes : int or None
        Data caches seen by the first core.
    logical_cores : int
        All cores of the machine. :func:`sparsenet.machine.cores.usable_cores` says how many of them this process may
        keep busy.
    memory_bytes, numa_nodes : int or None
    """

    model: str | None
    vendor: str | None
    architecture: str
    llvm_name: str
    features: tuple[str, ...]
    vector_bits: int
    l1d_bytes: int | None
    l2_bytes: int | None
    l3_bytes: int | None
    logical_cores: int
    memory_bytes: int | None
    numa_nodes: int | None

    @property
    def register_width(self) -> Literal["wide", "narrow"]:
        """The variant of kernels that suits these registers: "wide" for vectors of 512 bits, else "narrow"."""
        return "wide" if self.vector_bits >= 512 else "narrow"

    @property
    def has_byte_dot(self) -> bool:
        """Whether one instruction multiplies bytes by bytes and adds four products each: AVX-512 VNNI or AVX-VNNI."""
        return not {"avx512vnni", "avxvnni"}.isdisjoint(self.features)

    @property
    def has_byte_lookup(self) -> bool:
        """Whether one instruction takes any bytes out of a vector (AVX-512 VBMI)."""
        return "avx512vbmi" in self.features

    @property
    def has_byte_tiles(self) -> bool:
        """Whether there are AMX tiles for bytes, and the system lets this process use them."""
        from sparsenet_kernels.simd.amx import FEATURES, amx_available

        return {*FEATURES} <= {*self.features} and bool(amx_available())  # type: ignore[no-untyped-call, unused-ignore]

    @property
    def assumed_l1d_bytes(self) -> int:
        """The size of the first data cache, or a usual one (32 KiB) where the machine does not tell."""
        return self.l1d_bytes or ASSUMED_L1D_BYTES

    @property
    def assumed_l2_bytes(self) -> int:
        """The size of the second-level cache, or a usual one (1 MiB) where the machine does not tell."""
        return self.l2_bytes or ASSUMED_L2_BYTES

    @property
    def last_cache_bytes(self) -> int | None:
        """The size of the last data cache, of L3 or else of L2; None where the machine does not tell."""
        return self.l3_bytes or self.l2_bytes

    def to_dict(self) -> dict[str, Any]:
        """Give every attribute by its name, ready for JSON."""
        return asdict(self) | {"features": list(self.features)}


@cache
def machine() -> Machine:
    """Describe this machine; asked once, then remembered.

    Examples
    --------
    >>> machine().vector_bits in (128, 256, 512)
    True
    """
    name, features = compile_target()
    model, vendor = _cpu_name()
    caches = cache_sizes()
    return Machine(
        model=model,
        vendor=vendor,
        architecture=platform.machine(),
        llvm_name=name,
        features=features,
        vector_bits=vector_bits(features),
        l1d_bytes=caches.get(1),
        l2_bytes=caches.get(2),
        l3_bytes=caches.get(3),
        logical_cores=os.cpu_count() or 1,
        memory_bytes=_memory_bytes(),
        numa_nodes=_numa_nodes(),
    )


def _cpu_name() -> tuple[str | None, str | None]:
    if sys.platform == "darwin":
        return sysctl("machdep.cpu.brand_string") or None, "Apple" if platform.machine() == "arm64" else "GenuineIntel"
    fields = _cpuinfo(CPUINFO)
    model = fields.get("model name") or fields.get("Model") or platform.processor() or None
    return model, fields.get("vendor_id") or _arm_vendor(fields.get("CPU implementer"))


def _arm_vendor(implementer: str | None) -> str | None:
    if implementer is None:
        return None
    known = {"0x41": "Arm", "0x46": "Fujitsu", "0x4e": "NVIDIA", "0x51": "Qualcomm", "0x61": "Apple", "0xc0": "Ampere"}
    return known.get(implementer.lower(), implementer)


def _cpuinfo(path: Path) -> dict[str, str]:
    """Read the first processor's fields."""
    fields: dict[str, str] = {}
    for line in read_text(path).splitlines():
        name, found, value = line.partition(":")
        if found:
            fields.setdefault(name.strip(), value.strip())
    return fields


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def _numa_nodes() -> int | None:
    try:
        return sum(entry.name[4:].isdigit() for entry in NODES.iterdir() if entry.name.startswith("node")) or None
    except OSError:
        return None
