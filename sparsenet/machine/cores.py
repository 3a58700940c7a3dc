"""How many cores this process may keep busy, by its affinity and its cgroup's quota."""

import os
from math import ceil, floor
from pathlib import Path

from sparsenet.machine.cgroups import CGROUP_ROOT, OWN_CGROUPS, cgroup_folders
from sparsenet.machine.system_files import read_text

__all__ = ["usable_cores", "whole_cores"]


def usable_cores() -> int:
    """Count the cores this process may keep busy: affinity, capped by the cgroup's quota, at least one.

    A container with a quota of 1.5 cores still sees every core of its host; threads beyond the quota only take time
    from each other. A quota is rounded up, so that half a core more is not left idle.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    return max(1, min(_affinity(), ceil(_quota())))


def whole_cores() -> int:
    """Count the cores that this process has for itself: as :func:`usable_cores`, but a quota is rounded down.

    Examples
    --------
    >>> 1 <= whole_cores() <= usable_cores()
    True
    """
    return max(1, min(_affinity(), floor(_quota())))


def _quota() -> float:
    """Give the cgroup's quota in cores; without a quota, a number larger than any machine's cores."""
    quota = cgroup_quota(CGROUP_ROOT, OWN_CGROUPS)
    return float(2**20) if quota is None else quota


def cgroup_quota(root: Path, own: Path) -> float | None:
    """Find the tightest CPU quota over this process's cgroup and all above it, in cores; None where there is none.

    Parameters
    ----------
    root, own : Path
        See :func:`~sparsenet.machine.cgroups.cgroup_folders`.
    """
    quotas = map(_quota_of_folder, cgroup_folders(root, own, "cpu"))
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_of_folder(folder: Path) -> float | None:
    version2 = read_text(folder / "cpu.max")
    if version2:
        quota, _, period = version2.strip().partition(" ")
        return _cores(quota, period or "100000")
    quota_us, period_us = read_text(folder / "cpu.cfs_quota_us"), read_text(folder / "cpu.cfs_period_us")
    return _cores(quota_us, period_us)


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
