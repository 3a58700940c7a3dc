import io
from types import SimpleNamespace

import numpy as np
from hypothesis import given
from rich.console import Console
from rich.table import Table
from strategies import networks

import sparsenet
from sparsenet.layers import KWinners, Linear
from sparsenet.network import INPUT, Network, Node
from sparsenet.planner.choose import Choice
from sparsenet.planner.predicted import Cost
from sparsenet.tables import as_html, as_share, as_size, network_table, plan_table, printable

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
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("│")}
    assert set(rows) == {"input", "linear1", "kwinners1"}
    for expected in ("Linear", "4", "24", "16.7 %"):
        assert expected in rows["linear1"]
    assert "2 of 4" in rows["kwinners1"]


@given(net=networks())
def test_every_network_has_a_row_for_each_layer(net):
    assert network_table(net).row_count == len(net) + 1
    assert "<pre" in net._repr_html_()


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


def test_a_plan_names_kernel_fill_and_reason():
    choices = [
        Choice(
            "[red]", "linear_f32_csc_active__wide", "csc", "skips zeros", 0.5, {"linear_f32_csc_active": 1.25}, {}, COST
        ),
        Choice("b", "linear_f32_dense_dense", "dense", "no zeros", None, {}, {"linear_f32_dense_dense": 1234.5}, COST),
    ]
    text = drawn(plan_table(SimpleNamespace(plan=choices, batch=1000, threads=2)), width=160)
    assert "batches of up to 1,000, threads: 2" in text
    first, second = text.split("├")
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
    assert "<pre" in engine._repr_html_()
