"""The features that a network was trained on: the sizes and the scale of its log-mel image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sparsenet.errors import ModelFormatError, SparsenetError

__all__ = ["FrontEnd"]

# Limits for what a model file may ask for: wider than any real front end, and small enough to be harmless.
_LIMITS = {
    "sample_rate_hz": (1_000, 192_000),
    "samples": (1, 2**22),
    "window": (2, 2**16),
    "hop": (1, 2**22),
    "bands": (1, 1_024),
    "frames": (1, 2**16),
    "floor_db": (-1_000.0, -1e-3),
    "offset_db": (-1_000.0, 1_000.0),
    "scale_db": (1e-3, 1e6),
}
_LARGEST_ELEMENTS = 2**24  # of one clip's frames, and of the filters: 128 MiB in float64


@dataclass(frozen=True)
class FrontEnd:
    """Say how a waveform becomes features; the default is that of the published spoken-digit networks.

    Parameters
    ----------
    sample_rate_hz : int
        Samples a second of the waveforms.
    samples : int
        Length of one waveform.
    window, hop : int
        Samples in one frame of the spectrum, and from one frame to the next.
    bands, frames : int
        Height and width of the features.
    floor_db : float
        Everything quieter than this counts as this; relative to the loudest element, so below zero.
    offset_db, scale_db : float
        Features are ``(dB + offset_db) / scale_db``.

    Raises
    ------
    TypeError
        If a value is not a plain int or float.
    SparsenetError
        If a value is not finite, is out of range, or does not fit the others.

    Examples
    --------
    >>> FrontEnd().frames
    32
    >>> FrontEnd(hop=256, frames=63).shape
    (1, 32, 63)
    """

    sample_rate_hz: int = 16_000
    samples: int = 16_000
    window: int = 2_048
    hop: int = 512
    bands: int = 32
    frames: int = 32
    floor_db: float = -80.0
    offset_db: float = 40.0
    scale_db: float = 40.0

    def __post_init__(self) -> None:
        for name in _LIMITS:
            _check_number(name, getattr(self, name))
        _check_sizes(self)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one clip's features: (1, bands, frames)."""
        return 1, self.bands, self.frames

    def to_dict(self) -> dict[str, int | float]:
        """Return the fields as plain numbers, fit for JSON; ``from_dict`` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, object]) -> FrontEnd:
        """Read a front end from a mapping that may come from an untrusted file.

        Parameters
        ----------
        mapping : mapping of str to number
            Any of the fields; the others keep their default.

        Returns
        -------
        FrontEnd

        Raises
        ------
        ModelFormatError
            If it is not a mapping, has a key that is no field, a value of another type, or an absurd value.

        Examples
        --------
        >>> FrontEnd.from_dict({"bands": 40}).bands
        40
        """
        if not isinstance(mapping, Mapping):
            raise ModelFormatError(f"expected a front end as a mapping of names to numbers, got {_shown(mapping)}")
        known = [field.name for field in fields(cls)]
        unknown = [key for key in mapping if key not in known]
        if unknown:
            raise ModelFormatError(f"expected a front end of {', '.join(known)}; got {_shown(unknown[0])} as well")
        values: dict[str, Any] = dict(mapping)
        try:
            return cls(**values)
        except (TypeError, SparsenetError) as error:
            raise ModelFormatError(f"front end: {error}") from error


def _check_number(name: str, value: object) -> None:
    """Refuse a field that is of another type, not finite or out of range."""
    low, high = _LIMITS[name]
    kinds = (int,) if isinstance(low, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        expected = "an integer" if kinds == (int,) else "a number"
        raise TypeError(f"expected {name} to be {expected}, got {_shown(value)}")
    if not low <= value <= high:  # also refuses NaN
        raise SparsenetError(f"expected {name} from {low} to {high}, got {_shown(value)}")


def _check_sizes(front_end: FrontEnd) -> None:
    """Refuse fields that do not fit each other."""
    padded = front_end.samples + front_end.window // 2 * 2
    available = 1 + (padded - front_end.window) // front_end.hop
    if front_end.frames > available:
        raise SparsenetError(
            f"expected at most {available} frames from {front_end.samples} samples "
            f"(window {front_end.window}, hop {front_end.hop}), got {front_end.frames}"
        )
    elements = front_end.window * max(front_end.frames, front_end.bands)
    if elements > _LARGEST_ELEMENTS:
        raise SparsenetError(
            f"expected window * frames and window * bands of at most {_LARGEST_ELEMENTS}, got {elements}"
        )


def _shown(value: object) -> str:
    """Return a value as text for a message: short, and safe for whatever a file may hold."""
    if isinstance(value, str):
        return repr(value[:40]) + ("..." if len(value) > 40 else "")
    if isinstance(value, int) and abs(value) >= 10**18:
        return "an integer of more than 18 digits"
    return repr(value) if isinstance(value, int | float | None) else f"an object of type {type(value).__name__}"
