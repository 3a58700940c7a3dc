"""``sparsenet inspect``: what a network is, and how much there is to multiply in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sparsenet.command_line import print_json
from sparsenet.commands.output import results
from sparsenet.explain.work import LayerWork, TotalWork, total, work
from sparsenet.graph.network import Network
from sparsenet.graph.parts import is_one_to_one
from sparsenet.models import load
from sparsenet.renderer import Column, laid_out
from sparsenet.tables import as_share, as_size, network_table, printable

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["inspect_model"]

CARD = ("task", "accuracy", "accuracy_of", "float32", "speed", "provenance", "limits", "licence")
"""What of a network's details people are shown beside its title; ``--json`` has all of it.

``float32`` holds the accuracy of the network before it was rounded to 8 bits.
"""


POSITIONS = (
    "kept weights with a 32-bit position each: more than all of them densely where over half of float32 weights are "
    "kept, or over a fifth of int8 weights; the engine's formats take less"
)


def inspect_model(model: str, as_json: bool) -> None:
    """Print a network's card, its layers and their work."""
    net = load(model)
    if as_json:
        print_json(_as_record(net))
        return
    console = results()
    console.print(_card_table(net.details))
    layers = work(net)
    summed = total(layers)
    console.print(network_table(net))
    console.print(_work_table(layers, summed))
    console.print(_verdict(summed))


def _as_record(net: Network) -> dict[str, Any]:
    layers = work(net)
    summed = total(layers)
    return {
        **_ends(net),
        "labels": list(net.labels),
        "details": dict(net.details),
        "layers": [asdict(row) | {"shape": list(row.shape)} for row in layers],
        "total": asdict(summed)
        | {"weight_sparse_ratio": summed.weight_sparse_ratio, "twice_ratio": summed.twice_ratio},
    }


def _ends(net: Network) -> dict[str, Any]:
    """Give the shapes of the input and the output, or of all of them by name."""
    if is_one_to_one(net):
        return {"input_shape": list(net.input_shape), "output_shape": list(net.output_shape)}
    inputs = {name: {"shape": list(one.shape), "dtype": one.dtype} for name, one in net.inputs.items()}
    return {"inputs": inputs, "outputs": {name: {"shape": list(net.shapes[name])} for name in net.outputs}}


def _card_table(details: Mapping[str, Any]) -> "Table":
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, text in _card(details):
        table.add_row(name.replace("_", " "), printable(text))
    return table


def _card(details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give one line for each thing said; a list or mapping becomes a line for each entry."""
    for name in CARD:
        said = details.get(name)
        if name == "float32" and isinstance(said, dict):
            said = said.get("accuracy")
        for entry in said if isinstance(said, list) else [said]:
            if entry is not None:
                yield name, _entry(entry)


def _entry(entry: Any) -> str:
    match entry:
        case {"data": str(data), "share_right": float(share), "samples": int(samples)}:
            return f"{as_share(share)} right of {samples:,}{_bounds(entry)}: {data}"
        case dict():
            return ", ".join(f"{name}: {value}" for name, value in entry.items())
    return str(entry)


def _bounds(entry: Mapping[str, Any]) -> str:
    match entry.get("interval_95"):
        case [float(low), float(high)]:
            return f" ({as_share(low)} to {as_share(high)})"
    return ""


def _work_table(layers: Sequence[LayerWork], summed: TotalWork) -> "Table":
    columns = [
        Column("layer", lambda row: printable(row.name), words=True, footer="total"),
        Column("inputs\nactive", lambda row: as_share(row.active)),
        Column("dense", lambda row: f"{row.dense:,}", footer=f"{summed.dense:,}"),
        Column("sparse\nweights", lambda row: f"{row.weight_sparse:,}", footer=f"{summed.weight_sparse:,}"),
        Column("sparse\ntwice", lambda row: f"{row.twice:,}", footer=f"{summed.twice:,}"),
        Column("dense\nbytes", lambda row: as_size(row.dense_bytes), footer=as_size(summed.dense_bytes)),
        Column(
            "sparse\nbytes",
            lambda row: as_size(row.sparse_bytes),
            footer=as_size(summed.sparse_bytes),
            note=POSITIONS,
        ),
    ]
    rows = [row for row in layers if row.density is not None]
    return laid_out("Multiplications for one sample, and bytes of weights", columns, rows, None)


def _verdict(summed: TotalWork) -> str:
    if summed.weight_sparse_ratio is None or summed.twice_ratio is None:
        return "No multiplication is left."
    return (
        f"Of all multiplications, zero weights leave one in {summed.weight_sparse_ratio:.1f}, "
        f"zero weights and zero inputs together one in {summed.twice_ratio:.1f}."
    )
