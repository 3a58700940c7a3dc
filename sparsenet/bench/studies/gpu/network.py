"""The bundled network on the device: sparse twice in this engine, its dense twin in torch."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.bench.studies.gpu.clock import device_time
from sparsenet.graph.network import Network
from sparsenet.made_inputs import noise
from sparsenet.models import load
from sparsenet.timing import reading_us

__all__ = ["network_agrees", "network_times"]

SPARSE, TWIN = "spoken-digits-float32", "spoken-digits-dense"
BATCHES = (1, 8, 64, 512)
TURNS = 8


def network_times() -> list[dict[str, Any]]:
    """Time the bundled network for every batch: device time, and what the host waits for a call with NumPy arrays."""
    import sparsenet
    from sparsenet.bench.studies.gpu.peers import has_torch_on_a_gpu
    from sparsenet_kernels.cuda.api import cuda, upload

    net = load(SPARSE)
    rows = []
    for batch in BATCHES:
        engine = sparsenet.compile(net, batch=batch, device="cuda")
        inputs = _inputs(net, batch)
        given, out = [upload(x) for x in inputs], cuda.device_array((batch, *net.output_shape), np.float32)
        found = device_time(partial(_call, engine, given, out), calls=4)
        row = {"batch": batch, "sparsenet": found.to_dict(), "call_us": _call_us(engine, inputs)}
        if has_torch_on_a_gpu():
            row["torch dense twin"] = device_time(_twin(inputs), calls=4).to_dict()
        rows.append(row)
    return rows


def network_agrees(samples: int = 1) -> float:
    """Run the bundled network and return how far it lies from its meaning, over the largest output."""
    import sparsenet

    net = load(SPARSE)
    x = _inputs(net, samples)[0]
    y, meant = sparsenet.compile(net, batch=samples, device="cuda")(x), net.reference(x)
    return float(np.abs(y - meant).max() / np.abs(meant).max())


def _call(engine: Any, given: list[Any], out: Any, index: int) -> object:
    return engine(given[index % TURNS], out=out)


def _inputs(net: Network, batch: int) -> list[npt.NDArray[np.float32]]:
    return list(noise((TURNS, batch, *net.input_shape), seed=batch))


def _call_us(engine: Any, inputs: list[npt.NDArray[np.float32]], rounds: int = 50) -> float:
    return float(np.median([reading_us(engine, inputs[index % TURNS]) for index in range(rounds)]))


def _twin(inputs: list[npt.NDArray[np.float32]]) -> Any:
    import torch

    from sparsenet.bench.peers.in_torch import torch_operations

    torch.set_float32_matmul_precision("highest")
    with torch.device("cuda"):
        run = torch_operations(load(TWIN))
    given = [torch.from_numpy(x).cuda() for x in inputs]

    def call(index: int) -> object:
        with torch.inference_mode():
            return run(given[index % TURNS])

    return call
