"""How long each layer takes in several engines that take turns, on live data."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sparsenet.explain.profile import FEWEST_ROUNDS, Clock, chunks_of, rounds_that_fit, timed_steps, timed_whole
from sparsenet.explain.steps import Steps
from sparsenet.graph.network import INPUT, Network
from sparsenet.progress import tracked

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = ["LayerTimes", "made_up_inputs", "time_layers"]

FloatArray = npt.NDArray[np.float32]

TURNS = 3
"""How often the engines take turns: what slows one of them down for a while does not count."""

MOST_INPUTS, LARGEST_INPUTS = 256, 2**22
"""Inputs made up for timing: how many at most, and how many numbers in all."""


@dataclass(frozen=True)
class LayerTimes:
    """The medians of an engine's best turn, in microseconds for one sample.

    Attributes
    ----------
    layers : mapping of str to float
        By layer; all of a layer's steps together.
    whole : float
        Of one native call that runs all steps.
    """

    layers: Mapping[str, float]
    whole: float


def time_layers(
    engines: Sequence["Engine"],
    x: npt.ArrayLike,
    *,
    rounds: int | None = None,
    clock: Clock = time.perf_counter_ns,
    progress: bool | None = None,
) -> list[LayerTimes]:
    """Time every layer of engines that take turns.

    Parameters
    ----------
    engines : sequence of Engine
        Of networks with the same input.
    x : array (n, *input_shape)
        Inputs that take turns.
    rounds : int, optional
        How often every step is timed each time that its engine has its turn.
    clock : callable
        Gives nanoseconds.
    progress : bool or None
        As for :func:`sparsenet.progress.tracked`.

    Returns
    -------
    list of LayerTimes
        One for each engine.
    """
    found = [LayerTimes({}, np.inf) for _ in engines]
    for turn in tracked(range(TURNS * len(engines)), "timing every layer", progress, TURNS * len(engines)):
        which = turn % len(engines)
        found[which] = _shorter(found[which], _one_turn(engines[which], x, rounds, clock))
    return found


def _one_turn(engine: "Engine", x: npt.ArrayLike, rounds: int | None, clock: Clock) -> LayerTimes:
    steps = Steps(engine)
    chunks = chunks_of(engine, x, steps.chunk)
    turns = rounds or max(FEWEST_ROUNDS, rounds_that_fit(steps, chunks, clock) // (2 * TURNS))
    samples = len(chunks[0])
    step_us, _ = timed_steps(steps, chunks, turns, clock)
    layers: dict[str, float] = defaultdict(float)
    for step, median_us in zip(steps.steps, np.median(step_us, axis=0), strict=True):
        layers[step.layer or INPUT] += float(median_us) / samples
    return LayerTimes(dict(layers), float(np.median(timed_whole(engine, chunks, turns, clock))) / samples)


def _shorter(before: LayerTimes, now: LayerTimes) -> LayerTimes:
    layers = {name: min(time_us, before.layers.get(name, np.inf)) for name, time_us in now.layers.items()}
    return LayerTimes(layers, min(before.whole, now.whole))


def made_up_inputs(net: Network, batch: int) -> FloatArray:
    """Make random numbers from -1 to 1 that take turns as inputs: several calls of so many samples.

    Returns
    -------
    array (n, *input_shape), float32
    """
    count = max(2 * batch, min(MOST_INPUTS, LARGEST_INPUTS // prod(net.input_shape)))
    return np.random.default_rng(0).uniform(-1, 1, (count, *net.input_shape)).astype(np.float32)
