"""StepRunner, layers and whole networks, timed on live data; engines that are compared take turns."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sparsenet.engine.by_name import addresses_of, ends_of, new_outputs, samples_in
from sparsenet.engine.drivers import Scratch
from sparsenet.engine.examples import chunks_of
from sparsenet.explain.steps import StepRunner
from sparsenet.graph.network import INPUT
from sparsenet.progress import tracked
from sparsenet.timing import Clock, reading_us
from sparsenet_kernels.driver import program_table
from sparsenet_kernels.step_abi import address_of

if TYPE_CHECKING:
    from sparsenet.engine.engine import Engine

__all__ = [
    "LayerTimes",
    "Times",
    "refuse_beyond_float32",
    "rounds_that_fit",
    "time_layers",
    "timed_steps",
    "timed_whole",
]

Chunk = Mapping[str, npt.NDArray[Any]]
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
    x: Any,
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


def _one_turn(engine: "Engine", x: Any, rounds: int | None, clock: Clock) -> LayerTimes:
    steps = StepRunner(engine)
    chunks = chunks_of(engine.network, x, steps.chunk)
    turns = rounds or max(FEWEST_ROUNDS, rounds_that_fit(steps, chunks, clock) // (2 * TURNS))
    samples = samples_in(chunks[0])
    step_us, _ = timed_steps(steps, chunks, turns, clock)
    layers: dict[str, float] = defaultdict(float)
    for step, median_us in zip(steps.steps, np.median(step_us, axis=0), strict=True):
        layers[step.layer or INPUT] += float(median_us) / samples
    return LayerTimes(dict(layers), float(np.median(timed_whole(engine, chunks, turns, clock))) / samples)


def _shorter(before: LayerTimes, now: LayerTimes) -> LayerTimes:
    layers = {name: min(time_us, before.layers.get(name, np.inf)) for name, time_us in now.layers.items()}
    return LayerTimes(layers, min(before.whole, now.whole))


def refuse_beyond_float32(engine: "Engine", chunks: Sequence[Chunk]) -> None:
    """Raise what the engine raises where values leave float32: times of what is no number say nothing."""
    for chunk in chunks:
        engine(chunk)


def rounds_that_fit(steps: StepRunner, chunks: Sequence[Chunk], clock: Clock) -> int:
    """Find how often all steps can be timed in a second or two."""
    lasted_us = [reading_us(_run_all, steps, chunk, clock=clock) for chunk in chunks[:2]][
        -1
    ]  # caches were cold at first
    return int(min(MOST_ROUNDS, max(FEWEST_ROUNDS, LONGEST_US / 2 / max(lasted_us, 1e-3))))


def _run_all(steps: StepRunner, chunk: Chunk) -> None:
    steps.load(chunk)
    for index in range(len(steps.steps)):
        steps.call(index, samples_in(chunk))


def timed_steps(steps: StepRunner, chunks: Sequence[Chunk], rounds: int, clock: Clock) -> tuple[Times, float]:
    """Time each step in the program's order: (rounds, steps) microseconds, less those of a call without samples."""
    count = len(steps.steps)
    readings, idle = np.empty((rounds, count)), np.empty((rounds, count))
    for turn in range(rounds):
        chunk = chunks[turn % len(chunks)]
        samples = samples_in(chunk)
        steps.load(chunk)
        for index in range(count):
            idle[turn, index] = reading_us(steps.call, index, 0, clock=clock)
            readings[turn, index] = reading_us(steps.call, index, samples, clock=clock)
    idle_us = float(np.median(idle))
    return np.maximum(readings - idle_us, 0.0), idle_us


def timed_whole(engine: "Engine", chunks: Sequence[Chunk], rounds: int, clock: Clock) -> Times:
    """Time the engine's driver on one chunk at a time: microseconds."""
    net, program, samples = engine.network, engine.program, samples_in(chunks[0])
    scratch, y = Scratch(program.scratch_bytes), new_outputs(net, samples)
    read, written = prod(net.shapes[next(iter(net.inputs))]), prod(net.shapes[net.outputs[0]])
    table = program_table(program.steps, program.inputs[0], program.outputs[0], read, written, samples)
    ends: list[Sequence[Any]] = [(*chunk.values(), *y.values()) for chunk in chunks]
    if engine._by_name:
        table, tables = ends_of(net, program, table), [addresses_of(chunk, y) for chunk in chunks]
        ends = [(address_of(addresses), samples) for addresses in tables]
    run, places = engine._serial, (address_of(table), scratch.address)
    return np.array([reading_us(run, *ends[turn % len(ends)], *places, clock=clock) for turn in range(rounds)])
