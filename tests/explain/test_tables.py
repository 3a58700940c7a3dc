import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from rich.console import Console, Group
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from strategies import networks

import sparsenet
from sparsenet.bench.studies.energy import energy
from sparsenet.bench.studies.residency import residency
from sparsenet.explain.roofline import roofline
from sparsenet.graph.network import INPUT, Network, Node
from sparsenet.info import info
from sparsenet.layers import KWinners, Linear, ReLU
from sparsenet.lowering.choose import Choice
from sparsenet.lowering.predicted import Cost
from sparsenet.packing import masks, pack
from sparsenet.table_style import fitted, ruled
from sparsenet.tables import as_html, as_share, as_size, network_table, plan_table, printable
from sparsenet_kernels.formats import pack_blocks, pack_csc, pack_csr

COST = Cost(1.0, 0.0, 0.5, 0.25)


def drawn(thing, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    return console.file.getvalue()


def test_a_network_shows_its_layers():
    mask = np.eye(4, 6, dtype=bool)
    net = Network.sequential((6,), [Linear(np.zeros((4, 6)), mask=mask), KWinners(2)], details={"title": "Small"})
    text = drawn(net)
    assert "Small" in text
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert {"input", "linear1", "kwinners1"} < rows.keys()
    for expected in ("Linear", "4", "24", "16.7 %"):
        assert expected in rows["linear1"]
    assert "2 of 4" in rows["kwinners1"]


@given(net=networks())
def test_every_network_has_a_row_for_each_layer(net):
    assert network_table(net).row_count == len(net) + 1
    assert "<table" in net._repr_html_()


def test_html_escapes_what_a_file_says():
    name = "<script>alert(1)</script>[bold]&"
    net = Network((2,), [Node(name, KWinners(1), (INPUT,))], name, details={"title": "<b>[red]\x1b[31m"})
    html = net._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "\x1b" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;[bold]&amp;" in html


def test_a_terminal_is_not_steered_by_what_a_file_says():
    net = Network((2,), [Node("[red]x", KWinners(1), (INPUT,))], "[red]x", details={"title": "a\x1b[2Jb\nc"})
    text = drawn(net)
    assert "[red]x" in text
    assert "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}c" in text


def test_markup_and_odd_letters():
    assert printable("[bold]") == r"\[bold]"
    assert printable("\udcff") == "\N{REPLACEMENT CHARACTER}"
    assert printable(None) == "None"


def test_shares_and_sizes():
    assert [as_share(share) for share in (0, 1, 0.5, 0.9999, 0.0004)] == ["0 %", "100 %", "50.0 %", "100.0 %", "0.04 %"]
    sizes = [0, 1023, 1024, 1536, 2**20 - 1, 2**20, 2**30, 2**40, 2**50]
    texts = ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1024.0 KiB", "1.0 MiB", "1.0 GiB", "1.0 TiB", "1024.0 TiB"]
    assert [as_size(size) for size in sizes] == texts


def test_any_table_becomes_html():
    table = Table("a<b")
    table.add_row("1")
    assert "a&lt;b" in as_html(table)


def test_tables_in_html_are_tables_that_take_the_colours_of_their_page():
    table = ruled("Title", ["name"], ["µs"], "below")
    table.add_row("[bold]x[/bold]\n<y>", "1", style="red")
    table.show_footer, table.columns[1].footer = True, "2"
    html = as_html(Group(table, Text("dim", style="dim"), Syntax("a < b", "python")))
    for expected in (
        "<thead>",
        "<tfoot>",
        "<b>",
        "<br>",
        "&lt;y&gt;",
        "text-align:right",
        "below",
        "a &lt; b</code></pre>",
    ):
        assert expected in html
    assert not re.search("background|black|white(?!-space)|#000|#fff", html)
    for tag in ("table", "tr", "td", "div", "span", "b"):
        assert html.count(f"<{tag}>") + html.count(f"<{tag} ") == html.count(f"</{tag}>")


@pytest.mark.parametrize("columns", [30, 60, 80, 200])
def test_a_table_spares_columns_until_it_fits_and_says_which(columns):
    table = ruled("", ["kernel"], ["median", "a long heading", "another long heading"])
    table.add_row("linear_f32_csc_active", "1,234.5", "1", "2")
    text = drawn(fitted(table, columns, ["another long heading", "a long heading"]), width=columns)
    assert "1,234.5" in text
    assert "…" not in text
    for heading in ("a long heading", "another long heading"):
        spared = "show more" in text and heading in " ".join(text.split()).partition("show more")[2]
        assert spared or heading in text
    assert ("show more" in text) == (columns < 80)


@pytest.mark.parametrize("columns", [50, 66, 70, 75, 78, 90])
def test_texts_fold_between_words_where_a_name_leaves_them_too_little(columns):
    table = ruled("", ["kernel", "bound"], ["median"])
    table.add_row("conv2d_pool2_i8_tiles_pixels__amx", "scattered addresses", "1.25")
    text = drawn(fitted(table, columns, []), width=columns)
    for word in ("1.25", *["scattered", "addresses"] * (columns > 60)):
        assert re.search(rf"\b{word}\b", text)


def test_a_deep_network_prints_its_ends():
    net = Network.sequential((3,), [ReLU() for _ in range(1000)])
    text = drawn(net)
    assert "940 more" in text
    assert "relu30 " in text
    assert "relu31 " not in text
    assert "relu1000" in text
    assert len(net._repr_html_()) < 40_000
    assert network_table(net).row_count == 1001


def test_everything_that_prints_a_table_has_a_repr_of_one_line():
    weight = np.eye(6)
    net = Network.sequential((6,), [Linear(weight), KWinners(2), Linear(weight)])
    engine = sparsenet.compile(net, threads=1, progress=False)
    x = np.ones((2, 6), np.float32)
    shown = [
        *(net, engine, engine.explain(x), engine.profile(x), roofline(engine, x), energy(engine, x, seconds=0.01)),
        *(residency({"small": (engine, x)}, seconds=0.01), sparsenet.what_if(net, density=0.5), info()),
        sparsenet.crossover([64], [0.5], [0.5], [1], measure=False),
        sparsenet.show_kernel("relu_f32"),
        sparsenet.import_report(Network.sequential((2,), [ReLU()], details={"import": [{"layer": "a", "note": "b"}]})),
        masks.uniform((8, 8), 0.5),
        pack(masks.uniform((8, 8), 0.5)),
        *(pack_csc(weight), pack_csr(weight), pack_blocks(weight)),
    ]
    for one in shown:
        assert "\n" not in repr(one)
        assert len(repr(one)) < 200
        assert re.search("<table|<img", one._repr_html_())
    assert all("\n" not in repr(choice) for choice in engine.plan)


def test_an_import_with_nothing_to_say_says_so():
    net = Network.sequential((2,), [ReLU()], details={"import": []})
    assert "all layers were taken as they are" in drawn(sparsenet.import_report(net))


def test_a_plan_names_kernel_fill_and_reason():
    choices = [
        Choice(
            "[red]", "linear_f32_csc_active__wide", "csc", "skips zeros", 0.5, {"linear_f32_csc_active": 1.25}, {}, COST
        ),
        Choice("b", "linear_f32_dense_dense", "dense", "no zeros", None, {}, {"linear_f32_dense_dense": 1234.5}, COST),
    ]
    text = drawn(plan_table(SimpleNamespace(plan=choices, batch=1000, threads=2)), width=160)
    assert "batches of up to 1,000, threads: 2" in text
    first, second = text.split("skips zeros")
    first += "skips zeros"
    for expected in ("[red]", "linear_f32_csc_active__wide", "50.0 %", "1.25", "skips zeros"):
        assert expected in first
    for expected in ("linear_f32_dense_dense", "1,234.50", "no zeros"):
        assert expected in second
    unmeasured = drawn(plan_table(SimpleNamespace(plan=choices[:1], batch=1, threads=1)), width=160)
    assert "measured" not in unmeasured


def test_an_engine_explains_itself():
    net = Network.sequential((6,), [Linear(np.eye(6)), KWinners(2), Linear(np.eye(6))])
    engine = sparsenet.compile(net, threads=1, progress=False)
    text = drawn(engine, width=200)
    assert "linear1" in text
    assert "linear2" in text
    assert "<table" in engine._repr_html_()
