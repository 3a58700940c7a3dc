import json
from itertools import count

import numpy as np
import pytest

from sparsenet.bench.layer_masks import MASKS
from sparsenet.bench.layer_shapes import LayerShape, read_shapes
from sparsenet.bench.layer_ways import CASES, NUMPY, ONNX, SCIPY
from sparsenet.bench.layers import best_row, cells_of, sweep_layers
from sparsenet.bench.peers.in_onnxruntime import has_onnxruntime
from sparsenet.bench.tables import sweep_footnotes, sweep_table
from sparsenet.errors import SparsenetError
from sparsenet_kernels.registry import kernels

pytestmark = pytest.mark.long  # whole sweeps


@pytest.fixture(scope="module")
def sweep():
    shapes = read_shapes("linear 40 50\nconv2d 16 8 6 5 3 3 2 1")
    return sweep_layers(shapes, (0.2,), (0.25,), (1, 3), tuple(MASKS), seconds=0.3, clock=lambda: 0.0)


def test_every_float_kernel_and_the_libraries_take_part(sweep):
    assert sweep.left_out == ()
    listed = {
        kernel.name.partition("__")[0]
        for kernel in kernels().values()
        if kernel.dtype == "f32" and kernel.operation in ("linear", "conv2d") and not kernel.fused
    }
    assert {row.kernel for row in sweep.rows} == listed | {NUMPY, SCIPY} | ({ONNX} if has_onnxruntime() else set())
    assert {row.case for row in sweep.rows} == set(CASES)


def test_everybody_computes_the_layer(sweep):
    # at most 72 products, added up in float32
    assert all(row.largest_error < 72 * np.finfo(np.float32).eps for row in sweep.rows)
    assert all(0 < row.timing.minimum_us <= row.timing.median_us for row in sweep.rows)


def test_a_sweep_as_table_and_json(sweep):
    assert sweep_table(sweep).row_count == 2 * 2 * 2
    assert any("NumPy's BLAS" in line for line in sweep_footnotes(sweep))  # held to one thread, or perhaps not
    shown = json.loads(json.dumps(sweep.to_dict(), allow_nan=False))
    assert len(shown["rows"]) == len(sweep.rows)


def test_without_time_the_first_kernel_of_each_case_is_left():
    found = sweep_layers(read_shapes("linear 16 16"), (0.5,), (0.5,), seconds=0.01, clock=count().__next__)
    assert {row.case for row in found.rows} == set(CASES)
    assert found.left_out
    assert all("--seconds" in one.why for one in found.left_out)


@pytest.mark.parametrize("density", [1.0, 0.5, 0.07, 0.001])
def test_scattered_masks_keep_as_many_for_all(density):
    shape = LayerShape("conv2d", 24, 10, 5, 5, 2, 2)
    mask = MASKS["scattered"](shape, density).reshape(24, 40)
    kept = max(1, round(density * 40))
    assert (mask.sum(1) == kept).all()
    sharing = 40 // kept
    assert (mask[:sharing].sum(0) <= 1).all()


@pytest.mark.parametrize("outputs", [1, 16, 40])
def test_masks_of_blocks_keep_sixteen_outputs_together(outputs):
    mask = MASKS["blocks"](LayerShape("linear", outputs, 50), 0.2)
    assert mask.shape == (outputs, 50)
    assert (mask.sum(1) == 10).all()
    for first in range(0, outputs, 16):
        assert (mask[first : first + 16] == mask[first]).all()


def test_the_best_of_a_case_is_a_kernel_and_a_library_stands_for_itself(sweep):
    for rows in cells_of(sweep).values():
        best = best_row(rows, "dense")
        assert best.timing.median_us == min(row.timing.median_us for row in rows if "dense_dense" in row.kernel)
        assert best_row(rows, NUMPY).kernel == NUMPY
        assert best_row([], SCIPY) is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"densities": (5.0,)}, "percentage"),
        ({"densities": ()}, "density"),
        ({"actives": (0.0,)}, "active"),
        ({"actives": (float("nan"),)}, "active"),
        ({"batches": (0,)}, "batch"),
        ({"batches": ()}, "batch"),
        ({"masks": ("round",)}, "blocks, scattered"),
    ],
)
def test_what_cannot_be_swept_is_an_error(settings, said):
    with pytest.raises(SparsenetError, match=said):
        sweep_layers(read_shapes("linear 4 4"), **settings)
