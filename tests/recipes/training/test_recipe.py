import json

import pytest

from sparsenet.errors import SparsenetError
from sparsenet.recipes.training.recipe import MaskChoice, Recipe, dense_recipe


@pytest.mark.parametrize("recipe", [Recipe(), dense_recipe(held_out=("ann", "bob")), Recipe(teachers=("a", "b"))])
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs >= 1"),
        ({"batch": 1}, "batch >= 2"),
        ({"learning_rate": 0.0}, "learning_rate > 0"),
        ({"teacher_weight": 1.5}, "teacher_weight in"),
        ({"masks_from_teacher": True}, "expected a teacher"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(SparsenetError, match=message):
        Recipe(**settings)


def test_a_percentage_is_recognised():
    with pytest.raises(SparsenetError, match="did you pass a percentage"):
        MaskChoice("taps", 24)


def test_unknown_settings_are_named():
    with pytest.raises(SparsenetError, match="got 'epoch'"):
        Recipe.from_dict({"epoch": 3})
