"""One network and its dense twin, in this engine and in its peers, timed in turn."""

from collections.abc import Callable, Sequence

from sparsenet.bench.compare import Comparison, Contender, LeftOut, Row, compare
from sparsenet.bench.contenders import HERE, ORIGINAL, Entrant, entrants, missing_peers
from sparsenet.bench.inputs import Inputs, inputs_for
from sparsenet.bench.peers.peer import PEERS
from sparsenet.bench.surroundings import surroundings
from sparsenet.bench.twin import is_float, original_of, twin_of
from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network

__all__ = ["compare_engines"]

Tell = Callable[[str], object]

JUDGED = 32
"""Inputs whose answers are compared with the reference, which is slow."""


def compare_engines(
    model: str,
    net: Network,
    batches: Sequence[int] = (1, 8, 64, 256),
    threads: Sequence[int] = (1,),
    rounds: int = 50,
    longest_s: float = 20.0,
    tell: Tell = lambda step: None,
) -> Comparison:
    """Time a network and its dense twin in this engine and in every peer that is installed.

    Rows of one batch size and number of threads are timed in turn, in one process, on inputs that change with every
    call.

    Parameters
    ----------
    model : str
        The name or path that the network was loaded by.
    net : Network
    batches, threads : sequence of int
        Every one of both is combined.
    rounds : int
        See :func:`sparsenet.bench.interleave`.
    longest_s : float
        For the timing of one combination; fewer rounds are made where they would take longer.
    tell : callable
        Is told in a few words what is done next.

    Returns
    -------
    Comparison
        Rows by batch, threads, then in the order of the entrants; their networks are called by their roles.

    Raises
    ------
    SparsenetError
        When there is nothing to combine.
    """
    if not batches or not threads or min(*batches, *threads) < 1:
        raise SparsenetError(f"expected batches and threads of at least 1, got {list(batches)} and {list(threads)}")
    tell("preparing inputs")
    inputs = inputs_for(net, max(batches))
    original, twin = original_of(model, net), twin_of(model, net)
    nets = {"as given": net}
    nets |= {ORIGINAL: original} if original else {}
    nets |= {"dense twin": twin[0]} if twin else {}
    everybody = entrants(nets, inputs.calibration)
    judged = {role: (inputs.timed[:JUDGED], one.reference(inputs.timed[:JUDGED])) for role, one in nets.items()}
    rows: list[Row] = []
    left_out: dict[str, LeftOut] = {one.who: one for one in missing_peers()}
    if not any(map(is_float, nets.values())):
        left_out["peers"] = LeftOut("all peers", "the network is quantised; give the float32 network it was made from")
    for batch in sorted(set(batches)):
        for count in sorted(set(threads)):
            contenders = _loaded(everybody, batch, count, left_out, tell)
            tell(f"timing {len(contenders)} contenders in turn: batch {batch}, threads {count}")
            rows += compare(contenders, inputs.timed, judged, rounds, longest_s)
    unequal = _unequal(inputs, None if twin is None else twin[1], rows)
    absent = tuple(left_out.values())
    return Comparison(model, tuple(rows), inputs.text, len(inputs.timed), unequal, absent, surroundings())


def _loaded(
    everybody: Sequence[Entrant], batch: int, threads: int, left_out: dict[str, LeftOut], tell: Tell
) -> list[Contender]:
    found = []
    for entrant in everybody:
        tell(f"loading {entrant.title}: batch {batch}, threads {threads}")
        run = entrant.loaded(batch, threads)
        if isinstance(run, LeftOut):
            left_out.setdefault(run.who, run)
        else:
            found.append(Contender(entrant.role, entrant.engine, {batch: run}, "", entrant.dtype, threads))
    return found


def _unequal(inputs: Inputs, twin: str | None, rows: Sequence[Row]) -> tuple[str, ...]:
    """Say what differs between the rows apart from the engine."""
    took_part = {(row.engine, row.dtype) for row in rows}
    said = [f"the dense twin is another function, {twin}"] if twin else []
    if (HERE, "int8") in took_part:
        said.append(
            "int8 in sparsenet: sparsenet.quantize on the calibration inputs; scores and last layers in float32"
        )
    said += [f"{peer.title}: {peer.remark}" for peer in PEERS if (peer.name, peer.dtype) in took_part]
    said.append(f"everybody was fed with float32: {inputs.text}; calibration had {len(inputs.calibration)} others")
    said += [
        f"{row.engine} {row.dtype} was told to use {row.threads} thread(s) but kept {row.cores_busy:.1f} cores busy"
        for row in rows
        if row.cores_busy > row.threads * 1.25 + 0.1
    ]
    if any(row.threads == 1 and row.cores_busy < 0.9 for row in rows):
        said.append(
            "the machine was busy with something else: some rows had less than a core "
            f"({min(row.cores_busy for row in rows):.1f} at least)"
        )
    return tuple(dict.fromkeys(said))
