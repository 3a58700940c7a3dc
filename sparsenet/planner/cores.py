"""How many cores this process may keep busy: affinity and cgroup quotas, which the machine's core count ignores."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

__all__ = ["usable_cores"]

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Count the cores this process may keep busy: affinity, capped by the cgroup's quota, at least one.

    A container with a quota of 1.5 cores still sees every core of its host; threads beyond the quota only take time
    from each other. A quota is rounded up, so that half a core more is not left idle.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    quota = cgroup_quota(CGROUP_ROOT, OWN_CGROUPS)
    allowed = _affinity()
    return max(1, allowed if quota is None else min(allowed, ceil(quota)))


def cgroup_quota(root: Path, own: Path) -> float | None:
    """Find the tightest CPU quota over this process's cgroup and all above it, in cores; None where there is none.

    Parameters
    ----------
    root : Path
        Where cgroups are mounted.
    own : Path
        The list of this process's cgroups, one ``id:controllers:path`` a line, as ``/proc/self/cgroup`` has it.
    """
    text = _read(own)
    if text is None:
        return None
    quotas = [quota for line in text.splitlines() for quota in _quotas_of_line(root, line)]
    return min(quotas, default=None)


def _quotas_of_line(root: Path, line: str) -> Iterator[float]:
    _, _, rest = line.partition(":")
    controllers, found, path = rest.partition(":")
    if not found:
        return
    if not controllers:  # version 2 lists one hierarchy, with no controller names
        mounts = (root, root / "unified")
    elif "cpu" in controllers.split(","):
        mounts = (root / "cpu", root / controllers)
    else:
        return
    for mount in mounts:
        for folder in _upwards(mount, path):
            quota = _quota_of_folder(folder)
            if quota is not None:
                yield quota


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Give the cgroup's folder and all above it. Inside a container only the mount itself may exist."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _quota_of_folder(folder: Path) -> float | None:
    version2 = _read(folder / "cpu.max")
    if version2 is not None:
        quota, _, period = version2.strip().partition(" ")
        return _cores(quota, period or "100000")
    quota_us, period_us = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    return None if quota_us is None or period_us is None else _cores(quota_us, period_us)


def _cores(quota: str, period: str) -> float | None:
    """Divide quota by period; "max", -1 and anything unreadable mean that there is no limit."""
    try:
        quota_us, period_us = int(quota), int(period)
    except ValueError:
        return None
    return quota_us / period_us if quota_us > 0 and period_us > 0 else None


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        try:
            return len(os.sched_getaffinity(0))
        except OSError:  # a sandbox may forbid the question
            pass
    return os.cpu_count() or 1


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except (OSError, ValueError):  # ValueError: a path that holds a null byte
        return None
