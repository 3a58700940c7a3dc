import json
import struct
from pathlib import Path

import pytest

from sparsenet.planner.memory import memory

ABSENT = Path("there is no such folder")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def nodes(tmp_path):
    folder = tmp_path / "node"
    for number, cores in ((0, "0-3"), (1, "4-7"), (10, "")):
        write(folder / f"node{number}" / "cpulist", f"{cores}\n")
        write(folder / f"node{number}" / "meminfo", f"Node {number} MemTotal:  {1024 * (number + 1)} kB\n")
    write(folder / "possible", "0-10\n")
    return folder


def slot(size, speed, configured, length=40):
    raw = bytearray(length)
    raw[0], raw[1] = 17, length
    struct.pack_into("<H", raw, 12, size)
    for at, value in ((21, speed), (32, configured)):
        if at + 2 <= length:
            struct.pack_into("<H", raw, at, value)
    return bytes(raw)


def firmware(folder, *entries):
    for number, raw in enumerate(entries):
        path = folder / f"17-{number}" / "raw"
        path.parent.mkdir(parents=True)
        path.write_bytes(raw)
    return folder


def test_nodes_are_listed_in_order_with_cores_and_memory(nodes):
    found = memory(nodes, ABSENT, ABSENT)
    assert [(one.number, one.cores, one.size_bytes) for one in found.nodes] == [
        (0, "0-3", 2**20),
        (1, "4-7", 2 * 2**20),
        (10, "none", 11 * 2**20),
    ]
    assert "node 1: cores 4-7, 2.0 MiB" in next(found.lines())


def test_controllers_tell_channels_and_modules(tmp_path):
    for controller, dimm, size, place in (
        (0, 0, 16384, "channel 0 slot 0"),
        (0, 1, 16384, "channel 0 slot 1"),
        (0, 2, 16384, "channel 1 slot 0"),
        (0, 3, 0, "channel 1 slot 1"),
        (1, 0, 16384, "channel 0 slot 0"),
    ):
        write(tmp_path / f"mc{controller}" / f"dimm{dimm}" / "size", f"{size}\n")
        write(tmp_path / f"mc{controller}" / f"dimm{dimm}" / "dimm_location", f"{place} \n")
    found = memory(ABSENT, tmp_path, ABSENT)
    assert (found.channels, found.modules) == (3, 4)
    assert "channels: 3, modules: 4" in list(found.lines())[1]


def test_the_firmware_tells_modules_and_their_speed(tmp_path):
    entries = slot(16384, 4800, 4400), slot(16384, 4800, 0), slot(0, 4800, 0), slot(0xFFFF, 0, 0)
    found = memory(ABSENT, ABSENT, firmware(tmp_path, *entries))
    assert (found.channels, found.modules, found.transfers_per_s) == (None, 2, 4.4e9)
    assert "4,400 million transfers a second" in list(found.lines())[1]


@pytest.mark.parametrize("raw", [b"", b"\x11", b"\x11\x28", slot(8192, 0, 0, length=20), slot(8192, 0, 0)[:15]])
def test_entries_that_are_too_short_are_read_as_far_as_they_go(tmp_path, raw):
    found = memory(ABSENT, ABSENT, firmware(tmp_path, raw))
    assert found.modules in (None, 1)
    assert found.transfers_per_s is None


def test_a_system_that_tells_nothing_is_said_to(tmp_path):
    found = memory(ABSENT, ABSENT, ABSENT)
    assert (found.nodes, found.channels, found.modules) == ((), None, None)
    assert "unknown (the system lists no memory controllers" in list(found.lines())[1]
    (tmp_path / "17-0").mkdir()
    assert "root only" in memory(ABSENT, ABSENT, tmp_path).told_by
    assert json.loads(json.dumps(found.to_dict()))["nodes"] == []
