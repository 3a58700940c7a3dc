"""The only module that imports Numba's CUDA target: whoever replaces that, replaces this.

numba-cuda (extra ``gpu``) takes the place of the target that is built into Numba; both are ``numba.cuda``.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numba import config
from numpy.typing import NDArray

try:
    from numba import cuda as numba_cuda
except ImportError:  # a Numba that leaves its CUDA target to numba-cuda, which is not installed
    numba_cuda = None

__all__ = [
    "Device",
    "carve",
    "cuda",
    "device_function",
    "find_device",
    "is_device_array",
    "is_simulated",
    "missing",
    "on_device",
    "upload",
    "versions",
]

cuda: Any = numba_cuda
"""Numba's module itself: the simulator puts another in its place where a kernel's module has it as a global name."""


@dataclass(frozen=True)
class Device:
    """The GPU that kernels run on, as Numba sees it.

    ``capability`` is NVIDIA's compute capability; ``rate`` of the memory and of the units must be measured.
    """

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    l2_bytes: int
    memory_bytes: int
    simulated: bool


def is_simulated() -> bool:
    """Tell whether Numba's simulator stands in for a GPU: set before ``numba`` was imported, it stays so."""
    return bool(config.ENABLE_CUDASIM)


def device_function(function: Callable[..., Any]) -> Any:
    """Compile a helper that kernels call. The simulator's own stand-in takes 20 µs a call, so there it stays Python."""
    return function if is_simulated() else cuda.jit(device=True)(function)


def missing() -> str:
    """Say what is missing before kernels can run on a GPU; "" where nothing is."""
    if cuda is None:
        return "Numba's CUDA target is not installed"
    if cuda.is_available():
        return ""
    reason = getattr(cuda, "cuda_error", lambda: None)()
    return " ".join(str(reason or "the driver finds no device").split())


def find_device() -> Device:
    """Describe the current device."""
    if is_simulated():
        return Device("Numba's CUDA simulator", (0, 0), 1, 0, 0, True)
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    facts = device.MULTIPROCESSOR_COUNT, device.L2_CACHE_SIZE, cuda.current_context().get_memory_info().total
    return Device(name, tuple(device.compute_capability), *(int(fact) for fact in facts), False)


def versions() -> dict[str, str]:
    """Return the versions of what lies between a kernel and the device."""
    if is_simulated():
        return {"target": "numba.cuda simulator"}
    from importlib import metadata

    known = {"runtime": ".".join(map(str, cuda.runtime.get_version()))}
    try:
        known["numba-cuda"] = metadata.version("numba-cuda")
    except metadata.PackageNotFoundError:
        known["numba-cuda"] = "built into numba"
    return known | {"visible devices": os.environ.get("CUDA_VISIBLE_DEVICES", "all")}


def is_device_array(x: Any) -> bool:
    """Tell whether an array lies on a device: Numba's own, or any with ``__cuda_array_interface__``."""
    return hasattr(x, "__cuda_array_interface__") or bool(getattr(x, "__cuda_ndarray__", False))


def on_device(x: Any) -> Any:
    """See any array on the device as one of Numba's; work that its owner has queued is waited for, on the device."""
    return x if getattr(x, "__cuda_ndarray__", False) else cuda.as_cuda_array(x)


def carve(memory: Any, offset: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """See bytes of device memory from an offset on as an array in C order; nothing is copied."""
    size = prod(shape) * np.dtype(dtype).itemsize
    if size == 0:
        return cuda.device_array(shape, dtype)
    return memory[offset : offset + size].view(dtype).reshape(*shape)


def upload(array: NDArray[Any]) -> Any:
    """Copy an array to the device, in C order."""
    return cuda.to_device(np.ascontiguousarray(array))
