"""Keep measured maps as JSON beside the machine's limits; another machine or other kernels are measured anew."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsenet.machine.facts import machine
from sparsenet_kernels.cache import cache_directory

__all__ = ["keep_map", "kept_map", "map_path"]


def map_path(question: Mapping[str, Any]) -> Path | None:
    """Say where the map for a question is kept; None where nothing is kept."""
    kernels = cache_directory()
    if kernels is None:
        return None
    key = repr((sorted(question.items()), machine(), kernels.name))  # the folder of kernels names their sources
    return kernels.parent / "crossover" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


def kept_map(question: Mapping[str, Any]) -> Any:
    """Read what was kept for a question; None where there is nothing that can be read."""
    path = map_path(question)
    try:
        return None if path is None else json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def keep_map(question: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Write a map; where nothing can be written, the next process measures again."""
    path = map_path(question)
    if path is None:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(record, file)
        os.replace(aside, path)
    except OSError:
        return
