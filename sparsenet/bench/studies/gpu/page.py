"""The study as a page: where complementary sets win on this device, by how much, and what binds where they do not."""

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import Any

from sparsenet.bench.studies.gpu.counts import counts_of
from sparsenet.bench.studies.gpu.forms import FORMS
from sparsenet.bench.studies.gpu.layer import GpuLayer
from sparsenet.bench.studies.gpu.limits import advantage, best_of, binding
from sparsenet.bench.studies.gpu.peers import DENSE, PEERS
from sparsenet.errors import SparsenetError
from sparsenet.figures import for_any_page, new_figure, write_figure

__all__ = ["as_markdown", "counted_at_real_sizes", "plot_crossover"]

Record = Mapping[str, Any]

REAL_SIZES = tuple(GpuLayer(2048, 0.05, 0.1, batch) for batch in (1, 64, 512))
"""What is counted where nothing can be timed."""


def as_markdown(record: Record) -> str:
    """Write a study as Markdown.

    Parameters
    ----------
    record : dict
        What :func:`sparsenet.bench.studies.gpu.gpu_study` returns.
    """
    parts = [_head(record)]
    if record["device"]["simulated"]:
        parts += [_counted(record), counted_at_real_sizes()]
    else:
        parts += [_limits(record["limits"]), *_maps(record), _network(record["network"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(record: Record) -> str:
    device, left = record["device"], len(record.get("left", []))
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    lines = [f"# Complementary sets on {device['name']}", f"sparsenet {record['sparsenet']}; {versions}."]
    if "host" in record:
        lines.append(f"In {record['host']}.")
    if device["simulated"]:
        lines.append(
            "**Simulated.** Every form was right at every point below. Nothing was timed: a simulator's times mean "
            "nothing."
        )
    if left:
        lines.append(f"{left} points were not reached; run the study again and it goes on.")
    return "\n\n".join(lines)


def _counted(record: Record) -> str:
    rows = [
        (*_where(point), name, one["multiplications"], one["bytes"], one["routed"], one["share_of_allowed_error"])
        for point in record["points"].values()
        for name, one in point["contenders"].items()
    ]
    heads = ("size", "density", "active", "batch", "form", "multiplications", "bytes", "routed additions")
    return _table((*heads, "largest error, of that allowed"), rows)


def counted_at_real_sizes(layers: Iterable[GpuLayer] = REAL_SIZES) -> str:
    """Write what every form must do at sizes that a device would be given, by count: no device is needed for it."""
    rows = [
        (
            layer.size,
            f"{layer.density:.0%}",
            f"{layer.active:.0%}",
            layer.batch,
            form,
            *vars(counts_of(form, layer)).values(),
        )
        for layer in layers
        for form in ("active", "batched", "csr", "dense")
    ]
    heads = ("size", "density", "active", "batch", "form", "multiplications", "bytes", "routed additions")
    return "## By count, at real sizes\n\n" + _table(heads, rows)


def _where(point: Record) -> tuple[object, ...]:
    layer = GpuLayer(**point["layer"])
    return layer.size, f"{layer.density:.0%}", f"{layer.active:.0%}", layer.batch


def _limits(limits: Record) -> str:
    rates = [(name, f"{rate / 1e12:,.1f} T multiply-adds/s") for name, rate in limits["multiply_adds_per_s"].items()]
    launch = limits["launch"]
    rows = [
        ("copy, bytes read and written", f"{limits['copy_bytes_per_s'] / 1e9:,.0f} GB/s"),
        *rates,
        ("an empty kernel, on the device", f"{launch['device_us']:,.1f} µs"),
        ("an empty kernel, until the host knows", f"{launch['host_us']:,.1f} µs"),
    ]
    return "## What the device can do, measured\n\n" + _table(("limit", "measured"), rows)


def _maps(record: Record) -> Iterator[str]:
    """Draw a map for each batch: the advantage over the best dense, and the limit that binds."""
    points = list(record["points"].values())
    yield (
        "## Where it pays\n\nTimes as fast as the best dense of the device (float32, tf32, bfloat16); above 1 "
        "complementary sets win. In brackets what binds them, by rule: launch, memory, routing, tensor cores."
    )
    for batch in sorted({point["layer"]["batch"] for point in points}):
        chosen = [point for point in points if point["layer"]["batch"] == batch]
        actives = sorted({point["layer"]["active"] for point in chosen})
        heads = ("size", "density", *(f"{active:.0%} active" for active in actives))
        yield f"### Batch {batch}\n\n" + _table(heads, _map_rows(chosen, actives, record["limits"]))
    yield "### All times\n\n" + _table(_TIME_HEADS, [_time_row(point) for point in points])


def _map_rows(points: list[Record], actives: list[float], limits: Record) -> Iterator[tuple[object, ...]]:
    by_place = {(p["layer"]["size"], p["layer"]["density"], p["layer"]["active"]): p for p in points}
    for size, density in sorted({place[:2] for place in by_place}):
        cells = [_cell(by_place.get((size, density, active)), limits) for active in actives]
        yield (size, f"{density:.0%}", *cells)


def _cell(point: Record | None, limits: Record) -> str:
    ratio = None if point is None else advantage(point)
    return "" if ratio is None or point is None else f"{ratio:.2f} ({binding(point, limits)})"


_TIME_HEADS = ("size", "density", "active", "batch", *FORMS, *PEERS)


def _time_row(point: Record) -> tuple[object, ...]:
    found = (best_of(point, [name]) for name in (*FORMS, *PEERS))
    return (*_where(point), *("" if one is None else f"{one[1]:,.1f}" for one in found))


def _network(rows: Iterable[Record]) -> str:
    lines = [
        (
            row["batch"],
            f"{row['sparsenet']['median_us']:,.1f}",
            f"{row['call_us']:,.1f}",
            f"{row['torch dense twin']['median_us']:,.1f}" if "torch dense twin" in row else "",
        )
        for row in rows
    ]
    heads = ("batch", "sparsenet, device µs", "sparsenet, NumPy to NumPy µs", "torch, dense twin, device µs")
    return "## The bundled network\n\n" + _table(heads, lines)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [heads, ("---:",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(_text(cell) for cell in line) + " |" for line in lines)


def _text(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.2f}" if isinstance(cell, float) else str(cell)


@for_any_page
def plot_crossover(record: Record, path: str | PathLike[str]) -> None:
    """Draw the crossover map and write it to a file: a panel for each batch and share of active inputs.

    Parameters
    ----------
    record : dict
        A study with times.
    path : str or path
        Its ending says the format: png, svg, pdf.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    SparsenetError
        When the study holds no times of a dense layer, or the ending is no format that matplotlib knows.
    """
    points = [point for point in record["points"].values() if advantage(point) is not None]
    if not points:
        raise SparsenetError("expected a study with times of dense layers, got none; it takes a GPU and torch")
    sizes, densities, actives, batches = (
        sorted({point["layer"][name] for point in points}) for name in ("size", "density", "active", "batch")
    )
    figure = new_figure(3 * len(actives), 2.6 * len(batches))
    axes = figure.subplots(len(batches), len(actives), squeeze=False, sharex=True, sharey=True)
    norm = _around_one(max(2.0, *(advantage(point) or 0 for point in points)))
    for point in points:
        layer = point["layer"]
        axis = axes[batches.index(layer["batch"])][actives.index(layer["active"])]
        place = densities.index(layer["density"]), sizes.index(layer["size"])
        shown = axis.scatter(*place, c=[advantage(point)], cmap="RdBu", norm=norm, marker="s", s=300)
        axis.text(*place, f"{advantage(point):.1f}", ha="center", va="center", fontsize=6, color="black")
        axis.set_title(f"batch {layer['batch']}, {layer['active']:.0%} active", fontsize=8)
        axis.set_xticks(range(len(densities)), [f"{density:.0%}" for density in densities])
        axis.set_yticks(range(len(sizes)), [str(size) for size in sizes])
    figure.colorbar(shown, ax=axes, label=f"times as fast as the best of {', '.join(DENSE)}")
    write_figure(figure, path)


def _around_one(most: float) -> Any:
    """Give white to 1, where neither is faster."""
    from matplotlib.colors import TwoSlopeNorm

    return TwoSlopeNorm(1.0, 0.0, most)
