"""What others have published of this network on other hardware."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["COUNTED", "DAY_S", "ESTIMATED", "FIGURES", "LIFETIME_S", "UNKNOWN", "Figure"]

COUNTED, ESTIMATED, UNKNOWN = "counted", "estimated", "unknown"
"""Where the joules of a run come from."""

DAY_S = 86_400
LIFETIME_S = 80 * 365.25 * 12 * 3_600
"""The sound that somebody hears in 80 years of 12 hours a day, in seconds."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    what : str
    words_per_s : float
        A word is one second of sound.
    watts : float or None
        Of the board, as its maker specifies it; nobody measured it at work.
    standing : str
        "published": where it was is said in ``source``. Figures that nobody can look up have no place here.
    source : str
    """

    what: str
    words_per_s: float
    watts: float | None
    standing: str
    source: str

    @property
    def joules_per_word(self) -> float | None:
        """The board's watts over its words a second; None where nobody gave watts."""
        return None if self.watts is None else self.watts / self.words_per_s

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        return asdict(self) | {"joules_per_word": self.joules_per_word}


FIGURES = (
    Figure(
        "FPGA (Alveo U250), whole chip, sparse twice",
        15.8 * DAY_S,
        215.0,
        "published",
        "the forum thread on the paper (15.8 days of sound a second; 215 W is the board's specification)",
    ),
)
