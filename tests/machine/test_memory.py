import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from sparsenet.machine.facts import machine
from sparsenet.machine.memory import Memory, NumaNode, memory
from sparsenet.machine.summary import hardware_line, here_line

ABSENT = Path("there is no such folder")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def nodes(tmp_path):
    folder = tmp_path / "node"
    for number, cores in ((0, "0-3"), (1, "4-7"), (10, "")):
        write(folder / f"node{number}" / "cpulist", f"{cores}\n")
        write(folder / f"node{number}" / "meminfo", f"NumaNode {number} MemTotal:  {1024 * (number + 1)} kB\n")
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
    assert "on 3 NUMA nodes (0: cores 0-3, 1.0 MiB, 1: cores 4-7, 2.0 MiB, 10: cores none, 11.0 MiB)" in found.line()


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
    assert "3 channels, 4 modules" in found.line()


def test_the_firmware_tells_modules_and_their_speed(tmp_path):
    entries = slot(16384, 4800, 4400), slot(16384, 4800, 0), slot(0, 4800, 0), slot(0xFFFF, 0, 0)
    found = memory(ABSENT, ABSENT, firmware(tmp_path, *entries))
    assert (found.channels, found.modules, found.transfers_per_s) == (None, 2, 4.4e9)
    assert "unknown channels, 2 modules, 4,400 MT/s each" in found.line()


@pytest.mark.parametrize("raw", [b"", b"\x11", b"\x11\x28", slot(8192, 0, 0, length=20), slot(8192, 0, 0)[:15]])
def test_entries_that_are_too_short_are_read_as_far_as_they_go(tmp_path, raw):
    found = memory(ABSENT, ABSENT, firmware(tmp_path, raw))
    assert found.modules in (None, 1)
    assert found.transfers_per_s is None


def test_a_system_that_tells_nothing_is_said_to(tmp_path):
    found = memory(ABSENT, ABSENT, ABSENT)
    assert (found.nodes, found.channels, found.modules) == ((), None, None)
    assert "an unknown number of NUMA nodes; channels unknown (" in found.line()
    (tmp_path / "17-0").mkdir()
    assert "root only" in memory(ABSENT, ABSENT, tmp_path).told_by
    assert json.loads(json.dumps(found.to_dict()))["nodes"] == []


@pytest.mark.parametrize(("counted", "shown"), [(8, "on one NUMA node;"), (4, "(by its own count 4.0 GiB)")])
def test_a_node_that_counts_less_than_there_is_says_so(counted, shown):
    assert shown in Memory(2**33, (NumaNode(0, "0-1", counted * 2**30),), None, None, None, "nobody asked").line()


@pytest.mark.parametrize(
    ("system", "why"), [("linux", "a virtual machine sees none"), ("darwin", "only Linux"), ("win32", "only Linux")]
)
def test_why_nobody_tells_of_channels(monkeypatch, system, why):
    monkeypatch.setattr("sys.platform", system)
    assert why in memory(ABSENT, ABSENT, ABSENT).told_by


def test_one_line_names_processor_caches_and_memory():
    here = replace(machine(), model="Some CPU", l2_bytes=2**20, l3_bytes=None)
    line = hardware_line(here, 3, Memory(2**33, (), 2, 2, None, "a test"))
    for part in ("Some CPU, 3 of ", "L2 1.0 MiB, L3 unknown", "memory 8.0 GiB on", "2 channels, 2 modules"):
        assert part in line
    assert here_line().count("memory") >= 1
