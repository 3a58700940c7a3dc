"""Measured limits as JSON files beside the compiled kernels, one file for each kind of machine."""

import hashlib
import json
from math import isfinite
from pathlib import Path
from typing import Any

from sparsenet.machine.core_limits import Limits
from sparsenet.machine.facts import Machine
from sparsenet.machine.measure_limits import LARGEST_BYTES
from sparsenet.whole_files import write_whole
from sparsenet_kernels.cache import cache_directory

__all__ = ["limits_path", "read_limits", "write_limits"]


def limits_path(here: Machine) -> Path | None:
    """Give the file for the limits of such a machine; None where nothing is kept on disk."""
    kernels = cache_directory()
    if kernels is None:
        return None
    caches = here.l1d_bytes, here.l2_bytes, here.l3_bytes, here.memory_bytes, LARGEST_BYTES
    key = repr((here.model, here.architecture, here.llvm_name, here.features, here.vector_bits, caches))
    return kernels.parent / "limits" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


def read_limits(path: Path) -> Limits | None:
    """Read kept limits; None where there is no file, or a file with impossible values."""
    try:
        kept = json.loads(path.read_text(encoding="ascii"))
        rates = {str(name): _positive(rate) for name, rate in kept["read_bytes_per_s"].items()}
        sizes = {str(name): int(_positive(size)) for name, size in kept["level_bytes"].items()}
        if sizes.keys() != rates.keys() or "memory" not in rates:
            return None
        byte_rates = {str(name): _positive(rate) for name, rate in kept["byte_multiply_adds_per_s"].items()}
        clock_hz, rate = _positive(kept["clock_hz"]), _positive(kept["multiply_adds_per_s"])
        return Limits(clock_hz, rate, rates, sizes, byte_rates) if "bytes" in byte_rates else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _positive(value: Any) -> float:
    number = float(value)
    if not (isfinite(number) and number > 0):
        raise ValueError(f"expected a positive number, got {value}")
    return number


def write_limits(path: Path, measured: Limits) -> None:
    """Write limits; where nothing can be written, the next process measures again."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps(measured.to_dict()))
    except OSError:
        return
