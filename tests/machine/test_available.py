from pathlib import Path

import pytest

from sparsenet.machine.available import available_bytes
from sparsenet.machine.facts import machine

OWN = "0::/app\n"


def asked(tmp_path, files, own=OWN, meminfo="MemTotal: 2048 kB\nMemAvailable:    1024 kB\n"):
    texts = {"own": own, "meminfo": meminfo} | {f"root/{name}": text for name, text in files.items()}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return available_bytes(tmp_path / "meminfo", tmp_path / "root", tmp_path / "own")


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({}, OWN, 1024 * 1024),
        ({"app/memory.max": "max\n", "app/memory.current": "5\n"}, OWN, 1024 * 1024),
        ({"app/memory.max": "900000\n", "app/memory.current": "400000\n"}, OWN, 500_000),
        (
            {"memory.max": "900000", "memory.current": "700000", "memory.stat": "anon 3\ninactive_file 600\n"},
            OWN,
            200_600,
        ),
        ({"app/memory.max": "9000", "app/memory.current": "8000", "memory.max": "70", "memory.current": "0"}, OWN, 70),
        ({"app/memory.max": "5", "app/memory.current": "9"}, OWN, 0),
        ({"memory/a/memory.limit_in_bytes": "800", "memory/a/memory.usage_in_bytes": "300"}, "4:memory:/a\n", 500),
        ({"memory/a/memory.limit_in_bytes": "800"}, "4:memory:/a\n", 1024 * 1024),
    ],
)
def test_the_tightest_limit_counts(tmp_path, files, own, expected):
    assert asked(tmp_path, files, own) == expected


def test_where_the_system_does_not_tell_half_of_the_machine_is_taken():
    absent = Path("there is no such file")
    whole = machine().memory_bytes
    assert available_bytes(absent, absent, absent) == (whole // 2 if whole else None)
