"""The machine's memory, as the system describes it: its size, its NUMA nodes, its channels."""

import re
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparsenet.machine.facts import machine
from sparsenet.machine.system_files import read_text
from sparsenet.units import as_size

__all__ = ["Memory", "NumaNode", "memory"]

NODES = Path("/sys/devices/system/node")
MODULES = Path("/sys/devices/system/edac/mc")
FIRMWARE = Path("/sys/firmware/dmi/entries")

MEMORY_DEVICE = "17-*"
"""Entries of the firmware's table that each describe one memory slot (SMBIOS, type 17)."""

SIZE_AT, SPEED_AT, CONFIGURED_SPEED_AT = 12, 21, 32
"""Where an entry has them, 16 bits each, low byte first: size; speed and configured speed in 10⁶ transfers a second."""


@dataclass(frozen=True)
class NumaNode:
    """One NUMA node: its number, its cores as Linux lists them (``0-3,8``), and its memory."""

    number: int
    cores: str
    size_bytes: int | None


@dataclass(frozen=True)
class Memory:
    """What the system tells about memory; a value is None where it does not tell.

    Attributes
    ----------
    size_bytes : int or None
    nodes : tuple of NumaNode
        Empty where the system lists none.
    channels, modules : int or None
        Channels that have a module, and modules.
    transfers_per_s : float or None
        Of each channel, as configured; a transfer is 8 bytes.
    told_by : str
        The source of channels and modules, or the reason why there is none.
    """

    size_bytes: int | None
    nodes: tuple[NumaNode, ...]
    channels: int | None
    modules: int | None
    transfers_per_s: float | None
    told_by: str

    def to_dict(self) -> dict[str, Any]:
        """Give every attribute by its name, ready for JSON."""
        return asdict(self) | {"nodes": [asdict(node) for node in self.nodes]}

    def line(self) -> str:
        """Say it in one line: how much, on which nodes, through how many channels.

        Examples
        --------
        >>> Memory(2**34, (NumaNode(0, "0-3", 2**34),), 2, 4, 4.8e9, "Linux's memory controllers").line()
        'memory 16.0 GiB on one NUMA node; 2 channels, 4 modules, 4,800 MT/s each'
        """
        return f"memory {as_size(self.size_bytes)} on {self._nodes_text()}; {self._channels_text()}"

    def _nodes_text(self) -> str:
        if not self.nodes:
            return "an unknown number of NUMA nodes"
        counted = sum(one.size_bytes or 0 for one in self.nodes)
        # some kernels count only what they have taken into use; then the sum says less than the system does
        less = 0 < counted < 0.9 * (self.size_bytes or 0)
        if len(self.nodes) == 1:
            return f"one NUMA node{f' (by its own count {as_size(counted)})' if less else ''}"
        listed = ", ".join(f"{one.number}: cores {one.cores}, {as_size(one.size_bytes)}" for one in self.nodes)
        return f"{len(self.nodes)} NUMA nodes ({listed})"

    def _channels_text(self) -> str:
        if self.modules is None:
            return f"channels unknown ({self.told_by})"
        rate = f", {self.transfers_per_s / 1e6:,.0f} MT/s each" if self.transfers_per_s else ""
        return f"{self.channels or 'unknown'} channels, {self.modules} modules{rate}"


def memory(nodes: Path = NODES, modules: Path = MODULES, firmware: Path = FIRMWARE) -> Memory:
    """Describe this machine's memory.

    Parameters
    ----------
    nodes, modules, firmware : Path
        Folders in which Linux tells of NUMA nodes, of memory controllers, and of what the firmware says.

    Returns
    -------
    Memory

    Examples
    --------
    >>> memory().size_bytes is None or memory().size_bytes > 0
    True
    """
    found = _from_controllers(modules) or _from_firmware(firmware)
    size_bytes = machine().memory_bytes
    if found is None:
        return Memory(size_bytes, _nodes(nodes), None, None, None, _why_not(firmware))
    return Memory(size_bytes, _nodes(nodes), *found)


_Found = tuple[int | None, int | None, float | None, str]


def _nodes(folder: Path) -> tuple[NumaNode, ...]:
    numbers = sorted(int(entry.name[4:]) for entry in folder.glob("node[0-9]*") if entry.name[4:].isdigit())
    return tuple(_node(number, folder / f"node{number}") for number in numbers)


def _node(number: int, folder: Path) -> NumaNode:
    total = re.search(r"MemTotal:\s+(\d+) kB", read_text(folder / "meminfo"))
    return NumaNode(number, read_text(folder / "cpulist").strip() or "none", int(total[1]) * 1024 if total else None)


def _from_controllers(folder: Path) -> _Found | None:
    """Count populated modules and channels as Linux's error detection knows them."""
    places = set()
    filled = [path for path in folder.glob("mc*/dimm*") if read_text(path / "size").strip() not in ("", "0")]
    for path in filled:
        channel = re.search(r"channel (\d+)", read_text(path / "dimm_location"))
        if channel:
            places.add((path.parent.name, channel[1]))
    return (len(places) or None, len(filled), None, "Linux's memory controllers") if filled else None


def _from_firmware(folder: Path) -> _Found | None:
    """Count the filled slots in the firmware's table, which does not say which of them share a channel."""
    entries = [entry for entry in map(_slot, sorted(folder.glob(f"{MEMORY_DEVICE}/raw"))) if entry is not None]
    if not entries:
        return None
    rates = [rate for _, rate in entries if rate]
    # a virtual machine's firmware names one made-up module and no speed
    return None, len(entries), min(rates) * 1e6 if rates else None, "the firmware"


def _slot(path: Path) -> tuple[int, int] | None:
    """Read a slot's size and speed; None where it is empty or may not be read."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    size, speed, configured = (_number_at(raw, at) for at in (SIZE_AT, SPEED_AT, CONFIGURED_SPEED_AT))
    return (size, configured or speed) if size not in (0, 0xFFFF) else None


def _number_at(raw: bytes, at: int) -> int:
    """Read 16 bits of an entry; 0 where the entry is too short to have them. Byte 1 is the entry's length."""
    length = raw[1] if len(raw) > 1 else 0
    return int(struct.unpack_from("<H", raw, at)[0]) if at + 2 <= min(length, len(raw)) else 0


def _why_not(firmware: Path) -> str:
    if list(firmware.glob(MEMORY_DEVICE)):
        return "the firmware's table may be read by root only"
    if not sys.platform.startswith("linux"):
        return "only Linux is asked"
    return "the system lists no memory controllers; a virtual machine sees none"
