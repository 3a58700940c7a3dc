"""Who takes part in a comparison: networks, each in an engine, loaded for a size of batch and a number of threads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.compare import LeftOut, Run
from sparsenet.bench.peers.peer import PEERS, Peer
from sparsenet.bench.twin import is_float
from sparsenet.errors import SparsenetError
from sparsenet.graph.network import Network

__all__ = ["HERE", "ORIGINAL", "Entrant", "entrants", "missing_peers"]

FloatArray = npt.NDArray[np.float32]
HERE = "sparsenet"

ORIGINAL = "float32 original"
"""The role of a float32 network whose quantised form takes part as it was given."""


@dataclass(eq=False)
class Entrant:
    """A network in an engine.

    Parameters
    ----------
    role : str
        Which network, as people shall read it.
    engine, dtype : str
    network : Network
        What its answers are compared with.
    prepare : callable
        Makes what ``load`` takes; called once.
    load : callable
        (prepared, batch, threads) to a callable of (batch, *input_shape).
    most_threads : int or None
    """

    role: str
    engine: str
    dtype: str
    network: Network
    prepare: Callable[[], Any]
    load: Callable[[Any, int, int], Run]
    most_threads: int | None = None
    _prepared: list[Any] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Everything that tells it from the others."""
        return f"{self.role}, {self.engine} {self.dtype}"

    def loaded(self, batch: int, threads: int) -> Run | LeftOut:
        """Load it, or say why it cannot be: peers fail in ways of their own."""
        if self.most_threads is not None and threads > self.most_threads:
            return LeftOut(f"{self.title}, {threads} threads", f"uses {self.most_threads} at most")
        try:
            if not self._prepared:
                self._prepared.append(self.prepare())
            return self.load(self._prepared[0], batch, threads)
        except SparsenetError as error:
            return LeftOut(self.title, str(error))
        except Exception as error:
            if self.engine == HERE:
                raise
            return LeftOut(self.title, f"{type(error).__name__}: {_first_line(error)}")


def entrants(nets: Mapping[str, Network], calibration: FloatArray) -> list[Entrant]:
    """List everybody who is installed: this engine first, in float32 and in 8 bit, then its peers.

    Peers are given float32 networks only: they quantise in their own way.

    Parameters
    ----------
    nets : mapping of str to Network
        By role; the first is the one that everybody is compared with.
    calibration : array (n, *input_shape), float32
        For those in 8 bit, and for planning in this engine.
    """
    floats = {role: net for role, net in nets.items() if is_float(net)}
    listed = [_here(role, net, calibration) for role, net in nets.items()]
    listed += [_here_in_8_bits(role, net, calibration) for role, net in floats.items() if role != ORIGINAL]
    for peer in PEERS:
        if peer.missing() is None:
            listed += [_peer(role, net, peer, calibration) for role, net in floats.items()]
    return listed


def missing_peers(peers: Sequence[Peer] = PEERS) -> list[LeftOut]:
    """List the peers that are not installed, with what to install."""
    return [LeftOut(peer.title, line) for peer in peers if (line := peer.missing()) is not None]


def _here(role: str, net: Network, calibration: FloatArray) -> Entrant:
    dtype = "float32" if is_float(net) else "int8"
    return Entrant(role, HERE, dtype, net, lambda: (net, calibration), _compiled)


def _here_in_8_bits(role: str, net: Network, calibration: FloatArray) -> Entrant:
    def prepare() -> tuple[Network, FloatArray]:
        import sparsenet

        return sparsenet.quantize(net, calibration, progress=False), calibration

    return Entrant(role, HERE, "int8", net, prepare, _compiled)


def _compiled(prepared: tuple[Network, FloatArray], batch: int, threads: int) -> Run:
    import sparsenet

    net, examples = prepared
    return sparsenet.compile(net, batch=batch, threads=threads, examples=examples, progress=False)


def _peer(role: str, net: Network, peer: Peer, calibration: FloatArray) -> Entrant:
    return Entrant(
        role, peer.name, peer.dtype, net, lambda: peer.prepare(net, calibration), peer.load, peer.most_threads
    )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")[:200]
