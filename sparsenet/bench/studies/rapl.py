"""Counters of energy that Linux reads from the processor (RAPL), in the folder of its powercap framework.

    intel-rapl:0/           a package: name, energy_uj, max_energy_range_uj
    intel-rapl:0:0/         a part of it: its cores
    intel-rapl:0:1/         its memory, counted apart from the package
    intel-rapl:1/           psys: the whole platform, packages included

Added up are packages and memory: cores are part of their package, the platform has the packages in it. Processors of
AMD have them under the same names, without memory. The same counters are listed again as ``intel-rapl-mmio`` on some
machines; those are left out.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["POWERCAP", "Counters", "Zone", "find_counters"]

POWERCAP = Path("/sys/class/powercap")

WHY_ABSENT = (
    "a virtual machine that hides it, a processor without one, or a module that is not loaded "
    "(sudo modprobe intel_rapl_msr)"
)
ELSEWHERE = {
    "darwin": "macOS tells of energy to root only (sudo powermetrics), and not by the program",
    "win32": "Windows has no counter that a program may read without a driver",
}
""":data:`sys.platform` of systems that are not asked, and why."""


@dataclass(frozen=True)
class Zone:
    """One counter: its name, the file to read, and the value after which it begins again, in microjoules."""

    name: str
    path: Path
    range_uj: int

    def read_uj(self) -> int:
        """Read the counter."""
        return int(self.path.read_text(encoding="ascii"))


@dataclass(frozen=True)
class Counters:
    """The counters to add up, or why there are none.

    Attributes
    ----------
    zones : tuple of Zone
        Packages, and memory that is not part of them.
    reason : str
        Why there are none; "" where there are some.
    """

    zones: tuple[Zone, ...]
    reason: str

    def read_uj(self) -> tuple[int, ...]:
        """Read all of them."""
        return tuple(zone.read_uj() for zone in self.zones)

    def joules(self, before: tuple[int, ...], after: tuple[int, ...]) -> float:
        """Add up what was used between two readings, of which a counter may have begun again once.

        Examples
        --------
        >>> Counters((Zone("package-0", Path(), 1_000_000),), "").joules((900_000,), (100_000,))
        0.2
        """
        used_uj = (
            end - start if end >= start else end - start + zone.range_uj
            for zone, start, end in zip(self.zones, before, after, strict=True)
        )
        return sum(used_uj) / 1e6


def find_counters(folder: Path = POWERCAP) -> Counters:
    """Find the machine's energy counters.

    Parameters
    ----------
    folder : Path
        Where Linux's powercap framework lists them.

    Returns
    -------
    Counters
    """
    if not folder.is_dir():
        return Counters((), ELSEWHERE.get(sys.platform, f"there is no {folder}: {WHY_ABSENT}"))
    zones = tuple(_zones(folder))
    if not zones:
        return Counters((), f"{folder} lists no counter of a package: {WHY_ABSENT}")
    try:
        for zone in zones:
            zone.read_uj()
    except PermissionError:
        return Counters((), _forbidden(zones))
    except (OSError, ValueError) as error:
        return Counters((), f"{zone.path} cannot be read: {error}")
    return Counters(zones, "")


def _zones(folder: Path) -> Iterator[Zone]:
    for entry in sorted(folder.glob("intel-rapl:*")):
        try:
            name = (entry / "name").read_text(encoding="ascii").strip()
            range_uj = int((entry / "max_energy_range_uj").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if name.startswith("package") or name == "dram":
            yield Zone(_full_name(entry, name), entry / "energy_uj", range_uj)


def _full_name(entry: Path, name: str) -> str:
    """Name memory after the package that it belongs to: every package calls its own ``dram``."""
    number = entry.name.split(":")[1]
    return name if name.startswith("package") else f"{name}-{number}"


def _forbidden(zones: tuple[Zone, ...]) -> str:
    files = " ".join(str(zone.path) for zone in zones)
    return (
        f"the counters ({', '.join(zone.name for zone in zones)}) may be read by root only, because they can betray "
        f"what other users compute; where that is no concern, until the next start: sudo chmod a+r {files}; or for "
        f"your group only: sudo chgrp $(id -gn) {files} && sudo chmod g+r {files}"
    )
