"""What this package raises: children of ``SparsenetError``; wrong Python types raise ``TypeError``."""

__all__ = [
    "AudioError",
    "CompileError",
    "GraphError",
    "ModelFormatError",
    "RangeError",
    "SparsenetError",
    "UnsupportedLayerError",
]


class SparsenetError(ValueError):
    """Anything that a caller of sparsenet did, or gave, that cannot be right."""


class GraphError(SparsenetError):
    """A network that cannot mean anything: shapes that do not fit, cycles, weights that are not finite."""


class ModelFormatError(SparsenetError):
    """A file that does not hold a valid network."""


class AudioError(SparsenetError):
    """A recording that cannot be read, or holds nothing that can be heard."""


class CompileError(SparsenetError):
    """A network that this machine cannot be asked to run in the way that was asked for."""


class UnsupportedLayerError(SparsenetError):
    """A module to import that computes something that no layer of this package can."""


class RangeError(SparsenetError):
    """A network whose values leave the numbers that float32 can hold, with weights and inputs that do not."""
