import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import config
from rich.console import Console

import sparsenet as sn
from sparsenet.errors import SparsenetError
from sparsenet.explain.kernel_view import kernel_rows, kernel_table, show_kernel
from sparsenet.source_view import PythonSource
from sparsenet_kernels.registry import kernel, kernels, registered_temporarily

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="shows compiled code")


def printed(shown):
    console = Console(width=140, record=True, file=open_nothing())
    console.print(shown)
    return console.export_text()


def open_nothing():
    import io

    return io.StringIO()


def test_a_kernel_shows_arguments_source_definition_and_code():
    view = sn.show_kernel("linear_f32_csc_active")
    shown = printed(view)
    for expected in (
        "columns",
        "(B, K)",
        "0 <= columns < D; -1 ends a short row",
        "def linear_f32_csc_active",
        "def linear(",
    ):
        assert expected in shown
    assert "As compiled here" in shown


def test_in_a_notebook_it_is_escaped_html():
    html = sn.show_kernel("linear_f32_csc_active")._repr_html_()
    assert "<table" in html
    assert "linear_f32_csc_active</span>(" in html
    assert "0 &lt;= columns &lt; D" in html


def test_a_kernel_of_ones_own_shows_its_own_reference():
    with registered_temporarily():

        @kernel("twice", arguments="x f32[B, N]; out f32[B, N]", reference=lambda x: 2 * x)
        def twice_f32(x, out):
            for b in range(x.shape[0]):
                for n in range(x.shape[1]):
                    out[b, n] = np.float32(2) * x[b, n]

        view = sn.show_kernel("twice_f32")
        assert "reference=lambda x: 2 * x" in view.definition
        assert view.to_dict()["code"]["vector_bits"] >= 0
        assert "twice_f32" in printed(kernel_table())


def test_a_kernel_that_only_moves_numbers_has_no_definition():
    assert sn.show_kernel("swap_axes_f32").definition == ""


def test_a_part_of_a_name_leads_to_the_whole():
    with pytest.raises(SparsenetError, match=r"got 'csc_active'; did you mean 'linear_f32_csc_active'"):
        sn.show_kernel("csc_active")


def test_the_list_has_all_kernels():
    assert kernel_table().row_count == len(kernels())


@pytest.mark.parametrize("columns", [40, 60, 80, 140])
def test_source_keeps_its_indentation_in_any_terminal(columns):
    call = "g(x, 'a long text that has many words in it', second_argument=1, third=2)"
    code = f"def f(x):\n    if x:\n        return {call}\n"
    console = Console(file=io.StringIO(), width=columns)
    console.print(PythonSource(code))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[:2] == ["def f(x):", "    if x:"]
    assert lines[2].startswith("        return g(x,")
    assert all(line.startswith(" " * 12) for line in lines[3:] if line)
    assert "".join("".join(lines).split()) == "".join(code.split())


@given(code=st.text(st.characters(codec="ascii", exclude_categories=("C",)), max_size=200), columns=st.integers(2, 40))
def test_no_letter_of_a_source_is_lost(code, columns):
    console = Console(file=io.StringIO(), width=columns)
    console.print(PythonSource(code))
    assert "".join(console.file.getvalue().split()) == "".join(code.split())


def test_source_in_notebooks_is_highlighted_in_letters_of_one_width():
    html = show_kernel("linear_f32_csc_active")._repr_html_()
    source = html[html.index("<pre") : html.index("</pre>")]
    assert "monospace" in source
    assert "color:" in source
    assert "\n    <span" in source or "\n    " in source
    assert "<br>" not in source


def test_the_list_fits_narrow_terminals_and_repeats_nothing():
    console = Console(file=io.StringIO(), width=80)
    console.print(kernel_table(80))
    rows = console.file.getvalue().splitlines()
    assert len(rows) <= len(kernels()) + 8  # a line each
    assert not any("comes with" in row for row in rows)
    for row in kernel_rows():
        assert sum(row["name"] in line.split() for line in rows) == 1
