"""How large the data caches are that one core sees."""

import sys
from pathlib import Path

from sparsenet.machine.system_files import number_in, read_text, sysctl

__all__ = ["cache_sizes"]

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def cache_sizes() -> dict[int, int]:
    """Find the size in bytes of the data cache of each level."""
    if sys.platform == "darwin":
        asked = {1: "l1dcachesize", 2: "l2cachesize", 3: "l3cachesize"}
        # the fast cores' caches where cores differ, else everybody's
        found = {
            level: number_in(sysctl(f"hw.perflevel0.{name}") or sysctl(f"hw.{name}")) for level, name in asked.items()
        }
        return {level: size for level, size in found.items() if size}
    return linux_caches(CACHES)


def linux_caches(folder: Path) -> dict[int, int]:
    """Read ``index*/level``, ``type`` and ``size`` as Linux lists them for one core."""
    sizes: dict[int, int] = {}
    for index in range(16):
        entry = folder / f"index{index}"
        level, kind, size = (read_text(entry / name) for name in ("level", "type", "size"))
        number = number_in(level)
        bytes_ = _bytes_of(size)
        if number and bytes_ and kind.strip() in ("Data", "Unified"):
            sizes[number] = max(bytes_, sizes.get(number, 0))
    return sizes


def _bytes_of(text: str) -> int | None:
    """Read ``48K`` or ``2M``."""
    text = text.strip().upper()
    scale = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:], 1)
    number = number_in(text.rstrip("KMG"))
    return None if number is None else number * scale
