"""Reports of networks in which nothing is left: no winners, no weights, one input, samples of zeros."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

import sparsenet as sn
from sparsenet.explain.roofline import roofline
from sparsenet.explain.work import total, work

RANDOM = np.random.default_rng(0)
LINEAR = RANDOM.standard_normal((8, 40))
KERNEL = RANDOM.standard_normal((4, 2, 3, 3))
AFTER = RANDOM.standard_normal((3, 64))

NETWORKS = {
    "no winners before weights": ((40,), [sn.KWinners(0), sn.Linear(LINEAR)]),
    "no winners alone": ((40,), [sn.KWinners(0)]),
    "no winners at the end": ((40,), [sn.Linear(LINEAR), sn.KWinners(0)]),
    "no winners before images": ((2, 6, 6), [sn.KWinners(0, scope="channels"), sn.Conv2d(KERNEL), sn.ReLU()]),
    "no winners of all": ((2, 6, 6), [sn.KWinners(0), sn.Conv2d(KERNEL), sn.Flatten(), sn.Linear(AFTER)]),
    "all weights zero": ((40,), [sn.KWinners(4), sn.Linear(0 * LINEAR), sn.KWinners(2)]),
    "all of an image's weights zero": ((2, 6, 6), [sn.Conv2d(0 * KERNEL), sn.KWinners(2, scope="channels")]),
    "no weights": ((4,), [sn.ReLU()]),
    "only an order": ((2, 3, 3), [sn.Flatten()]),
    "one input": ((1,), [sn.Linear([[1.0]])]),
    "one input, no winner, no weight": ((1,), [sn.KWinners(0), sn.Linear([[0.0]])]),
    "one pixel": ((1, 1, 1), [sn.Conv2d(np.ones((1, 1, 1, 1)))]),
}


def shown(report):
    """Print a report in every way that it has; give what a terminal shows."""
    console = Console(file=io.StringIO(), width=80)
    console.print(report)
    if hasattr(report, "to_dict"):
        json.dumps(report.to_dict(), allow_nan=False)
    assert repr(report)
    assert report._repr_html_()
    return console.file.getvalue()


@pytest.fixture(params=NETWORKS)
def net(request):
    return sn.Network.sequential(*NETWORKS[request.param])


@pytest.mark.parametrize("byte", [False, True], ids=["float32", "int8"])
def test_every_report_is_a_table(net, byte):
    x = np.ones((4, *net.input_shape), np.float32)
    if byte:
        if not any(isinstance(node.layer, sn.Conv2d | sn.Linear) for node in net.nodes):
            pytest.skip("nothing to round")
        net = sn.quantize(net, np.concatenate([x, -x]))
    engine = sn.compile(net, batch=2, threads=1, planner="predict")
    for samples in (x, x[:1], 0 * x):
        for report in (engine.profile(samples), roofline(engine, samples), engine.explain(samples, measure=False)):
            assert net.nodes[0].name in shown(report)
    shown(engine.explain(measure=False))
    shown(net)
    shown(engine)
    assert total(work(net)).dense >= 0


def test_explain_measures_a_network_without_winners():
    engine = sn.compile(sn.Network.sequential(*NETWORKS["no winners before weights"]), threads=1, planner="predict")
    assert "linear1" in shown(engine.explain(np.ones((2, 40), np.float32)))
