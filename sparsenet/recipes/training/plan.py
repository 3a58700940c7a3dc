"""The trainings of the study, by name.

dense-without-ann       the dense twin, each person held out in turn; also the teacher of that fold
taps-without-ann        the sparse form with the paper's winners, in every fold
winners-without-ann     the same with twice as many winners: the form that ships
family-...              other masks, on one fold, all trained alike
ingredient-...          the sparse form without, or with, one thing more
final-...               what ships: nobody held out
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sparsenet.recipes.training.recipe import MaskChoice, Recipe, dense_recipe
from sparsenet.recipes.training.run_files import FLOAT32_FILE

__all__ = ["GROUPS", "Run", "planned_runs"]

FOLD_EPOCHS, COMPARED_EPOCHS, FINAL_EPOCHS = 45, 30, 60
MANY_WINNERS = (12, 16, 300)
FALLING_SHARE = 1 / 3
"""The share of epochs that have more winners than the finished network."""

LOOKUP_LINEAR = MaskChoice("partitioned", 0.03, 4)
BLOCKS_LINEAR = MaskChoice("blocks", 0.0325)
FAMILIES: dict[str, tuple[MaskChoice, MaskChoice]] = {
    "taps-24": (MaskChoice("taps", 0.24), BLOCKS_LINEAR),
    "partitioned-25": (MaskChoice("partitioned", 0.25, 16), LOOKUP_LINEAR),
    "partitioned-12": (MaskChoice("partitioned", 0.125, 8), LOOKUP_LINEAR),
    "subsets-25": (MaskChoice("subsets", 0.25), BLOCKS_LINEAR),
    "taps-12": (MaskChoice("taps", 0.12), BLOCKS_LINEAR),
    "uniform-24": (MaskChoice("uniform", 0.24), MaskChoice("uniform", 0.0325)),
    "complementary-25": (MaskChoice("complementary", 0.25), MaskChoice("complementary", 0.03125)),
    "blocks-24": (MaskChoice("blocks", 0.24), BLOCKS_LINEAR),
    "taps-36": (MaskChoice("taps", 0.36), MaskChoice("blocks", 0.0275)),
}
"""Masks of the second convolution and of the hidden layer, in pairs that suit each other.

All keep at most 127,696 weights.
"""


@dataclass(frozen=True)
class Run:
    """One training of the study: its name, which is that of its folder, and its recipe."""

    name: str
    recipe: Recipe

    @property
    def group(self) -> str:
        """The group of the run: the first word of its name."""
        return self.name.partition("-")[0]


GROUPS = ("dense", "taps", "winners", "family", "ingredient", "final")


def planned_runs(folder: Path, people: Sequence[str], fold: str) -> tuple[Run, ...]:
    """List all trainings; teachers come before the networks that learn from them.

    Parameters
    ----------
    folder : Path
        Where the runs' folders are; recipes name their teachers' files in it.
    people : sequence of str
        Real people, each held out in turn.
    fold : str
        The one of them who is held out where a comparison uses one fold.
    """
    dense = [Run(f"dense-without-{who}", dense_recipe(held_out=(who,))) for who in people]
    taps = [Run(f"taps-without-{who}", _taught(folder, who, FOLD_EPOCHS)) for who in people]
    winners = [
        Run(f"winners-without-{who}", replace(_taught(folder, who, COMPARED_EPOCHS), active=MANY_WINNERS))
        for who in people
    ]
    compared = _taught(folder, fold, COMPARED_EPOCHS)
    family = [Run(f"family-{name}", replace(compared, conv2=c, linear=n)) for name, (c, n) in FAMILIES.items()]
    return (*dense, *taps, *winners, *family, *_ingredients(compared), *_finals(folder))


def _taught(folder: Path, who: str, epochs: int) -> Recipe:
    """Return the sparse recipe of a fold, learning from its dense twin."""
    return _with_epochs(Recipe(held_out=(who,), teachers=(_file(folder, f"dense-without-{who}"),)), epochs)


def _with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    return replace(recipe, epochs=epochs, falling_k_epochs=round(epochs * FALLING_SHARE))


def _file(folder: Path, name: str) -> str:
    return str(folder / name / FLOAT32_FILE)


def _ingredients(compared: Recipe) -> list[Run]:
    """List trainings that differ from ``family-taps-24`` in one thing."""
    wider = replace(compared, hidden=2000, active=(6, 8, 200), linear=MaskChoice("blocks", 0.0225))
    changed = {
        "no-teacher": replace(compared, teachers=()),
        "no-falling-k": replace(compared, falling_k_epochs=0),
        "masks-from-teacher": replace(compared, masks_from_teacher=True),
        "regrown": replace(compared, regrow_epochs=round(compared.epochs / 2)),
        "rounded": replace(compared, rounded_epochs=3),
        "wider": wider,
        "more-winners": replace(compared, active=(9, 12, 225)),
        "fewer-winners": replace(compared, active=(4, 6, 100)),
        "longer": _with_epochs(compared, FINAL_EPOCHS),
    }
    return [Run(f"ingredient-{name}", recipe) for name, recipe in changed.items()]


def _finals(folder: Path) -> list[Run]:
    dense = Run("final-dense", dense_recipe())
    sparse = _with_epochs(Recipe(active=MANY_WINNERS, teachers=(_file(folder, dense.name),)), FINAL_EPOCHS)
    return [dense, Run("final-winners", sparse)]
