"""What a network is timed on: examples, or inputs that are made up, cut into calls."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.by_name import kept_inputs, samples_in
from sparsenet.engine.engine import converted
from sparsenet.engine.recovery import refuse_infinite
from sparsenet.errors import CompileError, SparsenetError
from sparsenet.graph.given import by_name
from sparsenet.graph.network import Input, Network
from sparsenet.graph.parts import is_one_to_one
from sparsenet.made_inputs import calls_of, calls_to_make, noise

__all__ = ["calls_to_time", "chunks_of", "drawn_inputs"]

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


def chunks_of(net: Network, x: Any, most: int) -> list[Call]:
    """Cut inputs into calls of equal size, at most so many samples, by name; what is left over is left out.

    Parameters
    ----------
    net : Network
    x : array (n, *input_shape), or mapping of str to array, or None
        The only input, or all of them by name; made up for None.
    most : int

    Raises
    ------
    SparsenetError
        When there is no input, or one does not fit the network or is not finite.
    TypeError
        When an input does not hold what it should.
    """
    if x is None:
        return _made(net, most)
    given, alone = by_name(net, x, {}), is_one_to_one(net)
    arrays = {net.input: converted(given[net.input], net.input_shape)} if alone else kept_inputs(net, given)
    samples = samples_in(arrays)
    if not samples:
        raise SparsenetError("expected at least one input, got none")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise SparsenetError("expected finite inputs, got NaN or infinity")
    size = min(most, samples)
    starts = range(0, samples - size + 1, size)
    return [{name: array[start : start + size] for name, array in arrays.items()} for start in starts]


def _made(net: Network, samples: int) -> list[Call]:
    calls = calls_to_make(samples * sum(prod(one.shape) for one in net.inputs.values()))
    made = drawn_inputs(net, calls, samples)
    return [{name: array[call] for name, array in made.items()} for call in range(calls)]


def drawn_inputs(net: Network, *counts: int) -> dict[str, npt.NDArray[Any]]:
    """Make up all inputs of a network, (*counts, *shape) each."""
    return {name: _drawn(one, (*counts, *one.shape), seed) for seed, (name, one) in enumerate(net.inputs.items())}


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
