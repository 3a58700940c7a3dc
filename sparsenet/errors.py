"""The errors and warnings of this package. Errors are children of ``SparsenetError``; a wrong type is a TypeError."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AudioError",
    "CompileError",
    "GraphError",
    "ModelFormatError",
    "QuantizationWarning",
    "RangeError",
    "SparsenetError",
    "UnsupportedLayerError",
    "did_you_mean",
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


class QuantizationWarning(UserWarning):
    """A network that was rounded to 8 bits, though not all of it, or not for all of its calibration data."""


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """End a message that names what there is with the one that is most like what was given, if one is.

    Examples
    --------
    >>> did_you_mean("spoken-digit", ["spoken-digits", "spoken-digits-dense"])
    "; did you mean 'spoken-digits'?"
    >>> did_you_mean("net", ["spoken-digits"])
    ''
    """
    alike = {other.casefold(): other for other in names}
    given = str(name).casefold()
    close = get_close_matches(given, alike, 1) or [other for other in alike if given and other.startswith(given)]
    return f"; did you mean {alike[close[0]]!r}?" if close else ""
