"""Numbers with their units, as people write them."""

__all__ = ["as_share", "as_size"]

HALF_UP = 1e-9
"""Added before rounding: 88.85 is a little less than that in binary, and people round it up."""


def as_share(share: float) -> str:
    """Write a share as a percentage; a small share is never rounded to zero.

    Examples
    --------
    >>> as_share(0.04), as_share(1.0), as_share(0.00012), as_share(0.0), as_share(0.8885)
    ('4.0 %', '100 %', '0.012 %', '0 %', '88.9 %')
    """
    percent = share * 100
    if percent in (0, 100):
        return f"{percent:.0f} %"
    return f"{percent + HALF_UP:.1f} %" if percent >= 1 else f"{percent:.2g} %"


def as_size(size_bytes: int | None) -> str:
    """Write a size as people say it.

    Examples
    --------
    >>> as_size(2 * 2**20), as_size(700), as_size(None)
    ('2.0 MiB', '700 B', 'unknown')
    """
    if size_bytes is None:
        return "unknown"
    if size_bytes < 1024:
        return f"{size_bytes} B"
    power = min((size_bytes.bit_length() - 1) // 10, 4)
    return f"{size_bytes / 1024**power:.1f} {'KMGT'[power - 1]}iB"
