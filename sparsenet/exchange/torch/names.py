"""What the layers of a recording are called: after the modules that they come from."""

from sparsenet.exchange.report import Note
from sparsenet.exchange.torch.masks import wraps_weights
from sparsenet.exchange.torch.run import Module, Recording

__all__ = ["step_name", "unused", "wrapper_of"]

LONGEST_PATH = 170
"""A longer path is shortened in its middle: with what is put behind it, a name stays below 200 characters."""

KEPT_AT_START = 40


def step_name(recording: Recording, function: str) -> str:
    """Name a step after the module that calls the function: alone if it has no parts and calls nothing else."""
    visit, wrapper = recording.visits[-1], wrapper_of(recording)
    path = visit.path
    if wrapper is not None and wraps_weights(wrapper, visit.module):
        path = recording.visits[-2].path
    elif visit.functions or any(name != "parametrizations" for name, _ in visit.module.named_children()):
        path = f"{visit.path}.{function}".removeprefix(".")
    path = path or function
    if len(path) <= LONGEST_PATH:
        return unused(recording, path)
    name = unused(recording, f"{path[:KEPT_AT_START]}…{path[KEPT_AT_START - LONGEST_PATH + 1 :]}")
    recording.notes.append(Note(name, f"its path has {len(path)} characters, of which its name leaves out the middle"))
    return name


def wrapper_of(recording: Recording) -> Module | None:
    """Return the module that called the one that is running."""
    return recording.visits[-2].module if len(recording.visits) > 1 else None


def unused(recording: Recording, name: str) -> str:
    """Count further uses of a name: "relu", "relu:2", "relu:3"."""
    unique, count = name, 1
    while unique in recording.shapes:
        count += 1
        unique = f"{name}:{count}"
    return unique
