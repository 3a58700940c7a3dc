"""Unpickle engines: with the same plan on the same kind of CPU, with a new plan on another kind."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparsenet.errors import CompileError
from sparsenet.graph.network import Network
from sparsenet.machine.facts import machine

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["compile_again", "cpu_kind"]


def cpu_kind() -> tuple[str, ...]:
    """Name the CPU that kernels are compiled for, and its features: where both are equal, a plan holds.

    Examples
    --------
    >>> cpu_kind() == cpu_kind()
    True
    """
    return machine().llvm_name, *machine().features


def compile_again(
    network: Network, settings: Mapping[str, Any], kernels: Mapping[str, str], planned_for: tuple[str, ...]
) -> "Engine":
    """Compile an engine that was pickled.

    Parameters
    ----------
    network : Network
    settings : mapping
        The arguments of :func:`sparsenet.compile` that were given.
    kernels : mapping of str to str
        Its plan. On the same kind of CPU it is used as it is, so that outputs are the same to the bit and nothing is
        timed.
    planned_for : tuple of str
        The kind of CPU of that plan; see :func:`cpu_kind`.

    Returns
    -------
    Engine
    """
    from sparsenet.engine.compiling import compile  # which makes engines, and so imports this module

    if planned_for == cpu_kind():
        try:
            again = compile(network, **{**settings, "planner": "predict", "kernels": kernels}, progress=False)
        except CompileError:  # a kernel that is not there any more, or was somebody's own: there is no such plan here
            return compile(network, **settings, progress=False)
        again._settings = dict(settings)  # pickled once more and sent elsewhere, it is planned as it was first asked
        return again
    return compile(network, **settings, progress=False)
