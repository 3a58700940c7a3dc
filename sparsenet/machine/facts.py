"""What the machine is: its CPU, the vectors and caches it has, its cores and memory."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sparsenet.machine.cores import usable_cores

__all__ = ["Machine", "machine", "usable_cores"]

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
NODES = Path("/sys/devices/system/node")

FEATURES = (
    *("sse4.1", "avx", "avx2", "fma", "f16c", "bmi2", "avxvnni"),
    *("avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bf16", "avx512fp16"),
    *("amx-tile", "amx-int8", "amx-bf16"),
    *("neon", "dotprod", "i8mm", "fullfp16", "bf16", "sve", "sve2"),
)
"""The instruction sets that decide which kernels can run, by LLVM's names."""


@dataclass(frozen=True)
class Machine:
    """One computer, as far as it lets itself be asked; None where it does not.

    Attributes
    ----------
    model, vendor : str or None
        As the operating system names the CPU.
    architecture : str
        ``x86_64``, ``aarch64``, ``arm64``, ``AMD64`` …
    llvm_name : str
        The CPU that kernels are compiled for; a virtual machine may report another one than it has.
    features : tuple of str
        Those of :data:`FEATURES` that kernels may use, honouring ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES``.
    vector_bits : int
        Width of the widest vectors: 128, 256 or 512.
    l1d_bytes, l2_bytes, l3_bytes : int or None
        Data caches seen by the first core.
    logical_cores : int
        All of the machine; :func:`usable_cores` says how many of them this process may keep busy.
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
    name, features = _compile_target()
    model, vendor = _cpu_name()
    caches = _caches()
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


def vector_bits(features: Iterable[str]) -> int:
    """Say how wide the widest vectors are; 512 needs the byte instructions too, which the first such CPUs lacked."""
    has = set(features)
    if {"avx512f", "avx512bw"} <= has:
        return 512
    return 256 if "avx2" in has else 128


def _compile_target() -> tuple[str, tuple[str, ...]]:
    """Ask LLVM for the CPU, unless the environment tells Numba to compile for another one."""
    from llvmlite import binding

    wanted = os.environ.get("NUMBA_CPU_NAME")
    listed = os.environ.get("NUMBA_CPU_FEATURES", "" if (wanted or "").lower() == "generic" else None)
    if listed is not None:
        present = features_of(listed)
    else:
        try:
            present = {name for name, has in binding.get_host_cpu_features().items() if has}
        except RuntimeError:  # LLVM cannot tell on every platform
            present = set()
    return wanted or str(binding.get_host_cpu_name()), tuple(name for name in FEATURES if name in present)


def features_of(listed: str) -> set[str]:
    """Read a list such as ``+avx2,-avx512f``: of one named twice, the last counts."""
    present: set[str] = set()
    for entry in listed.split(","):
        sign, name = entry.strip()[:1], entry.strip()[1:]
        if sign == "+":
            present.add(name)
        elif sign == "-":
            present.discard(name)
    return present


def _cpu_name() -> tuple[str | None, str | None]:
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string"), "Apple" if platform.machine() == "arm64" else "GenuineIntel"
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
    for line in (_read(path) or "").splitlines():
        name, found, value = line.partition(":")
        if found:
            fields.setdefault(name.strip(), value.strip())
    return fields


def _caches() -> dict[int, int]:
    """Find the size in bytes of the data cache of each level."""
    if sys.platform == "darwin":
        asked = {1: "l1dcachesize", 2: "l2cachesize", 3: "l3cachesize"}
        # the fast cores' caches where cores differ, else everybody's
        found = {
            level: _number(_sysctl(f"hw.perflevel0.{name}") or _sysctl(f"hw.{name}")) for level, name in asked.items()
        }
        return {level: size for level, size in found.items() if size}
    return linux_caches(CACHES)


def linux_caches(folder: Path) -> dict[int, int]:
    """Read ``index*/level``, ``type`` and ``size`` as Linux lists them for one core."""
    sizes: dict[int, int] = {}
    for index in range(16):
        entry = folder / f"index{index}"
        level, kind, size = (_read(entry / name) for name in ("level", "type", "size"))
        number = _number(level)
        bytes_ = _bytes_of(size)
        if number and bytes_ and (kind or "").strip() in ("Data", "Unified"):
            sizes[number] = max(bytes_, sizes.get(number, 0))
    return sizes


def _bytes_of(text: str | None) -> int | None:
    """Read ``48K`` or ``2M``."""
    text = (text or "").strip().upper()
    scale = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:], 1)
    number = _number(text.rstrip("KMG"))
    return None if number is None else number * scale


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


def _sysctl(name: str) -> str | None:
    try:
        asked = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None


def _number(text: str | None) -> int | None:
    try:
        return int((text or "").strip())
    except ValueError:
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
