"""How much memory this process may still take: what the system has left, and what its cgroup lets it have."""

import re
from pathlib import Path

from sparsenet.machine.cgroups import CGROUP_ROOT, OWN_CGROUPS, cgroup_folders
from sparsenet.machine.facts import machine
from sparsenet.machine.system_files import read_text

__all__ = ["available_bytes"]

MEMINFO = Path("/proc/meminfo")
LIMIT_AND_USE = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")
"""A cgroup's files, in version 2 and in version 1."""


def available_bytes(meminfo: Path = MEMINFO, root: Path = CGROUP_ROOT, own: Path = OWN_CGROUPS) -> int | None:
    """Say how much memory this process may still take; None where the system does not tell.

    A container may be allowed only a small part of a large machine's memory; the system kills it when it takes more.

    Parameters
    ----------
    meminfo : Path
        Where Linux tells what is available. On other systems, half of the machine's memory is assumed.
    root, own : Path
        See :func:`~sparsenet.machine.cgroups.cgroup_folders`.

    Examples
    --------
    >>> available_bytes() is None or available_bytes() > 0
    True
    """
    told = re.search(r"MemAvailable:\s+(\d+) kB", read_text(meminfo))
    whole = machine().memory_bytes
    left = int(told[1]) * 1024 if told else whole // 2 if whole else None
    allowed = [room for folder in cgroup_folders(root, own, "memory") if (room := _room(folder)) is not None]
    return min([*allowed, *([] if left is None else [left])], default=None)


def _room(folder: Path) -> int | None:
    """Read what a cgroup may still take: its limit minus its use. Unused copies of files do not count as used."""
    copies = re.search(r"^(?:total_)?inactive_file (\d+)", read_text(folder / "memory.stat"), re.MULTILINE)
    for limit, use in LIMIT_AND_USE:
        texts = read_text(folder / limit).strip(), read_text(folder / use).strip()
        if all(text.isdigit() for text in texts):  # "max" means that there is no limit
            return max(0, int(texts[0]) - int(texts[1]) + (int(copies[1]) if copies else 0))
    return None
