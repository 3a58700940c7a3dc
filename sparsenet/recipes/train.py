"""``python -m sparsenet.recipes.train``: train the reference network of spoken digits.

    python -m sparsenet.recipes.train --words words.npz --out runs/dense --dense
    python -m sparsenet.recipes.train --words words.npz --out runs/sparse --teacher runs/dense/network.safetensors
    python -m sparsenet.recipes.train --words words.npz --out runs/other --recipe recipe.json

A training that is cut off goes on where it was when the same command is given again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparsenet.command_line import run
from sparsenet.progress import telling
from sparsenet.recipes.prepared import PreparedWords
from sparsenet.recipes.training.recipe import MaskChoice, Recipe, dense_recipe

if TYPE_CHECKING:
    from sparsenet.recipes.training.fit import Epoch

__all__ = ["main", "train_words"]


def train_words(
    words: Annotated[Path, typer.Option(help="What python -m sparsenet.recipes.prepare wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the networks, the checkpoint and results.json.")],
    dense: Annotated[bool, typer.Option("--dense", help="Every weight, and ReLU.")] = False,
    recipe: Annotated[Path | None, typer.Option(help="JSON of a recipe; the options below change it.")] = None,
    held_out: Annotated[str, typer.Option(help="People not to train on, with commas between.")] = "",
    conv2: Annotated[str, typer.Option(help="Mask of the second convolution: FAMILY:DENSITY[:PER_GROUP].")] = "",
    linear: Annotated[str, typer.Option(help="Mask of the hidden layer: FAMILY:DENSITY[:PER_GROUP].")] = "",
    teacher: Annotated[list[Path] | None, typer.Option(help="A dense network to learn from; may be repeated.")] = None,
    epochs: Annotated[int, typer.Option(help="0: as the recipe has it.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Of weights and epochs.")] = None,
    recordings: Annotated[Path | None, typer.Option(help="Folder of people's recordings, for the noise sweep.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Cores that PyTorch uses; results may depend on it.")] = 1,
) -> None:
    """Train the reference network, dense or sparse twice; continue a training that was cut off."""
    begun = _begun(recipe, dense)
    changes: dict[str, Any] = {
        "held_out": tuple(name for name in held_out.split(",") if name),
        "conv2": _mask_choice(conv2),
        "linear": _mask_choice(linear),
        "teachers": tuple(str(path) for path in teacher or ()),
        "epochs": epochs,
    }
    chosen = replace(begun, **{name: value for name, value in changes.items() if value})
    if seed is not None:
        chosen = replace(chosen, seed=seed)
    _train(chosen, words, out, recordings, threads)


def _begun(recipe: Path | None, dense: bool) -> Recipe:
    if recipe is None:
        return dense_recipe() if dense else Recipe()
    if dense:
        raise typer.BadParameter("expected --dense or --recipe, got both")
    return Recipe.from_dict(json.loads(recipe.read_text(encoding="utf-8")))


def _mask_choice(text: str) -> MaskChoice | None:
    """Read ``FAMILY:DENSITY`` or ``FAMILY:DENSITY:PER_GROUP``."""
    if not text:
        return None
    family, *numbers = text.split(":")
    try:
        density, per_group = float(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
    except (ValueError, IndexError):
        raise typer.BadParameter(f"expected a mask as taps:0.24 or partitioned:0.25:16, got {text!r}") from None
    return MaskChoice(family, density, per_group)


def _train(recipe: Recipe, words: Path, out: Path, recordings: Path | None, threads: int) -> None:
    _require_torch()
    import torch

    from sparsenet.recipes.training.run import train

    torch.set_num_threads(threads)
    prepared = PreparedWords.load(words)
    with _telling_epochs(recipe.epochs + recipe.rounded_epochs) as tell:
        results = train(recipe, prepared, out, recordings, tell)
    for name, of_set in results["accuracy"].items():
        shares = ", ".join(f"{key} {by['share_right']:.1%}" for key, by in of_set.items())
        print(f"{name}: {shares} of {next(iter(of_set.values()))['samples']:,}")


def _require_torch() -> None:
    """Fail where PyTorch is missing, in the words of the package that says what to install."""
    import sparsenet.nn  # noqa: F401


@contextmanager
def _telling_epochs(epochs: int) -> Iterator[Callable[[Epoch], None]]:
    """Show each epoch: as a bar in a terminal, as a line elsewhere."""
    with telling(None, epochs) as show:

        def tell(epoch: Epoch) -> None:
            said = (
                f"epoch {epoch.number + 1}: loss {epoch.loss:.3f}, {epoch.share_right:.1%} right, {epoch.time_s:.0f} s"
            )
            show(epoch.number + 1, said)
            if not sys.stderr.isatty():
                print(said, file=sys.stderr, flush=True)

        yield tell


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; say in one sentence what went wrong."""
    run(train_words, "python -m sparsenet.recipes.train", arguments)


if __name__ == "__main__":
    main()
