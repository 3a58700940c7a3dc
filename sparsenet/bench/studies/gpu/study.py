"""The study itself: every point of the sweep, what it took, what it had to do; written down as it goes."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from sparsenet import __version__ as this_version
from sparsenet.bench.studies.gpu.clock import copy_bytes_per_s, device_time, launch_time
from sparsenet.bench.studies.gpu.counts import counts_of
from sparsenet.bench.studies.gpu.forms import FORMS, MOST_TURNS, deviation, prepare
from sparsenet.bench.studies.gpu.layer import (
    TINY,
    WHOLE,
    GpuLayer,
    GpuSweep,
    LayerInputs,
    Packed,
    inputs_of,
    pack_random,
)
from sparsenet.bench.studies.gpu.network import network_times
from sparsenet.bench.studies.gpu.peers import PEERS, cublas_rates, has_torch_on_a_gpu, peer_call
from sparsenet.errors import CompileError, SparsenetError
from sparsenet.machine.summary import here_line
from sparsenet.whole_files import write_whole

__all__ = ["gpu_study"]

MOST_INPUTS = 2**22
"""Numbers in all the inputs that take turns, or in two of them."""

Record = dict[str, Any]
Tell = Callable[[str, int, int], object]


def gpu_study(
    path: str | Path, seconds: float = 480.0, grid: GpuSweep | None = None, tell: Tell = lambda step, done, total: None
) -> Record:
    """Hold complementary sets against the best dense of the GPU, cuSPARSE and 2:4 sparsity, and write down everything.

    Points that the file holds already are not measured again, so an interrupted study goes on where it was. In Numba's
    simulator the sizes are tiny, and nothing is timed.

    Parameters
    ----------
    path : str or path
        The JSON file.
    seconds : float
        No point is begun later than that.
    grid : GpuSweep, optional
        What is swept; the whole sweep on a device when left out.
    tell : callable
        Is told in a few words what is done next, how many points are done, and how many there are.

    Returns
    -------
    dict
        What the file holds.

    Raises
    ------
    CompileError
        When there is no GPU, nor the simulator of one.
    SparsenetError
        When a form computes something wrong, or the file holds a study of another device.
    """
    from sparsenet_kernels.cuda.api import find_device, missing, versions

    if why := missing():
        raise CompileError(
            f"expected a CUDA GPU, got none ({why}); in Numba's simulator, NUMBA_ENABLE_CUDASIM=1, the study runs "
            "without times"
        )
    device = find_device()
    about = asdict(device) | {"capability": list(device.capability)}
    record = _begun(Path(path), {"device": about, "versions": versions() | _torch_version()})
    record.setdefault("host", here_line())
    layers = (grid or (TINY if device.simulated else WHOLE)).layers()
    end, points = time.monotonic() + seconds, record["points"]
    if not device.simulated and "limits" not in record:
        tell("measuring the device", 0, len(layers))
        record["limits"] = _limits()
    if not device.simulated and "network" not in record:
        tell("the bundled network", 0, len(layers))
        record["network"] = network_times()
    known = _Peers(points)
    for done, layer in enumerate(layers):
        if time.monotonic() > end:
            break
        if layer.key not in points:
            tell(layer.key, done, len(layers))
            points[layer.key] = _point(layer, device.l2_bytes, device.simulated, known)
            _write(Path(path), record)
    record["left"] = [layer.key for layer in layers if layer.key not in points]
    _write(Path(path), record)
    return record


def _begun(path: Path, about: Record) -> Record:
    """Go on with a study of the same device and versions, or begin one."""
    fresh = {"sparsenet": this_version} | about
    if not path.exists():
        return fresh | {"points": {}}
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    if any(record.get(name) != value for name, value in fresh.items()) or not isinstance(record.get("points"), dict):
        raise SparsenetError(f"expected a study of this device and these versions in {path}, got another; move it away")
    return record


def _write(path: Path, record: Record) -> None:
    write_whole(path, json.dumps(record, indent=1, allow_nan=False) + "\n")


def _torch_version() -> dict[str, str]:
    if not has_torch_on_a_gpu():
        return {}
    import torch

    return {"torch": str(torch.__version__), "torch's CUDA": str(torch.version.cuda)}


def _limits() -> Record:
    rates = cublas_rates() if has_torch_on_a_gpu() else {}
    return {"copy_bytes_per_s": copy_bytes_per_s(), "multiply_adds_per_s": rates, "launch": launch_time()}


class _Peers:
    """Times of peers by what they depend on: a dense matrix has no density, and none minds which inputs are active."""

    def __init__(self, points: Mapping[str, Record]) -> None:
        self._times: dict[tuple[object, ...], Record] = {}
        for point in points.values():
            layer = GpuLayer(**point["layer"])
            for name in PEERS:
                if name in point["contenders"]:
                    self._times[_depends_on(name, layer)] = point["contenders"][name]

    def at(self, name: str, layer: GpuLayer, measure: Callable[[], Record]) -> Record:
        """Recall a time, or measure it."""
        key = _depends_on(name, layer)
        if key not in self._times:
            self._times[key] = measure()
        return self._times[key]


def _depends_on(name: str, layer: GpuLayer) -> tuple[object, ...]:
    density = layer.density if name == "cuSPARSE CSR" else None
    return name, layer.size, layer.batch, density


def _point(layer: GpuLayer, cache_bytes: int, simulated: bool, known: _Peers) -> Record:
    packed = pack_random(layer.size, layer.per_set)
    turns = min(MOST_TURNS, max(2, MOST_INPUTS // (layer.batch * layer.size)))
    inputs = [inputs_of(layer, seed) for seed in range(2 if simulated else turns)]
    contenders = {name: _ours(name, layer, packed, inputs, cache_bytes, simulated) for name in FORMS}
    if not simulated and has_torch_on_a_gpu():
        for name in PEERS:
            contenders[name] = known.at(name, layer, partial(_peer, name, layer, packed, inputs, cache_bytes))
    return {"layer": layer.to_dict(), "contenders": contenders}


def _ours(
    name: str, layer: GpuLayer, packed: Packed, inputs: list[LayerInputs], cache_bytes: int, simulated: bool
) -> Record:
    form = FORMS[name]
    ready = prepare(form, layer, packed, inputs, cache_bytes)
    wrong = deviation(layer, packed, inputs[0], ready.first())
    if not wrong <= 1:
        raise SparsenetError(f"{name} at {layer.key}: expected the layer's outputs, got {wrong:.3g} times the error")
    counted = counts_of(form.counted_as, layer).to_dict()
    times = {} if simulated else {"time": device_time(ready.call).to_dict(), "turning_bytes": ready.turning_bytes}
    return {"kernel": form.kernel, "share_of_allowed_error": wrong, **counted, **times}


def _peer(name: str, layer: GpuLayer, packed: Packed, inputs: list[LayerInputs], cache_bytes: int) -> Record:
    counted = counts_of(PEERS[name], layer).to_dict()
    try:
        return counted | {"time": device_time(peer_call(name, layer, packed, inputs, cache_bytes)).to_dict()}
    except (CompileError, MemoryError) as error:
        return counted | {"left_out": str(error)}
