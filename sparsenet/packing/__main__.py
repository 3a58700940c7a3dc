"""Print what building masks in sets saves, as a Markdown table: ``python -m sparsenet.packing``."""

from collections.abc import Sequence

from sparsenet.command_line import Json, print_json, run
from sparsenet.packing.comparison import LAYERS, as_markdown, chance_to_share_nothing, compare
from sparsenet.progress import tracked

WAYS = 6
"""Ways in which each layer is packed."""


def packings(json: Json = False) -> None:
    """Print how many sets masks need that are built in sets, and masks that are not."""
    outcomes = list(tracked(compare(), "packing", None, WAYS * len(LAYERS)))
    chances = {
        layer.name: chance_to_share_nothing(layer.shape[1], round(layer.shape[1] * layer.density)) for layer in LAYERS
    }
    if json:
        print_json({"packings": [one.to_dict() for one in outcomes], "chance_to_share_nothing": chances})
        return
    print(as_markdown(outcomes))
    print("\nHow likely two outputs of a random mask are to share no input:")
    for name, chance in chances.items():
        print(f"- {name}: {chance:.1g}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    run(packings, "python -m sparsenet.packing", arguments)


if __name__ == "__main__":
    main()
