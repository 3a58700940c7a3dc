import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, the extra train")

from recipes.training.toy import toy_recipe, toy_words  # noqa: E402

from sparsenet.errors import SparsenetError  # noqa: E402  after the skip
from sparsenet.recipes.training.data import training_data  # noqa: E402
from sparsenet.recipes.training.evaluate import kept_weights  # noqa: E402
from sparsenet.recipes.training.fit import fit  # noqa: E402
from sparsenet.recipes.training.model import as_module, as_network, build_model, masks_of, set_active  # noqa: E402
from sparsenet.recipes.training.recipe import dense_recipe  # noqa: E402
from sparsenet.recipes.training.run import train  # noqa: E402
from sparsenet.storage import load  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class CutOffError(Exception):
    pass


def cut_off_after(epoch):
    def tell(told):
        if told.number == epoch:
            raise CutOffError

    return tell


@pytest.mark.parametrize("settings", [{}, {"regrow_epochs": 3}], ids=["fixed masks", "regrown masks"])
def test_resumed_training_is_that_which_was_never_cut_off(tmp_path, settings):
    recipe = toy_recipe(epochs=4, **settings)
    data = training_data(toy_words(), recipe)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir(), cut.mkdir()
    wanted = fit(recipe, data, whole)
    with pytest.raises(CutOffError):
        fit(recipe, data, cut, tell=cut_off_after(1))
    told = []
    got = fit(recipe, data, cut, tell=told.append)
    assert [epoch.number for epoch in told] == [2, 3]
    assert [epoch.loss for epoch in got.history] == [epoch.loss for epoch in wanted.history]
    for (name, left), right in zip(wanted.model.state_dict().items(), got.model.state_dict().values(), strict=True):
        assert torch.equal(left, right), name


def test_checkpoint_of_another_recipe_is_refused(tmp_path):
    recipe = toy_recipe(epochs=1)
    data = training_data(toy_words(), recipe)
    fit(recipe, data, tmp_path)
    with pytest.raises(SparsenetError, match="another folder or delete"):
        fit(toy_recipe(epochs=2), data, tmp_path)


def test_regrown_masks_move_and_keep_their_count(tmp_path):
    recipe = toy_recipe(epochs=3, regrow_epochs=2)
    masks = masks_of(recipe)
    model = fit(recipe, training_data(toy_words(), recipe), tmp_path).model
    for name, mask in masks.items():
        now = getattr(model, name).mask.numpy()
        assert now.sum() == mask.kept
        assert not np.array_equal(now, mask.keep), name


def test_winners_fall_to_what_was_asked_for():
    recipe = toy_recipe(epochs=8, falling_k_epochs=4)
    model = build_model(recipe, masks_of(recipe))
    found = []
    for epoch in range(8):
        set_active(model, recipe, epoch)
        found.append((model.winners1.k, model.winners2.k, model.winners3.k))
    assert found[0] == (32, 32, 16)  # half of 64 channels and of 32 units
    assert found == sorted(found, reverse=True)
    assert found[4:] == [(6, 8, 8)] * 4


def test_a_teacher_gives_its_network_s_scores():
    recipe = dense_recipe(hidden=24)
    model = build_model(recipe, {}).eval()
    network = as_network(model)
    x = np.random.default_rng(0).uniform(-1, 1, (3, 1, 32, 32)).astype(np.float32)
    with torch.no_grad():
        taught, scores = as_module(network)(torch.from_numpy(x)).numpy(), model(torch.from_numpy(x)).numpy()
    # float32 sums of up to 1,600 products: a few hundred roundings of 6e-8 at values of order one
    assert taught == pytest.approx(scores, abs=1e-4)
    assert network.reference(x) == pytest.approx(scores, abs=1e-4)
    sparse = as_network(build_model(toy_recipe(), masks_of(toy_recipe())).eval())
    with pytest.raises(SparsenetError, match="expected a dense teacher"):
        as_module(sparse)


def test_a_run_learns_exports_and_measures(tmp_path):
    words = toy_words()
    dense = train(toy_recipe(epochs=3, active=None, conv2=None, linear=None), words, tmp_path / "dense")
    teacher = str(tmp_path / "dense" / "network.safetensors")
    recipe = toy_recipe(epochs=20, teachers=(teacher,), falling_k_epochs=2, teacher_weight=0.3, unknown_share=1.0)
    results = train(recipe, words, tmp_path / "sparse")
    assert results == json.loads((tmp_path / "sparse" / "results.json").read_text())
    assert results["accuracy"]["bob"]["float32"]["share_right"] > 0.6  # a third by chance
    assert results["accuracy"].keys() == dense["accuracy"].keys() == {"validation", "test", "bob"}
    assert results["export_difference"] < 1e-3  # scores of order ten, sums of 1,600 roundings
    network, int8 = (load(tmp_path / "sparse" / name) for name in ("network.safetensors", "network-int8.safetensors"))
    assert kept_weights(network) == kept_weights(int8) == results["kept_weights"]
    assert kept_weights(network) == 1600 + 6 * 64 * 64 + 32 * 64 + 12 * 32
    assert int8.byte_valued


def test_rounded_epochs_follow_and_keep_the_masks(tmp_path):
    recipe = toy_recipe(epochs=3, rounded_epochs=2)
    results = train(recipe, toy_words(), tmp_path)
    assert [epoch["number"] for epoch in results["history"]] == list(range(5))
    network, masks = load(tmp_path / "network.safetensors"), masks_of(recipe)
    for name, mask in masks.items():
        assert np.array_equal(network[name].weight != 0, mask.keep), name
    assert results["export_difference"] < 1e-3  # as above
