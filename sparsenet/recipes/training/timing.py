"""What the trained networks cost: µs a word on one core, all networks in turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsenet.graph.network import Network
from sparsenet.recipes.prepared import PreparedWords, features_of
from sparsenet.recipes.training.plan import Run
from sparsenet.recipes.training.run_files import FLOAT32_FILE, INT8_FILE, TIMES_FILE
from sparsenet.recipes.training.schedule import finished
from sparsenet.storage import load

__all__ = ["time_runs"]

SAMPLES = 256


def time_runs(
    runs: Sequence[Run],
    folder: Path,
    words: PreparedWords,
    rounds: int = 60,
    tell: Callable[[str], object] = lambda said: None,
) -> dict[str, dict[str, dict[str, float]]]:
    """Time every finished run's networks, in float32 and int8, one word a call, on one thread.

    Each run's folder gets a ``times.json``. Test clips take turns as inputs. The machine should do nothing else.

    Parameters
    ----------
    runs : sequence of Run
        Those that are not finished are left out.
    folder : Path
    words : PreparedWords
    rounds : int
        See :func:`sparsenet.bench.interleave`.
    tell : callable
        Is told in a few words what is done next.

    Returns
    -------
    dict
        ``times[name][arithmetic]`` with ``minimum_us`` and ``median_us``.
    """
    from sparsenet.bench.interleave import interleave

    chosen = [run for run in runs if finished(folder, run)]
    x = features_of(words.images[words.splits == "test"][:SAMPLES, 0])[:, None]
    calls = {}
    for run in chosen:
        tell(f"compiling {run.name}")
        for key, file in (("float32", FLOAT32_FILE), ("int8", INT8_FILE)):
            calls[f"{run.name}/{key}"] = _call(load(folder / run.name / file), x)
    tell("timing")
    times: dict[str, dict[str, dict[str, float]]] = {run.name: {} for run in chosen}
    for name, timing in interleave(calls, rounds).items() if calls else ():
        of_run, _, key = name.partition("/")
        times[of_run][key] = {"minimum_us": timing.minimum_us, "median_us": timing.median_us}
    for name, found in times.items():
        (folder / name / TIMES_FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return times


def _call(network: Network, x: Any) -> Callable[[int], object]:
    import sparsenet

    engine = sparsenet.compile(network, batch=1, threads=1, examples=x[:64], progress=False)
    samples = [np.ascontiguousarray(x[i : i + 1]) for i in range(len(x))]
    return lambda index: engine(samples[index % len(samples)])
