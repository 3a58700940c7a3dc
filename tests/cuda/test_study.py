"""The study: what it counts, what its page says, that it goes on where it was; times come from a device only."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import sparsenet as sn
from sparsenet.bench.studies.gpu import gpu_study
from sparsenet.bench.studies.gpu.counts import counts_of
from sparsenet.bench.studies.gpu.forms import FORMS, deviation
from sparsenet.bench.studies.gpu.layer import WHOLE, GpuLayer, GpuSweep, inputs_of, pack_random
from sparsenet.bench.studies.gpu.limits import advantage, binding
from sparsenet.bench.studies.gpu.page import as_markdown, plot_crossover
from sparsenet.bench.studies.gpu.peers import PEERS
from sparsenet.cli import main
from sparsenet_kernels.cuda.api import is_simulated, missing
from sparsenet_kernels.formats import Complementary

PAGE = Path(__file__).parents[2] / "notebooks" / "gpu.md"
WRITTEN_AS = {
    "sparse twice": "active",
    "sparse twice, eight samples together": "batched",
    "compressed rows": "csr",
    "dense": "dense",
}
SMALL = GpuSweep((9,), (0.3,), (0.5,), (1, 2))
LIMITS = {
    "copy_bytes_per_s": 2e12,
    "multiply_adds_per_s": {"cuBLAS float32": 2e13},
    "launch": {"device_us": 2.0, "host_us": 9.0},
}


@pytest.mark.parametrize(("size", "per_set"), [(6, 2), (7, 3), (12, 12), (5, 1), (20, 7)])
def test_random_layers_are_complementary(size, per_set):
    packed = pack_random(size, per_set)
    sets = np.arange(size, dtype=np.int32) // per_set
    Complementary((size, size), packed.outputs, packed.weights, sets)  # which checks them
    kept = np.count_nonzero(packed.dense(), axis=1)
    assert kept.max() <= -(-size // per_set)
    assert kept.min() >= size // per_set


def test_counts_of_every_form():
    layer = GpuLayer(size=1600, density=0.04, active=0.125, batch=1)  # the paper's linear layer, square
    assert layer.sets == 64
    assert counts_of("dense", layer).multiplications == 1600 * 1600
    assert counts_of("csr", layer).multiplications == 1600 * 64
    assert counts_of("active", layer).multiplications == 200 * 64
    assert counts_of("active", layer).routed == 200 * 64
    many = GpuLayer(1600, 0.04, 0.125, batch=16)
    assert counts_of("batched", many).bytes == 2 * 1600 * 64 * 8 + 2 * 16 * 1600 * 4


@pytest.mark.parametrize("name", FORMS)
def test_deviation_is_small_for_right_outputs_only(name):
    layer = GpuLayer(30, 0.2, 0.3, 2)
    packed, inputs = pack_random(30, layer.per_set), inputs_of(layer, 0)
    right = inputs.x @ packed.dense().T + packed.bias
    assert deviation(layer, packed, inputs, right) <= 1
    assert deviation(layer, packed, inputs, right + 0.001) > 1


@pytest.mark.usefixtures("device")
def test_study_goes_on_where_it_was(tmp_path):
    path = tmp_path / "study.json"
    begun = gpu_study(path, seconds=0.0, grid=SMALL)
    assert begun["points"] == {}
    assert begun["left"] == ["9 0.3 0.5 1", "9 0.3 0.5 2"]
    first = gpu_study(path, grid=GpuSweep((9,), (0.3,), (0.5,), (1,)))
    steps = []
    whole = gpu_study(path, grid=SMALL, tell=lambda step, done, total: steps.append((step, done, total)))
    assert first["points"].items() <= whole["points"].items()
    assert ("9 0.3 0.5 2", 1, 2) in steps
    assert ("9 0.3 0.5 1", 0, 2) not in steps
    assert json.loads(path.read_text()) == whole
    assert whole["left"] == []


@pytest.mark.usefixtures("device")
@pytest.mark.skipif(not is_simulated(), reason="a device is timed")
def test_nothing_is_timed_in_the_simulator(tmp_path):
    record = gpu_study(tmp_path / "study.json", grid=SMALL)
    assert not any("time" in one for point in record["points"].values() for one in point["contenders"].values())
    page = as_markdown(record)
    assert "Nothing was timed" in page
    assert "µs" not in page


@pytest.mark.usefixtures("device")
def test_studies_of_other_devices_are_left_alone(tmp_path):
    path = tmp_path / "study.json"
    path.write_text('{"device": {"name": "another"}, "points": {}}')
    with pytest.raises(sn.SparsenetError, match="expected a study of this device and these versions"):
        gpu_study(path)
    assert "another" in path.read_text()


@pytest.mark.skipif(not missing(), reason="there is a GPU, or the simulator of one")
def test_without_a_gpu_it_says_so(tmp_path):
    with pytest.raises(sn.CompileError, match="expected a CUDA GPU, got none"):
        gpu_study(tmp_path / "study.json")


def made_up(batch, ours_us, **others_us):
    """Make a point as a device would give it, with times that nobody measured."""
    layer = GpuLayer(256, 0.05, 0.1, batch)
    times = dict.fromkeys(FORMS, ours_us + 1) | {"sets": ours_us} | others_us
    return {
        "layer": layer.to_dict(),
        "contenders": {
            name: {"time": {"median_us": time_us}, **counts_of(PEERS.get(name, "active"), layer).to_dict()}
            for name, time_us in times.items()
        },
    }


def test_advantage_is_over_the_best_dense():
    point = made_up(1, 10.0, **{"cuBLAS float32": 30.0, "cuBLAS bfloat16": 20.0, "cuSPARSE CSR": 5.0})
    assert advantage(point) == 2.0
    assert advantage(point, ["cuSPARSE CSR"]) == 0.5
    assert advantage(made_up(1, 10.0)) is None


@pytest.mark.parametrize(
    ("ours_us", "others", "limit"),
    [
        (2.9, {}, "launch"),
        (50.0, {"cuBLAS float32": 60.0, "cuBLAS bfloat16": 9.0}, "tensor cores"),
        (50.0, {"cuBLAS float32": 9.0, "cuBLAS bfloat16": 9.0}, "routing"),
        (50.0, {}, "routing"),
    ],
)
def test_the_limit_that_binds(ours_us, others, limit):
    assert binding(made_up(1, ours_us, **others), LIMITS) == limit


def test_memory_binds_where_bytes_take_the_time():
    point = made_up(1, 50.0)
    asked = point["contenders"]["sets"]["bytes"]
    assert binding(point, {**LIMITS, "copy_bytes_per_s": asked / 40e-6}) == "memory"


def test_page_of_a_device():
    points = [made_up(1, 10.0, **{"cuBLAS float32": 30.0}), made_up(8, 10.0, **{"cuBLAS float32": 5.0})]
    record = {
        "sparsenet": "1",
        "versions": {"torch": "2"},
        "device": {"name": "a GPU", "simulated": False},
        "limits": LIMITS,
        "network": [{"batch": 1, "sparsenet": {"median_us": 3.0}, "call_us": 70.0}],
        "points": {str(number): point for number, point in enumerate(points)},
        "left": ["more"],
    }
    page = as_markdown(record)
    assert "3.00 (routing)" in page
    assert "0.50 (routing)" in page
    assert "1 points were not reached" in page
    assert "2,000 GB/s" in page


def test_crossover_is_drawn(tmp_path):
    points = [made_up(1, 10.0, **{"cuBLAS float32": 30.0}), made_up(8, 10.0, **{"cuBLAS float32": 5.0})]
    plot_crossover({"points": dict(enumerate(points))}, tmp_path / "map.svg")
    assert "times as fast as the best of" in (tmp_path / "map.svg").read_text(encoding="utf-8")


def test_nothing_is_drawn_without_times(tmp_path):
    with pytest.raises(sn.SparsenetError, match="expected a study with times of dense layers"):
        plot_crossover({"points": {"only ours": made_up(1, 10.0)}}, tmp_path / "map.svg")


@pytest.mark.skipif(not missing(), reason="there is a GPU, or the simulator of one")
def test_command_says_what_is_missing(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main(["gpu-study", "--record", str(tmp_path / "study.json")])
    assert left.value.code == 2
    assert "expected a CUDA GPU, got none" in capsys.readouterr().err


@pytest.mark.usefixtures("device")
@pytest.mark.skipif(not is_simulated(), reason="a device takes minutes")
def test_command_writes_record_and_page(tmp_path):
    with pytest.raises(SystemExit) as left:
        main(["gpu-study", "--record", str(tmp_path / "a.json"), "--page", str(tmp_path / "a.md"), "--seconds", "0"])
    assert left.value.code == 0
    assert json.loads((tmp_path / "a.json").read_text())["points"] == {}
    assert "By count, at real sizes" in (tmp_path / "a.md").read_text(encoding="utf-8")


def test_the_written_answer_has_the_right_counts():
    rows = re.findall(r"^\| (\d+) \| (.*?) \| (.*) \| (.*) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    assert len(rows) == 11
    for batch, form, *numbers in rows:
        counted = counts_of(WRITTEN_AS[form], GpuLayer(2048, 0.05, 0.1, int(batch)))
        assert [int(number.replace(",", "")) for number in numbers] == list(vars(counted).values())


def test_the_sweep_is_the_one_that_was_asked_for():
    assert min(WHOLE.sizes), max(WHOLE.sizes) == (256, 8192)
    assert (min(WHOLE.batches), max(WHOLE.batches)) == (1, 512)
    assert len(WHOLE.layers()) == len({layer.key for layer in WHOLE.layers()}) == 480
