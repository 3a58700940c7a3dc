"""What every kind of layer must have, and where: ``missing(tables())`` names each kind that lacks something, and what.

The tables are those that the package itself loops over; a test takes entries out of copies of them
and looks at what is said.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from storage.mutations import one_of_each_kind

from sparsenet.exchange.lines import FRONT_ENDS, lines
from sparsenet.graph.reference import evaluate
from sparsenet.lowering.implementation import Implementation
from sparsenet.lowering.table import IMPLEMENTATIONS, LOWERINGS
from sparsenet.ops import LAYERS, OPERATIONS, Operation, Weighted

RULES = ("shape", "dtype", "reference", "growth", "work", "stored")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Tables:
    """Copies of all tables in which a kind of layer has an entry.

    ``front_ends`` has, for each front end, the kinds that it has a line for or refuses with a reason; ``drawn`` is the
    source of the strategies.
    """

    kinds: tuple[str, ...]
    operations: dict[str, Operation]
    lowerings: dict[str, object]
    implementations: tuple[Implementation, ...]
    front_ends: dict[str, set[str]]
    drawn: dict[str, str]
    samples: Mapping[str, object]


def tables() -> Tables:
    return Tables(
        tuple(kind.__name__ for kind in LAYERS),
        dict(OPERATIONS),
        dict(LOWERINGS),
        tuple(IMPLEMENTATIONS),
        {front_end: _told(front_end) for front_end in FRONT_ENDS},
        {"tests/strategies.py": (HERE / "strategies.py").read_text(encoding="utf-8")},
        one_of_each_kind(),
    )


def _told(front_end: str) -> set[str]:
    told = {kind for kind, reasons in lines("REFUSED").items() if reasons.get(front_end)}
    for table in FRONT_ENDS[front_end]:
        for name, line in lines(table).items():
            line = line[-1] if isinstance(line, tuple) else line
            told |= set(getattr(line, "gives", (name,)))
    return told


def missing(known: Tables) -> list[str]:
    """List what is missing, as ``Softmax: no reference (sparsenet/ops)``."""
    return [f"{kind}: {what}" for kind in known.kinds for what in _missing(known, kind)]


def _missing(known: Tables, kind: str) -> Iterator[str]:
    operation = known.operations.get(kind)
    if operation is None:
        yield "no Operation (sparsenet/ops)"
        return
    yield from (f"no {rule} (sparsenet/ops)" for rule in RULES if getattr(operation, rule) is None)
    if operation.stored is not None:
        yield from _not_stored(operation)
    if not known.lowerings.get(kind):
        yield "no lowering (sparsenet/lowering)"
    if operation.stored is not None and operation.stored.weighted and not _implemented(known, kind):
        yield "no Implementation (sparsenet/lowering)"
    for front_end, told in known.front_ends.items():
        if kind not in told:
            yield f"neither a line nor a refusal for {front_end} (sparsenet/exchange/lines)"
    for path, source in known.drawn.items():
        if not re.search(rf"\bsn\.{kind}\b", source):
            yield f"no strategy ({path})"
    if kind not in known.samples:
        yield "no sample (tests/storage/mutations.py)"


def _implemented(known: Tables, kind: str) -> bool:
    """Tell whether some implementation runs a kind with weights, in the dtype of its weights."""
    plain = kind.removeprefix("Quantized")
    wanted = plain.lower(), "f32" if plain == kind else "i8"
    return any((one.operation, one.dtype) == wanted for one in known.implementations)


def _not_stored(operation: Operation) -> Iterator[str]:
    stored = operation.stored
    kept = {*stored.settings, *stored.vectors, *stored.optional, *(("weight", "mask") if stored.weighted else ())}
    own = {field.name for field in fields(operation.layer)}
    yield from (f"field {name!r} is not stored (sparsenet/ops)" for name in sorted(own - kept))
    yield from (f"stores {name!r}, which is no field (sparsenet/ops)" for name in sorted(kept - own))


def follows_its_rules(net) -> None:
    """Check the rules of a network's layers against what their reference gives."""
    r = np.random.default_rng(0)
    x = {name: r.integers(0, 2, (3, *one.shape)).astype(one.dtype) for name, one in net.inputs.items()}
    values = evaluate(net, x)
    bounds = {name: float(np.abs(values[name]).max()) for name in net.inputs}
    for node in net.nodes:
        operation = OPERATIONS[type(node.layer).__name__]
        shapes = tuple(net.shapes[source] for source in node.inputs)
        given = [bounds[source] for source in node.inputs]
        assert values[node.name].shape[1:] == operation.shape(node.layer, shapes)
        bounds[node.name] = operation.growth(node.layer, shapes).bounds(given)[0]
        assert np.abs(values[node.name]).max() <= bounds[node.name] * (1 + 1e-12)
        assert operation.work.products(node.layer, shapes, net.shapes[node.name]) >= 0
        assert isinstance(node.layer, Weighted) == operation.stored.weighted
        if net.dtypes[node.name] == "uint8":
            assert np.isin(values[node.name], np.arange(256)).all()
