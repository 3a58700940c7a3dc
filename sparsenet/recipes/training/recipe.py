"""All settings of a training, in one record that can be saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sparsenet.errors import SparsenetError

__all__ = ["CHANNELS", "MaskChoice", "Recipe", "dense_recipe"]

CHANNELS = 64
"""The channels of both convolutions of the reference network."""


@dataclass(frozen=True)
class MaskChoice:
    """Which weights of a layer are kept.

    Parameters
    ----------
    family : str
        One of ``sparsenet.packing.masks.FAMILIES``.
    density : float
        Fraction kept.
    per_group : int
        Inputs kept of each group, for families that have such a setting; 0 leaves it to the family.
    """

    family: str
    density: float
    per_group: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1:
            raise SparsenetError(f"expected density in (0, 1], got {self.density}; did you pass a percentage?")


@dataclass(frozen=True)
class Recipe:
    """Say how the reference network is trained; the default gives the network that the engine runs fastest.

    Parameters
    ----------
    held_out : tuple of str
        Real people whose recordings are not trained on.
    active : (int, int, int) or None
        Winners among the channels after each convolution and among the hidden units; None for ReLU.
    hidden : int
        Units of the hidden linear layer.
    conv2, linear : MaskChoice or None
        Masks of the second convolution and of the hidden layer; None keeps every weight.
    epochs, batch : int
    learning_rate : float
        The highest of the one-cycle schedule, reached after ``warm_up`` of all steps.
    weight_decay, label_smoothing, warm_up : float
    unknown_share, silence_share : float
        Clips of other words and of noise in an epoch, for each clip of a digit.
    teachers : tuple of str
        Paths of float32 networks whose mean answer is learned from beside the labels; none without.
    teacher_weight, temperature : float
        Share of the teachers in the loss, and what all scores are divided by there.
    falling_k_epochs : int
        Epochs in which the winners fall from half of the units to ``active``.
    masks_from_teacher : bool
        Keep what is largest in the first teacher's weights, within the family, instead of what chance gives.
    regrow_epochs : int
        Epochs in which, after each, a part of a mask's units moves to where the gradient is largest.
    regrow_share : float
        The part that moves at first; it falls to zero along a cosine.
    rounded_epochs : int
        Epochs after all others in which the network computes as its 8-bit form will, at small steps.
    seed, mask_seed : int
    bfloat16 : bool
        Multiply in bfloat16, two to three times faster where the processor has AMX.

    Raises
    ------
    SparsenetError
        When a setting cannot be right.

    Examples
    --------
    >>> Recipe.from_dict(Recipe(epochs=3).to_dict()).epochs
    3
    """

    held_out: tuple[str, ...] = ()
    active: tuple[int, int, int] | None = (6, 8, 150)
    hidden: int = 1500
    conv2: MaskChoice | None = MaskChoice("taps", 0.24)
    linear: MaskChoice | None = MaskChoice("blocks", 0.0325)
    epochs: int = 60
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.05
    warm_up: float = 0.2
    unknown_share: float = 0.2
    silence_share: float = 1 / 12
    teachers: tuple[str, ...] = ()
    teacher_weight: float = 0.7
    temperature: float = 2.0
    falling_k_epochs: int = 20
    masks_from_teacher: bool = False
    regrow_epochs: int = 0
    regrow_share: float = 0.3
    rounded_epochs: int = 0
    seed: int = 0
    mask_seed: int = 0
    bfloat16: bool = True

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 2), ("hidden", 1), ("regrow_epochs", 0), ("rounded_epochs", 0)):
            if getattr(self, name) < least:
                raise SparsenetError(f"expected {name} >= {least}, got {getattr(self, name)}")
        if self.learning_rate <= 0 or not 0 < self.warm_up < 1 or not 0 <= self.teacher_weight <= 1:
            raise SparsenetError(
                "expected learning_rate > 0, warm_up in (0, 1) and teacher_weight in [0, 1], got "
                f"{self.learning_rate}, {self.warm_up} and {self.teacher_weight}"
            )
        if self.masks_from_teacher and not self.teachers:
            raise SparsenetError("expected a teacher whose largest weights are kept, got none")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, fit for JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Recipe:
        """Read what ``to_dict`` gave; settings that are left out keep their default.

        Raises
        ------
        SparsenetError
            When a name is no setting.
        """
        known = [field.name for field in fields(cls)]
        strange = [name for name in mapping if name not in known]
        if strange:
            raise SparsenetError(f"expected settings of {', '.join(known)}; got {strange[0]!r}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in mapping.items()
        }
        for name in ("conv2", "linear"):
            if isinstance(values.get(name), Mapping):
                values[name] = MaskChoice(**values[name])
        return cls(**values)


def dense_recipe(**settings: Any) -> Recipe:
    """Return the recipe of the dense twin: every weight, ReLU, half the step size, fewer epochs.

    Examples
    --------
    >>> dense_recipe(held_out=("ann",)).active is None
    True
    """
    changed: dict[str, Any] = {"active": None, "conv2": None, "linear": None, "epochs": 24, "learning_rate": 1.5e-3}
    return Recipe(**{**changed, "falling_k_epochs": 0, **settings})
