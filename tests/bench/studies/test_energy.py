import json
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from sparsenet.bench.studies.energy import energy
from sparsenet.bench.studies.energy_table import energy_lines, energy_table
from sparsenet.bench.studies.published import DAY_S, FIGURES, LIFETIME_S
from sparsenet.bench.studies.rapl import find_counters
from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.layers import ReLU

X = np.zeros((6, 3), np.float32)
RANGE_UJ = 10_000_000


class Machine:
    """A clock, counters in a fake powercap folder, and an engine: each call takes 1 ms and each package 30 W."""

    CALL_NS, WATTS, IDLE_WATTS = 1_000_000, 30, 10
    network = Network.sequential((3,), [ReLU()])

    def __init__(self, folder=None, batch=2, packages=("package-0",)):
        self.now_ns = self.cpu_ns = 0
        self.batch, self.threads, self.calls = batch, 2, []
        self.files = [zone(folder, number, name) for number, name in enumerate(packages)] if folder else []

    def __call__(self, x):
        self.calls.append(len(x))
        self.pass_time(self.CALL_NS, self.WATTS)
        self.cpu_ns += 2 * self.CALL_NS

    def sleep(self, seconds):
        self.pass_time(int(seconds * 1e9), self.IDLE_WATTS)

    def pass_time(self, lasts_ns, watts):
        self.now_ns += lasts_ns
        for path in self.files:
            path.write_text(f"{(int(path.read_text()) + watts * lasts_ns // 1000) % RANGE_UJ}\n")

    def measure(self, folder, **settings):
        settings = {"seconds": 0.1} | settings
        clocks = {"clock": lambda: self.now_ns, "cpu_clock": lambda: self.cpu_ns, "sleep": self.sleep}
        return energy(self, X, folder=folder, idle_s=0.05, **clocks, **settings)


def zone(folder, number, name, parent=""):
    place = folder / (parent + f":{number}" if parent else f"intel-rapl:{number}")
    place.mkdir(parents=True)
    (place / "name").write_text(f"{name}\n")
    (place / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (place / "energy_uj").write_text("9000000\n")
    return place / "energy_uj"


def test_counted_joules_are_those_of_all_packages(tmp_path):
    found = Machine(tmp_path, packages=("package-0", "package-1")).measure(tmp_path)
    assert found.standing == "counted"
    assert (found.zones, found.reason) == (("package-0", "package-1"), "")
    assert found.idle_watts == pytest.approx(20)
    assert found.joules == pytest.approx(2 * 30 * found.wall_s)  # and the counters began again meanwhile
    assert found.joules_per_word == pytest.approx(60e-3 / 2)
    assert found.joules_per_word_above_idle == pytest.approx(40e-3 / 2)


def test_words_and_days_follow_from_the_clock(tmp_path):
    machine = Machine()
    found = machine.measure(tmp_path, word_s=0.5)
    assert set(machine.calls) == {2}
    assert found.words == 2 * (len(machine.calls) - 1)  # the first call is not counted
    assert found.words_per_s == pytest.approx(2000)
    assert found.days_per_s == pytest.approx(1000 / DAY_S)
    assert found.lifetime_s == pytest.approx(LIFETIME_S / 1000)


def test_a_zone_of_memory_counts_and_parts_of_a_package_do_not(tmp_path):
    zone(tmp_path, 0, "package-0")
    zone(tmp_path, 0, "core", "intel-rapl:0")
    zone(tmp_path, 1, "dram", "intel-rapl:0")
    zone(tmp_path, 1, "psys")
    (tmp_path / "intel-rapl").mkdir()
    (tmp_path / "intel-rapl:7").mkdir()  # a zone that says nothing
    assert [one.name for one in find_counters(tmp_path).zones] == ["package-0", "dram-0"]


def test_counters_for_root_only_are_explained(tmp_path, monkeypatch):
    path = zone(tmp_path, 0, "package-0")

    def forbidden(self):
        raise PermissionError(13, "Permission denied", str(self.path))

    monkeypatch.setattr("sparsenet.bench.studies.rapl.Zone.read_uj", forbidden)
    found = find_counters(tmp_path)
    assert found.zones == ()
    assert f"sudo chmod a+r {path};" in found.reason
    assert f"sudo chgrp $(id -gn) {path} && sudo chmod g+r {path}" in found.reason
    assert Machine().measure(tmp_path).standing == "unknown"


@pytest.mark.parametrize(
    ("system", "why"),
    [("linux", "modprobe intel_rapl_msr"), ("darwin", "sudo powermetrics"), ("win32", "without a driver")],
)
def test_each_system_says_why_it_has_no_counters(tmp_path, monkeypatch, system, why):
    monkeypatch.setattr("sys.platform", system)
    assert why in find_counters(tmp_path / "absent").reason


def test_counters_that_begin_again_more_than_once_are_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("sparsenet.bench.studies.energy.SLICE_S", 0.05)
    found = Machine(tmp_path).measure(tmp_path, seconds=1.0)
    assert found.joules == pytest.approx(30 * found.wall_s)  # 30 J, where a counter begins again after 10


def test_networks_are_compared_when_called_alike(tmp_path):
    first, second = (
        Machine().measure(tmp_path / "absent", watts=watts, name=name) for name, watts in (("a", 1), ("b", 8))
    )
    shown = " ".join(energy_lines([first, second]))
    assert (
        "a beside b, batch 2, 2 cores: 1.0 times the words a second, 0.125 times the joules a word (estimated)."
        in shown
    )
    assert "beside" not in " ".join(energy_lines([first]))


def test_a_counter_that_says_nonsense_is_not_used(tmp_path):
    zone(tmp_path, 0, "package-0").write_text("lots\n")
    assert "cannot be read" in find_counters(tmp_path).reason


def test_without_counters_there_are_joules_only_if_somebody_says_watts(tmp_path):
    absent = tmp_path / "absent"
    unknown = Machine().measure(absent)
    assert (unknown.standing, unknown.joules, unknown.joules_per_word, unknown.lifetime_wh) == ("unknown", *[None] * 3)
    assert unknown.reason
    estimated = Machine().measure(absent, watts=5.0)
    assert estimated.standing == "estimated"
    assert estimated.joules == pytest.approx(5 * 2 * estimated.wall_s)  # two cores were busy
    assert estimated.lifetime_wh == pytest.approx(estimated.joules_per_word * LIFETIME_S / 3600)
    assert "lists no counter" in Machine().measure(tmp_path).reason


def test_counters_are_believed_before_watts(tmp_path):
    assert Machine(tmp_path).measure(tmp_path, watts=1000.0).joules_per_word == pytest.approx(15e-3)


@pytest.mark.parametrize("settings", [{"watts": 0.0}, {"watts": float("nan")}, {"watts": -1.0}, {"word_s": 0.0}])
def test_settings_that_cannot_be_are_errors(tmp_path, settings):
    with pytest.raises(SparsenetError, match="above 0"):
        Machine().measure(tmp_path, **settings)


def test_fewer_inputs_than_a_batch_are_an_error(tmp_path):
    with pytest.raises(SparsenetError, match="at least 7 inputs"):
        Machine(batch=7).measure(tmp_path)


def test_only_what_is_published_stands_beside(tmp_path):
    found = Machine().measure(tmp_path, watts=5.0)
    console = Console(width=140)
    with console.capture() as captured:
        console.print(energy_table([found]))
        console.print(*energy_lines([found]), sep="\n")
    rows = captured.get().splitlines()
    for figure in FIGURES:
        assert figure.standing == "published"
        assert figure.source
        (shown,) = [line for line in rows if figure.what in line]
        assert shown.rstrip().endswith(figure.standing)
        assert "?" not in shown
    text = " ".join(captured.get().split())
    assert "quote" not in text
    for expected in ("5 W for each busy core, as stated by you", "estimated", "NUMA"):
        assert expected in text


def test_the_published_figure_gives_the_arithmetic_of_the_thread():
    published = FIGURES[0]
    assert published.words_per_s / DAY_S == pytest.approx(15.8)
    hours = LIFETIME_S / published.words_per_s / 3600
    assert hours * published.watts == pytest.approx(55, rel=0.05)  # the thread said 54 Wh, with rounded steps
    assert all(figure.joules_per_word is None for figure in FIGURES if figure.watts is None)


def test_it_prints_as_a_table_html_and_json(tmp_path):
    found = Machine(tmp_path).measure(tmp_path)
    console = Console(width=100)
    with console.capture() as captured:
        console.print(found)
    assert "counted by package-0" in " ".join(captured.get().split())
    assert "counted" in found._repr_html_()
    shown = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert shown["joules_per_word"] == found.joules_per_word
    assert SimpleNamespace(**shown).zones == ["package-0"]


def test_a_narrow_terminal_gets_no_lifetime(tmp_path):
    found = Machine().measure(tmp_path, watts=5.0, name="a network")
    console = Console(width=60)
    with console.capture() as captured:
        console.print(found)
    table = captured.get().split("Wider terminals")[0]
    assert "a network" in table
    assert "estimated" in table
    assert "in Wh" not in table
    assert max(map(len, table.splitlines())) <= 60
