"""Print what building masks in sets saves, as a Markdown table: ``python -m sparsenet.packing``."""

from sparsenet.packing.comparison import LAYERS, as_markdown, chance_to_share_nothing, compare


def main() -> None:
    """Run the comparison and print it."""
    print(as_markdown(list(compare())))
    print("\nHow likely two outputs of a random mask are to share no input:")
    for layer in LAYERS:
        chance = chance_to_share_nothing(layer.shape[1], round(layer.shape[1] * layer.density))
        print(f"- {layer.name}: {chance:.1g}")


if __name__ == "__main__":
    main()
