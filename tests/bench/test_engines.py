import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

import sparsenet
from sparsenet.bench import contenders
from sparsenet.bench.compare import LeftOut
from sparsenet.bench.contenders import Entrant, entrants, missing_peers
from sparsenet.bench.engines import compare_engines
from sparsenet.bench.inputs import inputs_for
from sparsenet.bench.peers import Peer
from sparsenet.bench.plots import plot_comparison
from sparsenet.bench.tables import comparison_footnotes, comparison_table
from sparsenet.bench.twin import dense_twin, is_float, original_of, twin_of
from sparsenet.errors import CompileError, SparsenetError
from sparsenet.graph.network import Network
from sparsenet.layers import Conv2d, Flatten, KWinners, Linear, ReLU
from sparsenet.models import BUNDLED, load


class ReferenceEngine:
    def __init__(self, network):
        self.network = network

    def __call__(self, x):
        return self.network.reference(x).astype(np.float32)


def as_it_is(net, calibration):
    return net


def by_meaning(net, batch, threads):
    return ReferenceEngine(net)


def never(net, batch, threads):
    raise OSError("no such\nlibrary")


def all_zero(net, batch, threads):
    return lambda x: np.zeros((len(x), *net.output_shape), np.float32)


PEERS = (
    Peer("good", "float32", ("numpy",), as_it_is, by_meaning, "is slow"),
    Peer("alone", "float32", ("numpy",), as_it_is, by_meaning, "", most_threads=1),
    Peer("broken", "float32", ("numpy",), as_it_is, never, ""),
    Peer("wrong", "int8", ("numpy",), as_it_is, all_zero, ""),
    Peer("absent", "float32", ("no-such-engine-of-anyone",), as_it_is, never, ""),
)


def small():
    random = np.random.default_rng(0)
    weight = random.standard_normal((6, 12)) * (random.random((6, 12)) < 0.5)
    return Network.sequential((12,), [KWinners(4), Linear(weight), KWinners(2)])


@pytest.fixture
def found(monkeypatch):
    """A race of engines that compute the reference, against peers that are made up."""
    import sparsenet.bench.engines as module

    monkeypatch.setattr(sparsenet, "compile", lambda net, **_: ReferenceEngine(net))
    monkeypatch.setattr(sparsenet, "quantize", lambda net, *_, **__: net)
    monkeypatch.setattr(contenders, "PEERS", PEERS)
    monkeypatch.setattr(module, "PEERS", PEERS)
    monkeypatch.setattr(module, "missing_peers", lambda: missing_peers(PEERS))
    monkeypatch.setattr(import_module("sparsenet.bench.compare"), "BUSY_S", 0.001)
    return compare_engines("mine", small(), (2, 1, 1), (1, 2), rounds=1, longest_s=0.01)


def test_everybody_is_in_every_block(found):
    blocks = {(row.batch, row.threads) for row in found.rows}
    assert blocks == {(1, 1), (1, 2), (2, 1), (2, 2)}
    for batch, threads in blocks:
        names = [
            (row.network, row.engine, row.dtype) for row in found.rows if (row.batch, row.threads) == (batch, threads)
        ]
        here = [("as given", "sparsenet", "float32"), ("dense twin", "sparsenet", "float32")]
        here += [("as given", "sparsenet", "int8"), ("dense twin", "sparsenet", "int8")]
        peers = [("good", "float32"), *([("alone", "float32")] if threads == 1 else []), ("wrong", "int8")]
        assert names == here + [(role, *peer) for peer in peers for role in ("as given", "dense twin")]


def test_answers_are_held_against_the_reference(found):
    for row in found.rows:
        if row.engine == "wrong":
            assert row.largest_error == 1.0
        else:
            assert row.right == row.of
            assert row.largest_error < 1e-6


def test_numbers_follow_from_the_readings(found):
    for row in found.rows:
        assert row.samples_per_s == pytest.approx(row.batch / row.timing.median_us * 1e6)
        first = next(one for one in found.rows if (one.batch, one.threads) == (row.batch, row.threads))
        assert row.times_the_first == pytest.approx(row.timing.minimum_us / first.timing.minimum_us)


def test_who_does_not_take_part_is_named_with_the_reason(found):
    why = {one.who: one.why for one in found.left_out}
    assert why["absent float32"] == "pip install no-such-engine-of-anyone"
    assert why["as given, broken float32"] == "OSError: no such"
    assert why["as given, alone float32, 2 threads"] == "uses 1 at most"
    assert any("good float32: is slow" in text for text in found.unequal)


def test_a_race_as_table_and_json(found):
    assert comparison_table(found).row_count == len(found.rows)
    lines = comparison_footnotes(found)
    left_out = [line for line in lines if line.startswith("Left out, ")]
    assert len(left_out) == len({one.why for one in found.left_out})
    assert all(any(one.who in line and one.why in line for line in left_out) for one in found.left_out)
    assert any(line.startswith("Measured on ") for line in lines)
    shown = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(shown["rows"]) == len(found.rows)
    assert shown["info"]["machine"]["features"] is not None


def test_a_race_as_a_figure(found, tmp_path):
    plot_comparison(found, tmp_path / "race.svg")
    assert "<svg" in (tmp_path / "race.svg").read_text(encoding="utf-8")[:2000]
    with pytest.raises(SparsenetError, match="nonsense"):
        plot_comparison(found, tmp_path / "race.nonsense")


def test_many_batches_become_lines(found, tmp_path):
    many = [replace(row, batch=batch) for row in found.rows for batch in (1, 2, 4, 8)]
    plot_comparison(replace(found, rows=tuple(many)), tmp_path / "race.svg")
    drawn = (tmp_path / "race.svg").read_text(encoding="utf-8")
    assert 'id="legend_1"' in drawn
    plot_comparison(found, tmp_path / "race.svg")
    assert 'id="legend_1"' not in (tmp_path / "race.svg").read_text(encoding="utf-8")


def test_a_mistake_of_ours_is_not_left_out():
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Entrant("as given", "sparsenet", "float32", small(), broken, by_meaning).loaded(1, 1)


def test_a_network_that_cannot_be_compiled_is_left_out():
    def cannot(net, batch, threads):
        raise CompileError("too large")

    left = Entrant("as given", "sparsenet", "float32", small(), lambda: None, cannot).loaded(1, 1)
    assert left == LeftOut("as given, sparsenet float32", "too large")


def test_a_quantised_network_runs_here_only():
    x = np.random.default_rng(0).standard_normal((16, 1, 6, 6)).astype(np.float32)
    layers = [Conv2d(np.ones((4, 1, 3, 3))), ReLU(), Flatten(), Linear(np.ones((2, 64)))]
    net = sparsenet.quantize(Network.sequential((1, 6, 6), layers), x, progress=False)
    assert [(one.engine, one.dtype) for one in entrants({"as given": net}, x)] == [("sparsenet", "int8")]
    assert twin_of("mine", net) is None
    assert original_of("mine", net) is None


def test_the_twin_has_no_zeros_and_no_winners():
    twin = dense_twin(small())
    assert np.count_nonzero(twin["linear1"].weight) == 72
    kept = small()["linear1"].weight != 0
    np.testing.assert_array_equal(twin["linear1"].weight[kept], small()["linear1"].weight[kept])
    assert not any(isinstance(node.layer, KWinners) for node in twin.nodes)
    assert twin_of("mine", twin) is None


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_networks_have_a_float_form_and_a_trained_twin(name):
    net = load(name)
    original = original_of(name, net)
    assert is_float(net) == (original is None)
    if name != "spoken-digits-dense":
        assert is_float(twin_of(name, net)[0])


def test_inputs_are_many_and_different_from_those_of_calibration():
    inputs = inputs_for(small(), 200)
    assert inputs.timed.shape == (400, 12)
    assert not np.isin(inputs.timed[:, 0], inputs.calibration[:, 0]).any()


def test_a_network_for_sounds_is_fed_with_sounds():
    pytest.importorskip("soundfile", reason="needs the extra speech")
    inputs = inputs_for(load("spoken-digits"), 1)
    assert "recordings" in inputs.text
    assert inputs.timed.shape[1:] == load("spoken-digits").input_shape
    assert np.ptp(inputs.timed, axis=(1, 2, 3)).max() > 0


@pytest.mark.parametrize(("batches", "threads"), [((), (1,)), ((1,), ()), ((0,), (1,)), ((1,), (-1,))])
def test_nothing_to_combine_is_an_error(batches, threads):
    with pytest.raises(SparsenetError, match="expected batches and threads"):
        compare_engines("mine", small(), batches, threads)
