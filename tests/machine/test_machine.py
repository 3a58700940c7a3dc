import json
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet.machine import caches, system_files
from sparsenet.machine import facts as asking
from sparsenet.machine.facts import machine
from sparsenet.machine.target import FEATURES


@pytest.fixture
def fresh():
    machine.cache_clear()
    yield
    machine.cache_clear()


def test_a_machine_describes_itself_and_is_remembered(fresh):
    here = machine()
    assert here is machine()
    assert here.vector_bits in (128, 256, 512)
    assert here.logical_cores >= 1
    assert set(here.features) <= set(FEATURES)
    assert json.loads(json.dumps(here.to_dict()))["features"] == list(here.features)
    with pytest.raises(FrozenInstanceError):
        here.vector_bits = 64


@pytest.mark.parametrize(
    ("environment", "features", "bits"),
    [
        ({"NUMBA_CPU_NAME": "generic"}, (), 128),
        ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"}, ("avx2", "fma"), 256),
        ({"NUMBA_CPU_FEATURES": "+avx2,+avx512f,+avx512bw"}, ("avx2", "avx512f", "avx512bw"), 512),
        ({"NUMBA_CPU_FEATURES": "+avx2,+avx512f,-avx2,"}, ("avx512f",), 128),
    ],
)
def test_the_environment_may_choose_another_cpu(fresh, monkeypatch, environment, features, bits):
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    here = machine()
    assert here.features == features
    assert here.vector_bits == bits
    if "NUMBA_CPU_NAME" in environment:
        assert here.llvm_name == environment["NUMBA_CPU_NAME"]


def test_a_machine_that_tells_nothing_is_still_described(fresh, monkeypatch, tmp_path):
    from llvmlite import binding

    def cannot():
        raise RuntimeError

    for module, name in ((asking, "CPUINFO"), (caches, "CACHES"), (asking, "NODES")):
        monkeypatch.setattr(module, name, tmp_path / "missing")
    monkeypatch.setattr(binding, "get_host_cpu_features", cannot)
    monkeypatch.setattr(asking.platform, "processor", lambda: "")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "sysconf", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.delenv("NUMBA_CPU_FEATURES", raising=False)
    here = machine()
    unknown = (
        here.model,
        here.vendor,
        here.l1d_bytes,
        here.l2_bytes,
        here.l3_bytes,
        here.memory_bytes,
        here.numa_nodes,
    )
    assert set(unknown) == {None}
    assert (here.features, here.vector_bits, here.logical_cores) == ((), 128, 1)
    assert (here.assumed_l1d_bytes, here.assumed_l2_bytes, here.last_cache_bytes) == (2**15, 2**20, None)


def test_a_mac_is_asked_by_sysctl(fresh, monkeypatch):
    answers = {
        "machdep.cpu.brand_string": "Apple M3",
        "hw.perflevel0.l1dcachesize": "131072",
        "hw.l2cachesize": "4194304",
        "hw.l3cachesize": "",
    }

    def sysctl(command, **_):
        return subprocess.CompletedProcess(command, 0, answers.get(command[-1], "") + "\n", "")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(asking.platform, "machine", lambda: "arm64")
    monkeypatch.setattr(system_files.subprocess, "run", sysctl)
    here = machine()
    assert (here.model, here.vendor) == ("Apple M3", "Apple")
    assert (here.l1d_bytes, here.l2_bytes, here.l3_bytes) == (131072, 4194304, None)


def test_a_mac_without_sysctl(fresh, monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(system_files.subprocess, "run", missing)
    assert machine().model is None


def test_caches_as_linux_lists_them(tmp_path):
    listed = [("1", "Data", "48K"), ("1", "Instruction", "64K"), ("2", "Unified", "2048K"), ("3", "Unified", "480M")]
    for index, entry in enumerate(listed):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, text in zip(("level", "type", "size"), entry, strict=True):
            (folder / name).write_text(text + "\n")
    assert caches.linux_caches(tmp_path) == {1: 48 * 2**10, 2: 2 * 2**20, 3: 480 * 2**20}
    assert caches.linux_caches(tmp_path / "missing") == {}


@given(level=st.text(max_size=5), kind=st.sampled_from(["Data", "Unified", "", "odd"]), size=st.text(max_size=8))
def test_no_cache_file_raises(tmp_path_factory, level, kind, size):
    folder = tmp_path_factory.mktemp("caches")
    (folder / "index0").mkdir()
    for name, text in (("level", level), ("type", kind), ("size", size)):
        (folder / "index0" / name).write_text(text, encoding="utf-8", errors="replace")
    for found in caches.linux_caches(folder).items():
        assert all(isinstance(number, int) for number in found)


@pytest.mark.parametrize(
    ("text", "model", "vendor"),
    [
        (
            "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9654\n\nmodel name\t: other\n",
            "AMD EPYC 9654",
            "AuthenticAMD",
        ),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xd40\nModel\t\t: Raspberry Pi 5\n", "Raspberry Pi 5", "Arm"),
        ("CPU implementer\t: 0x99\nModel: x\n", "x", "0x99"),
    ],
)
def test_the_names_of_cpus(fresh, monkeypatch, tmp_path, text, model, vendor):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(asking, "CPUINFO", tmp_path / "cpuinfo")
    assert (machine().model, machine().vendor) == (model, vendor)


def test_numa_nodes_are_counted(fresh, monkeypatch, tmp_path):
    for name in ("node0", "node1", "node12", "online", "nodes"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(asking, "NODES", tmp_path)
    assert machine().numa_nodes == 3


@pytest.mark.parametrize(("bits", "width"), [(128, "narrow"), (256, "narrow"), (512, "wide")])
def test_the_width_of_registers_names_the_variant(bits, width):
    assert replace(machine(), vector_bits=bits).register_width == width


def test_the_last_cache_is_the_second_where_there_is_no_third():
    here = replace(machine(), l2_bytes=2**21, l3_bytes=2**25)
    assert (here.last_cache_bytes, replace(here, l3_bytes=None).last_cache_bytes) == (2**25, 2**21)
    assert (here.assumed_l1d_bytes, here.assumed_l2_bytes) == (here.l1d_bytes or 2**15, 2**21)
