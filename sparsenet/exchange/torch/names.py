"""Name layers after the torch modules that they come from."""

from sparsenet.exchange.builder import fitting
from sparsenet.exchange.torch.masks import wraps_weights
from sparsenet.exchange.torch.run import Module, Trace

__all__ = ["step_name", "wrapper_of"]


def step_name(recording: Trace, function: str) -> str:
    """Name a step after the module that calls the function: alone if it has no parts and calls nothing else."""
    visit, wrapper = recording.visits[-1], wrapper_of(recording)
    path = visit.path
    if wrapper is not None and wraps_weights(wrapper, visit.module):
        path = recording.visits[-2].path
    elif visit.functions or any(name != "parametrizations" for name, _ in visit.module.named_children()):
        path = f"{visit.path}.{function}".removeprefix(".")
    return fitting(recording.builder, path or function)


def wrapper_of(recording: Trace) -> Module | None:
    """Return the module that called the one that is running."""
    return recording.visits[-2].module if len(recording.visits) > 1 else None
