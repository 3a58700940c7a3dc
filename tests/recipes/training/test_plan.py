import numpy as np
import pytest

from sparsenet.packing.masks import FAMILIES
from sparsenet.recipes.training.plan import GROUPS, planned_runs
from sparsenet.recipes.training.recipe import CHANNELS

PEOPLE = ("ann", "bob", "eve")
MOST_WEIGHTS = 127_696  # of the published network, with the biases of its convolutions


@pytest.fixture
def runs(tmp_path):
    return planned_runs(tmp_path, PEOPLE, "bob")


def test_names_are_of_known_groups_and_differ(runs):
    assert {run.group for run in runs} == set(GROUPS)
    assert len({run.name for run in runs}) == len(runs)


def test_teachers_come_first_and_never_heard_who_is_held_out(runs, tmp_path):
    done = {}
    for run in runs:
        for path in run.recipe.teachers:
            name = path.removeprefix(str(tmp_path)).replace("\\", "/").split("/")[1]
            assert done[name].held_out == run.recipe.held_out
        done[run.name] = run.recipe


def test_every_fold_is_there(runs):
    for group in ("dense", "taps", "winners"):
        assert [run.recipe.held_out for run in runs if run.group == group] == [(who,) for who in PEOPLE]
    assert all(run.recipe.held_out == () for run in runs if run.group == "final")


def kept(choice, shape, **settings):
    if choice.per_group:
        settings["per_group"] = choice.per_group
    return FAMILIES[choice.family](shape, choice.density, **settings).kept


def test_sparse_networks_stay_below_the_published_count(runs):
    counted = {}
    for run in runs:
        recipe = run.recipe
        if recipe.conv2 is None:
            continue
        key = (recipe.conv2, recipe.linear, recipe.hidden)
        if key not in counted:
            conv2 = kept(recipe.conv2, (CHANNELS, CHANNELS, 5, 5))
            linear = kept(recipe.linear, (recipe.hidden, CHANNELS * 25), channels=CHANNELS)
            counted[key] = 25 * CHANNELS + conv2 + linear + 12 * recipe.hidden + 2 * CHANNELS
    assert len(counted) > 5
    assert np.max(list(counted.values())) <= MOST_WEIGHTS
