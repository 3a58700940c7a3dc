"""Files that version 0.1.0 wrote load for ever, and hold the same networks: the folder holds what it wrote then."""

from pathlib import Path

import numpy as np
import pytest
from same_network import assert_same_network
from storage import samples

import sparsenet as sn
from sparsenet.storage import from_bytes, to_bytes

FILES = sorted(Path(__file__).with_name("written_by_0_1_0").glob("*.safetensors"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_of_0_1_0_load_and_mean_the_same(path):
    name, weights = path.stem.split("-")
    net = sn.load(path)
    made = getattr(samples, name)()
    assert_same_network(net, from_bytes(to_bytes(made, weights)))
    x = np.random.default_rng(0).uniform(-1, 1, (2, *net.input_shape))
    assert np.isfinite(net.reference(x)).all()


def test_they_hold_every_kind_of_layer_that_there_was():
    kinds = {type(node.layer).__name__ for path in FILES for node in sn.load(path).nodes}
    kinds |= {type(node.layer).__name__ for node in sn.load("spoken-digits").nodes}  # written before 0.1.0, too
    assert len(kinds) >= 17
