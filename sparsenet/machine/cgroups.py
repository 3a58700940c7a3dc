"""Where Linux keeps the limits of this process's cgroup and of its parents, in cgroups' versions 1 and 2."""

from collections.abc import Iterator
from pathlib import Path

from sparsenet.machine.system_files import read_text

__all__ = ["CGROUP_ROOT", "OWN_CGROUPS", "cgroup_folders"]

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


def cgroup_folders(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """Give the folders that may hold this process's limits of one kind: those of its cgroup and of its parents.

    Parameters
    ----------
    root : Path
        Where cgroups are mounted.
    own : Path
        The list of this process's cgroups, one ``id:controllers:path`` a line, as ``/proc/self/cgroup`` has it.
    controller : str
        ``cpu`` or ``memory``.
    """
    for line in read_text(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, found, path = rest.partition(":")
        if not found:
            continue
        if not controllers:  # version 2 lists one hierarchy, with no controller names
            mounts = [root, root / "unified"]
        elif controller in controllers.split(","):
            mounts = [root / controller, root / controllers]
        else:
            continue
        for mount in mounts:
            yield from _upwards(mount, path)


def _upwards(mount: Path, path: str) -> Iterator[Path]:
    """Give the cgroup's folder and all above it. Inside a container only the mount itself may exist."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])
