import os
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet.machine import cores

VERSION2 = "0::/user.slice/app\n"
VERSION1 = "12:pids:/app\n4:cpu,cpuacct:/app\n1:name=systemd:/app\n"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def quota(tmp_path, own, files):
    write(tmp_path, {"own": own} | {f"root/{name}": text for name, text in files.items()})
    return cores.cgroup_quota(tmp_path / "root", tmp_path / "own")


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        (VERSION2, {}, None),
        (VERSION2, {"user.slice/app/cpu.max": "max 100000\n"}, None),
        (VERSION2, {"user.slice/app/cpu.max": "150000 100000\n"}, 1.5),
        (VERSION2, {"user.slice/app/cpu.max": "50000\n"}, 0.5),
        (VERSION2, {"user.slice/app/cpu.max": "max 100000", "user.slice/cpu.max": "300000 100000"}, 3.0),
        (VERSION2, {"user.slice/app/cpu.max": "800000 100000", "user.slice/cpu.max": "300000 100000"}, 3.0),
        (VERSION2, {"cpu.max": "200000 100000"}, 2.0),  # inside a container only the mount exists
        ("0::/../../..\n", {"cpu.max": "200000 100000"}, 2.0),
        (VERSION2, {"unified/user.slice/app/cpu.max": "200000 100000"}, 2.0),
        (VERSION1, {"cpu,cpuacct/app/cpu.cfs_quota_us": "-1", "cpu,cpuacct/app/cpu.cfs_period_us": "100000"}, None),
        (VERSION1, {"cpu,cpuacct/app/cpu.cfs_quota_us": "250000", "cpu,cpuacct/app/cpu.cfs_period_us": "100000"}, 2.5),
        (VERSION1, {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "50000\n"}, 5.0),
        (VERSION1, {"cpu/cpu.cfs_quota_us": "250000"}, None),
        (VERSION1, {"pids/app/cpu.cfs_quota_us": "1", "pids/app/cpu.cfs_period_us": "1"}, None),
        ("", {"cpu.max": "200000 100000"}, None),
        ("nonsense\n\n:\n", {"cpu.max": "200000 100000"}, None),
    ],
)
def test_quotas_of_cgroups(tmp_path, own, files, expected):
    assert quota(tmp_path, own, files) == expected


def test_no_list_of_cgroups_means_no_quota(tmp_path):
    assert cores.cgroup_quota(tmp_path, tmp_path / "missing") is None


@given(own=st.text(max_size=60), limit=st.text(max_size=30))
def test_nothing_that_a_file_says_raises(tmp_path_factory, own, limit):
    folder = tmp_path_factory.mktemp("cgroups")
    (folder / "own").write_text(f"{own}\n0::/\n", encoding="utf-8", errors="replace")
    (folder / "cpu.max").write_text(limit, encoding="utf-8", errors="replace")
    found = cores.cgroup_quota(folder, folder / "own")
    assert found is None or found > 0


@given(quota_us=st.integers(1, 10**9), period_us=st.integers(1, 10**7))
def test_usable_cores_round_the_quota_up_and_never_exceed_affinity(tmp_path_factory, quota_us, period_us):
    folder = tmp_path_factory.mktemp("cgroups")
    (folder / "own").write_text("0::/\n")
    (folder / "cpu.max").write_text(f"{quota_us} {period_us}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cores, "CGROUP_ROOT", folder)
        patch.setattr(cores, "OWN_CGROUPS", folder / "own")
        patch.setattr(cores, "_affinity", lambda: 6)
        assert cores.usable_cores() == max(1, min(6, ceil(quota_us / period_us)))


def test_at_least_one_core_without_anything_to_ask(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "OWN_CGROUPS", tmp_path / "missing")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores.usable_cores() == 1


def test_affinity_that_may_not_be_asked(monkeypatch, tmp_path):
    def forbidden(_):
        raise PermissionError

    monkeypatch.setattr(cores, "OWN_CGROUPS", tmp_path / "missing")
    monkeypatch.setattr(os, "sched_getaffinity", forbidden, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores.usable_cores() == 3
