"""StepRunner, layers and whole networks, timed on live data; engines that are compared take turns."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sparsenet.engine.engine import converted
from sparsenet.errors import SparsenetError
from sparsenet.explain.steps import StepRunner
from sparsenet.graph.network import INPUT
from sparsenet.lowering.arena import aligned_scratch
from sparsenet.progress import tracked
from sparsenet.timing import Clock, reading_us
from sparsenet_kernels.driver import program_table, serial_driver
from sparsenet_kernels.step_abi import address_of

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = [
    "LayerTimes",
    "Times",
    "chunks_of",
    "refuse_beyond_float32",
    "rounds_that_fit",
    "time_layers",
    "timed_steps",
    "timed_whole",
]

FloatArray = npt.NDArray[np.float32]
Times = npt.NDArray[np.float64]

LONGEST_US = 1_500_000
FEWEST_ROUNDS, MOST_ROUNDS = 15, 1_000

TURNS = 3
"""How often the engines take turns: what slows one of them down for a while does not count."""


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
    """Time every layer of engines of networks with the same input, which take turns as the inputs do.

    ``rounds`` says how often every step is timed each time that its engine has its turn.
    """
    found = [LayerTimes({}, np.inf) for _ in engines]
    for turn in tracked(range(TURNS * len(engines)), "timing every layer", progress, TURNS * len(engines)):
        which = turn % len(engines)
        found[which] = _shorter(found[which], _one_turn(engines[which], x, rounds, clock))
    return found


def _one_turn(engine: "Engine", x: npt.ArrayLike, rounds: int | None, clock: Clock) -> LayerTimes:
    steps = StepRunner(engine)
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


def chunks_of(engine: "Engine", x: npt.ArrayLike, most: int) -> list[FloatArray]:
    """Cut the inputs into calls of equal size; what is left over is left out."""
    array = converted(x, engine.network.input_shape)
    if not len(array):
        raise SparsenetError("expected at least one input, got none")
    if not np.isfinite(array).all():
        raise SparsenetError("expected finite inputs, got NaN or infinity")
    size = min(most, len(array))
    return [array[start : start + size] for start in range(0, len(array) - size + 1, size)]


def refuse_beyond_float32(engine: "Engine", chunks: Sequence[FloatArray]) -> None:
    """Raise what the engine raises where values leave float32: times of what is no number say nothing."""
    for chunk in chunks:
        engine(chunk)


def rounds_that_fit(steps: StepRunner, chunks: Sequence[FloatArray], clock: Clock) -> int:
    """Find how often all steps can be timed in a second or two."""
    lasted_us = [reading_us(_run_all, steps, chunk, clock=clock) for chunk in chunks[:2]][
        -1
    ]  # caches were cold at first
    return int(min(MOST_ROUNDS, max(FEWEST_ROUNDS, LONGEST_US / 2 / max(lasted_us, 1e-3))))


def _run_all(steps: StepRunner, chunk: FloatArray) -> None:
    steps.load(chunk)
    for index in range(len(steps.steps)):
        steps.call(index, len(chunk))


def timed_steps(steps: StepRunner, chunks: Sequence[FloatArray], rounds: int, clock: Clock) -> tuple[Times, float]:
    """Time each step in the program's order: (rounds, steps) microseconds, less those of a call without samples."""
    count = len(steps.steps)
    readings, idle = np.empty((rounds, count)), np.empty((rounds, count))
    for turn in range(rounds):
        chunk = chunks[turn % len(chunks)]
        samples = len(chunk)
        steps.load(chunk)
        for index in range(count):
            idle[turn, index] = reading_us(steps.call, index, 0, clock=clock)
            readings[turn, index] = reading_us(steps.call, index, samples, clock=clock)
    idle_us = float(np.median(idle))
    return np.maximum(readings - idle_us, 0.0), idle_us


def timed_whole(engine: "Engine", chunks: Sequence[FloatArray], rounds: int, clock: Clock) -> Times:
    """Time the driver on one chunk at a time: microseconds."""
    program, driver = engine.program, serial_driver()
    scratch = aligned_scratch(program.scratch_bytes)
    samples = len(chunks[0])
    y = np.empty((samples, prod(engine.network.output_shape)), np.float32)
    flat = [chunk.reshape(samples, -1) for chunk in chunks]
    sizes = flat[0].shape[1], y.shape[1], samples
    table = program_table(program.steps, program.input_bytes, program.output_bytes, *sizes)
    places = address_of(table), address_of(scratch)
    return np.array([reading_us(driver, flat[turn % len(flat)], y, *places, clock=clock) for turn in range(rounds)])
