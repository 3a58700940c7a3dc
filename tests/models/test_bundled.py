"""The networks that ship: they load, they are what they say, and they answer as they did when they were trained.

``golden.npz`` holds features of 24 clips of voices they never heard, and the logits that their trainer gave in float32.
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from same_network import assert_same_network

from sparsenet import models
from sparsenet.errors import ModelFormatError
from sparsenet.graph.summary import density
from sparsenet.layers import KWinners
from sparsenet.storage import to_bytes

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FRONT_END = {"sample_rate_hz": 16000, "samples": 16000, "window": 2048, "hop": 512, "bands": 32, "frames": 32}
FRONT_END |= {"floor_db": -80.0, "offset_db": 40.0, "scale_db": 40.0}
LARGEST_FILE_BYTES = {"spoken-digits": 400_000, "spoken-digits-float32": 700_000, "spoken-digits-dense": 2_600_000}


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).with_name("golden.npz")) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", models.BUNDLED)
def test_each_is_small_and_says_what_it_is(name):
    net = models.load(name)
    assert net.input_shape == (1, 32, 32)
    assert net.labels == ("silence", "unknown", *DIGITS)
    assert net.details["front_end"] == FRONT_END
    assert {"title", "task", "accuracy", "provenance", "licence"} <= set(net.details)
    for row in net.details["accuracy"]:
        assert {"data", "samples", "share_right"} <= set(row)
        assert 0.5 < row["share_right"] <= 1
    assert (files("sparsenet.models") / f"{name}.safetensors").stat().st_size < LARGEST_FILE_BYTES[name]


def test_the_layers_have_the_names_that_are_documented():
    layers = "conv1 pool1 {0}1 conv2 pool2 {0}2 flatten linear1 {0}3 linear2"
    for name, activation in zip(models.BUNDLED, ("winners", "winners", "relu"), strict=True):
        names = [node.name for node in models.load(name).nodes if not node.name.startswith("quantize")]
        assert names == layers.format(activation).split()


def test_the_sparse_one_is_sparse_twice():
    net = models.load("spoken-digits-float32")
    densities = {name: density(net[name]) for name in ("conv1", "conv2", "linear1", "linear2")}
    assert densities == {"conv1": 1.0, "conv2": 0.24, "linear1": 0.0325, "linear2": 1.0}
    winners = [(node.layer.k, node.layer.scope) for node in net.nodes if isinstance(node.layer, KWinners)]
    assert winners == [(12, "channels"), (16, "channels"), (300, "all")]


def test_the_sparse_one_answers_as_its_trainer_did(golden):
    logits = models.load("spoken-digits-float32").reference(golden["features"])
    # float32 sums of up to 1600 terms against float64
    assert np.abs(logits - golden["sparse"]).max() < 1e-4


def test_rounding_to_8_bits_keeps_mask_and_answers(golden):
    exact, rounded = models.load("spoken-digits-float32"), models.load("spoken-digits")
    for name in ("conv1", "conv2", "linear1", "linear2"):
        assert density(rounded[name]) == density(exact[name])
    answers = [net.reference(golden["features"]).argmax(1) for net in (exact, rounded)]
    # 24 clips; over 204 the share was measured when it was made
    assert (answers[0] == answers[1]).mean() > 0.8


def test_the_dense_one_answers_almost_as_its_trainer_did(golden):
    net = models.load("spoken-digits-dense")
    logits = net.reference(golden["features"])
    # int8 storage: the largest difference over 204 clips was measured when it was made
    assert np.abs(logits - golden["dense"]).max() <= net.details["int8_storage"]["largest_logit_difference"] + 1e-4
    assert np.array_equal(logits.argmax(1), golden["dense"].argmax(1))


@pytest.mark.parametrize("name", models.BUNDLED)
def test_most_of_the_clips_are_heard_right(name, golden):
    net = models.load(name)
    heard = np.array(net.labels)[net.reference(golden["features"]).argmax(1)]
    assert (heard == golden["said"]).mean() > 0.75


def test_paths_load_too(tmp_path, monkeypatch):
    net = models.load("spoken-digits")
    path = tmp_path / "spoken-digits"
    path.write_bytes(to_bytes(net))
    assert_same_network(models.load(path), net)
    monkeypatch.chdir(tmp_path)
    path.write_bytes(b"a file of that name")
    assert_same_network(models.load("spoken-digits"), net)
    with pytest.raises(ModelFormatError):
        models.load("./spoken-digits")


def test_unknown_names_list_the_bundled_ones():
    expected = "one of spoken-digits, spoken-digits-float32, spoken-digits-dense, got 'spoken-letters'"
    with pytest.raises(FileNotFoundError, match=expected):
        models.load("spoken-letters")
