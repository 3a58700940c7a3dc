import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

import sparsenet
from sparsenet.errors import SparsenetError
from sparsenet.explain.roof import roof
from sparsenet.explain.roofline import roofline
from sparsenet.graph.network import Network
from sparsenet.layers import KWinners, Linear

random = np.random.default_rng(5)
CHOSEN = {"linear1": "linear_f32_csr_dense", "linear2": "linear_f32_csc_active"}


@pytest.fixture(scope="module")
def found():
    sparse = np.where(random.random((48, 40)) < 0.2, random.standard_normal((48, 40)), 0)
    net = Network.sequential((40,), [Linear(sparse), KWinners(5), Linear(random.standard_normal((7, 48)))])
    engine = sparsenet.compile(net, batch=1, threads=1, kernels=CHOSEN, progress=False)
    return roofline(engine, random.standard_normal((6, 40)), rounds=3)


def test_every_step_stands_under_its_roof(found):
    by_layer = {step.layer: step for step in found.steps if step.multiplications}
    assert set(by_layer) == {"linear1", "linear2"}
    for step in by_layer.values():
        assert step.unit == "float32"
        assert step.intensity == step.multiplications / step.touched_bytes
        assert step.roof_per_s <= found.limits.multiply_adds_per_s * (1 + 1e-9)  # rounding of two divisions
        share = step.least_us / max(step.median_us, 1e-3)  # a nanosecond is as little as the clock can tell
        assert share == pytest.approx(step.rate_per_s / step.roof_per_s)
        assert step.share_of_limit in (None, pytest.approx(share))


def test_the_whole_is_held_against_the_sum_of_the_limits(found):
    least_us = sum(step.least_us for step in found.steps)
    assert found.share_of_limit == pytest.approx(least_us / found.whole_median_us)


@pytest.mark.parametrize("width", [80, 140])
def test_it_prints_in_any_terminal(found, width):
    console = Console(width=width)
    with console.capture() as captured:
        console.print(found)
    text = captured.get()
    for expected in ("multiply-adds of bytes", "reading L1", "linear_f32_csr_dense", "NUMA", "channels", "Measured on"):
        assert expected in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= width


def test_a_step_too_short_to_time_has_no_share(found):
    short = replace(found.steps[0], layer="short", median_us=0.01, share_of_limit=None)
    console = Console(width=140)
    with console.capture() as captured:
        console.print(replace(found, steps=(short,)))
    (line,) = [line for line in captured.get().splitlines() if line.lstrip().startswith("short ")]
    assert "\N{EN DASH}" in line
    assert "%" not in line


def test_names_of_points_cover_no_other_name(found):
    from sparsenet.explain.roofline_plot import plot_roofline

    steps = [replace(found.steps[0], layer=f"layer{i}", multiplications=9, share_of_limit=0.5) for i in range(4)]
    figure = plot_roofline(replace(found, steps=tuple(steps)))
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 4
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])


def test_a_last_cache_that_is_larger_than_what_was_read_is_mentioned(found):
    sizes = {"L1": 2**15, "L3": 2**29, "memory": 2**29}
    rates = dict.fromkeys(sizes, 1e10)
    huge = replace(found, limits=replace(found.limits, level_bytes=sizes, read_bytes_per_s=rates))
    console = Console(width=140)
    with console.capture() as captured:
        console.print(huge)
    assert "part of that stays in a last cache of 512.0 MiB" in " ".join(captured.get().split())


def test_as_html_and_json(found):
    assert "linear_f32_csr_dense" in found._repr_html_()
    shown = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert shown["steps"][-1]["layer"] == "linear2"
    assert shown["limits"]["byte_multiply_adds_per_s"]["bytes"] > 0
    assert "told_by" in shown["memory"]
    assert "NUMA" in found._repr_html_()


def test_bytes_have_limits_of_their_own(found):
    limits = replace(found.limits, multiply_adds_per_s=1e11, byte_multiply_adds_per_s={"bytes": 4e11, "tiles": 4e12})
    times = [roof(4_000_000, {}, limits, unit).arithmetic_us for unit in ("float32", "bytes", "tiles")]
    assert times == pytest.approx([40, 10, 1])
    unknown = replace(limits, byte_multiply_adds_per_s={})
    assert roof(4_000_000, {"L1": 400}, unknown, "bytes").arithmetic_us == 0


def timed(found):
    """Both layers as if they were long enough to be told apart from the call."""
    return replace(found, steps=tuple(replace(step, share_of_limit=0.5) for step in found.steps))


def test_a_figure_is_written_in_the_format_of_its_name(found, tmp_path):
    from sparsenet.explain.roofline_plot import plot_roofline

    figure = plot_roofline(timed(found), tmp_path / "roofline.svg")
    assert (tmp_path / "roofline.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert len(labels) == 2
    bars = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert bars == [step.layer for step in found.steps]
    assert "linear1" in labels[0]
    short = replace(found, steps=tuple(replace(step, share_of_limit=None) for step in found.steps))
    assert not plot_roofline(short).axes[0].texts
    with pytest.raises(SparsenetError, match="nonsense"):
        plot_roofline(found, tmp_path / "roofline.nonsense")


def test_without_matplotlib_it_says_what_to_install(found, monkeypatch):
    import sys

    from sparsenet.explain.roofline_plot import plot_roofline

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"sparsenet\[notebooks\]"):
        plot_roofline(found)
