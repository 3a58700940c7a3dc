"""What a network is timed on while it is planned: examples, or inputs that are made up."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.by_name import kept_inputs
from sparsenet.engine.recovery import refuse_infinite
from sparsenet.errors import CompileError
from sparsenet.graph.given import by_name
from sparsenet.graph.network import Input, Network
from sparsenet.graph.parts import is_one_to_one
from sparsenet.made_inputs import calls_of, calls_to_make, noise

__all__ = ["calls_to_time"]

Call = Mapping[str, npt.NDArray[Any]]


def calls_to_time(net: Network, examples: Any, samples: int) -> list[Any]:
    """Return inputs for several calls of so many samples: arrays, or mappings of arrays by name.

    Raises
    ------
    CompileError
        When there are no examples among those that were given.
    SparsenetError
        When they do not fit the network, or are not finite.
    """
    calls = _made(net, samples) if examples is None else _cut(net, examples, samples)
    return [call[net.input] for call in calls] if is_one_to_one(net) else calls


def _made(net: Network, samples: int) -> list[Call]:
    calls = calls_to_make(samples * sum(prod(one.shape) for one in net.inputs.values()))
    made = {
        name: _drawn(one, (calls, samples, *one.shape), seed) for seed, (name, one) in enumerate(net.inputs.items())
    }
    return [{name: array[call] for name, array in made.items()} for call in range(calls)]


def _drawn(declared: Input, shape: tuple[int, ...], seed: int) -> npt.NDArray[Any]:
    """Draw numbers from -1 to 1; whole numbers that are 0 or 1, which every table has a row for; or truth values."""
    if declared.dtype == "float32":
        return noise(shape, seed)
    return np.random.default_rng(seed).integers(0, 2, shape, np.int32).astype(declared.dtype)


def _cut(net: Network, examples: Any, samples: int) -> list[Call]:
    given = kept_inputs(net, by_name(net, examples, {}))
    if not len(next(iter(given.values()))):
        raise CompileError("expected at least one example, got none")
    for name, array in given.items():
        refuse_infinite(array, name)
    cut = {name: calls_of(array, samples) for name, array in given.items()}
    return [dict(zip(cut, call, strict=True)) for call in zip(*cut.values(), strict=True)]
