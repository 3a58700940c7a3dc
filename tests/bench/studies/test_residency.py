import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

import sparsenet
from sparsenet.bench.studies import cache_timing as cold
from sparsenet.bench.studies.cache_timing import Condition, SampleTimer, conditions, displacer, ticks_per_s
from sparsenet.bench.studies.residency import Residency, ResidencyRow, residency
from sparsenet.bench.studies.residency_table import gains_table, residency_lines, residency_table
from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network
from sparsenet.layers import KWinners, Linear
from sparsenet.machine.facts import machine
from sparsenet.machine.memory import memory
from sparsenet_kernels.simd.timestamp_counter import can_flush

random = np.random.default_rng(11)
HOT, READ = Condition("hot", 0, False, "nothing"), Condition("read", 2**16, False, "64 KiB read")
FLUSHED = Condition("flushed", 0, True, "flushed")
INPUTS = random.standard_normal((5, 40)).astype(np.float32)


@pytest.fixture(scope="module")
def engine():
    layers = [Linear(random.standard_normal((48, 40))), KWinners(5), Linear(random.standard_normal((7, 48)))]
    return sparsenet.compile(Network.sequential((40,), layers), threads=1, planner="predict", progress=False)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("condition", [HOT, READ, FLUSHED], ids=lambda one: one.name)
def test_samples_timed_one_by_one_give_what_the_engine_gives(engine, condition, cores):
    if condition.flushes and not can_flush():
        pytest.skip("this processor lets no program flush cache lines")
    timer = SampleTimer(engine, INPUTS, cores)
    ticks = timer.time(condition, displacer(READ.read_bytes), 7)
    assert ticks.shape == (cores, 7)
    assert (ticks > 0).all()
    expected = np.concatenate([engine(INPUTS[i : i + 1]) for i in range(5)])
    for outputs in timer.outputs:
        np.testing.assert_array_equal(outputs, expected)


def test_inputs_take_turns_from_call_to_call(engine):
    timer = SampleTimer(engine, INPUTS)
    for done in range(1, 6):
        timer.time(HOT, displacer(0), 1)
        assert np.count_nonzero(timer.outputs[0].any(axis=1)) == done


@pytest.mark.parametrize("x", [np.zeros((0, 40), np.float32), np.zeros((2, 41), np.float32), np.zeros(40, np.float32)])
def test_inputs_that_do_not_fit_are_errors(engine, x):
    with pytest.raises(SparsenetError, match=r"expected (input of shape|at least one input)"):
        SampleTimer(engine, x)


def test_inputs_that_are_not_finite_are_errors(engine):
    timer = SampleTimer(engine, np.full((1, 40), np.nan, np.float32))
    with pytest.raises(SparsenetError, match="finite"):
        timer.time(HOT, displacer(0), 1)


def test_ticks_are_held_against_the_clock():
    now_ns = iter(range(0, 10**12, 10**6))
    rate = ticks_per_s(lambda: next(now_ns))  # 21 looks at a clock that says they took 20 ms
    assert rate > 0


def test_conditions_follow_from_the_caches():
    here = replace(machine(), l2_bytes=2**20, l3_bytes=2**23, memory_bytes=2**34)
    hot, second, last, flushed = conditions(here, flushing=True)
    assert (hot.read_bytes, second.read_bytes, last.read_bytes) == (0, 2**22, 2**24)
    assert flushed.flushes
    assert "2.0 times the L3" in last.text
    assert len(conditions(here, flushing=False)) == 3


def test_a_cache_too_large_to_displace_is_said_to_be():
    here = replace(machine(), l2_bytes=2**20, l3_bytes=2**30, memory_bytes=2**34)
    last = conditions(here, flushing=False, largest_bytes=2**28)[-1]
    assert last.read_bytes == 2**28
    assert "does not displace an L3 of 1.0 GiB" in last.text
    unknown = conditions(replace(here, l3_bytes=None), flushing=False)[-1]
    assert "does not say how large its last cache is" in unknown.text


def test_little_memory_is_not_filled():
    here = replace(machine(), l2_bytes=2**20, l3_bytes=2**30, memory_bytes=2**25)
    assert [one.name for one in conditions(here, flushing=False)] == ["hot", "L2 displaced"]


def test_where_no_memory_is_left_none_is_filled(monkeypatch):
    monkeypatch.setattr(cold, "available_bytes", lambda: 0)
    assert "L3 displaced" not in [one.name for one in cold.here_conditions()]


@pytest.fixture(scope="module")
def found(engine):
    ticking = iter(range(0, 10**15, 10**8))
    chosen = [HOT, READ, FLUSHED] if can_flush() else [HOT, READ]
    measured = residency(
        {"small": (engine, INPUTS)},
        sizes=(20,),
        cores=(1, 2),
        seconds=0.2,
        conditions=chosen,
        progress=False,
        clock=lambda: next(ticking),
    )
    return measured, [condition.name for condition in chosen]


def test_every_network_and_layer_is_there_on_one_core_and_on_two(found):
    measured, names = found
    keys = [(row.what, row.kind, row.cores, row.condition) for row in measured.rows]
    assert keys == [
        (what, kind, cores, name)
        for what, kind in (("small", "network"), ("linear 20x20", "sparse twice"), ("linear 20x20", "dense"))
        for cores in (1, 2)
        for name in names
        if cores == 1 or name != "flushed"
    ]


def test_rows_follow_from_their_readings(found):
    measured, _ = found
    for row in measured.rows:
        assert 0 < row.minimum_us <= row.median_us
        assert row.words % row.cores == 0
        assert (row.condition != "hot") or row.times_hot == 1.0
    layers = {row.kind: row.weight_bytes for row in measured.rows if row.what == "linear 20x20"}
    assert layers["dense"] >= 4 * 20 * 20


def printed(shown, width):
    console = Console(width=width)
    with console.capture() as captured:
        console.print(shown)
    assert max(map(len, captured.get().splitlines())) <= width
    return captured.get()


def cells_of(table):
    return list(zip(*(list(column.cells) for column in table.columns), strict=True))


def test_networks_are_compared_with_the_first_one_and_layers_with_dense():
    first = [
        row("network", "hot", 2.0, 1.0),
        row("network", "read", 4.0, 2.0),
        row("network", "hot", 3.0, 1.0, cores=4),
    ]
    second = [replace(one, what="other", median_us=10 * one.median_us + 2) for one in first]
    layers = [
        replace(row(kind, "hot", time, 1.0), what="linear") for kind, time in (("sparse twice", 1.0), ("dense", 7.0))
    ]
    assert cells_of(gains_table(by_hand([*first, *second, *layers]))) == [
        ("layer [1]", "other", "1\n4", "11.0\n10.7", "10.5\n"),
        ("linear, sparse twice", "dense", "1", "7.0", ""),
    ]
    assert gains_table(by_hand(first)) is None


def test_weights_stand_with_the_level_that_holds_them():
    here = replace(machine(), l1d_bytes=2**15, l2_bytes=2**19, l3_bytes=2**25)
    rows = [
        replace(row("network", "hot", 2.0, 1.0), what=str(size), weight_bytes=size)
        for size in (99, 2**18, 2**20, 2**26)
    ]
    found = replace(by_hand(rows), machine=here)
    assert [cells[1].split("\n")[1] for cells in cells_of(residency_table(found))] == ["L1", "L2", "L3", "memory"]
    assert not any("No weights here" in line for line in residency_lines(found))


def test_it_says_which_layer_no_cache_would_hold():
    here = replace(machine(), l3_bytes=480 * 2**20)
    lines = list(residency_lines(replace(by_hand([row("dense", "hot", 2.0, 1.0)]), machine=here)))
    assert any("--sizes 12288" in line for line in lines)


def by_hand(rows):
    return Residency(tuple(rows), (HOT, READ), machine(), 4, memory())


def row(kind, condition, median_us, times_hot, cores=1):
    return ResidencyRow("layer [1]", kind, 2**20, cores, condition, 10, median_us, median_us, times_hot)


def test_a_narrow_terminal_gets_times_without_ratios():
    rows = [row("network", "hot", 2.0, 1.0), row("network", "read", 6.0, 3.0)]
    shown = printed(by_hand(rows), 60)
    assert "6.0" in shown
    assert "x3.0" not in shown


@pytest.mark.parametrize("width", [80, 140])
def test_it_says_how_much_of_the_speed_is_cache(width):
    rows = [
        *(row("network", "hot", 2.0, 1.0), row("network", "read", 6.0, 3.0)),
        *(
            row("dense", "hot", 40.0, 1.0),
            row("dense", "read", 640_000.0, 1.5),
            row("dense", "hot", 1000.4, 1.0, cores=2),
        ),
        row("network", "hot", 2.0, 1.0, cores=4),
    ]
    shown = printed(by_hand(rows), width)
    text = " ".join(shown.split())
    for expected in (
        "a factor of 3.0 to layer [1] (read)",
        "6.0 x3.0",
        "640 ms x1.5",
        "1,000",
        "NUMA",
        "hot: nothing.",
    ):
        assert expected in text


def test_as_html_and_json(found):
    measured, _ = found
    for expected in ("linear 20x20", "Times faster", "NUMA"):
        assert expected in measured._repr_html_()
    shown = json.loads(json.dumps(measured.to_dict(), allow_nan=False))
    assert len(shown["rows"]) == len(measured.rows)
    assert {"conditions", "machine", "memory", "usable_cores"} <= set(shown)


def test_nothing_to_time_and_impossible_sizes_are_errors():
    with pytest.raises(SparsenetError, match="got neither"):
        residency({})
    for size in (0, -1, 2**20):
        with pytest.raises(SparsenetError, match="sizes of linear layers from 1"):
            residency({}, sizes=(size,))


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"cores": (0,)}, SparsenetError, "cores of at least 1, got 0"),
        ({"cores": ()}, SparsenetError, "at least one condition and one number of cores"),
        ({"conditions": ()}, SparsenetError, "at least one condition and one number of cores"),
        ({"seconds": float("nan")}, SparsenetError, "seconds above 0, got nan"),
        ({"cores": (1.5,)}, TypeError, "cores to be an integer"),
        ({"sizes": (1.5,)}, TypeError, "integer"),
        ({"engines": {"text": "abc"}}, TypeError, "array of real numbers"),
    ],
)
def test_settings_that_cannot_be_are_errors(engine, settings, error, said):
    engines = {name: (engine, x) for name, x in settings.pop("engines", {"ones": np.ones((1, 40))}).items()}
    with pytest.raises(error, match=said):
        residency(engines, **settings)


def test_a_layer_that_does_not_fit_into_memory_is_an_error(monkeypatch):
    monkeypatch.setattr("sparsenet.bench.studies.residency_layers.available_bytes", lambda: 2**30)
    with pytest.raises(SparsenetError, match=r"making one of 12,288 x 12,288 takes 2.2 GiB, and 1.0 GiB are available"):
        residency({}, sizes=(64, 12288))


def test_a_figure_has_a_line_for_each_network_and_layer(found, tmp_path):
    from sparsenet.bench.studies.residency_plot import plot_residency

    measured, _ = found
    figure = plot_residency(measured, tmp_path / "residency.svg")
    assert (tmp_path / "residency.svg").stat().st_size > 1000
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert [label.split("\n")[0] for label in labels] == ["small", "linear 20x20, sparse twice", "linear 20x20, dense"]
    with pytest.raises(SparsenetError, match="nonsense"):
        plot_residency(measured, tmp_path / "residency.nonsense")
