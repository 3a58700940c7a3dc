"""A picture of complementary sets laid over each other, one colour for each output, by matplotlib."""

from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.figures import for_any_page, new_figure, write_figure
from sparsenet.packing.packed import Packing

__all__ = ["overlay", "plot_packing"]

GOLDEN = 0.618033988749895
"""Steps of hue by the golden section keep neighbours apart, however many there are."""


def overlay(packing: Packing) -> npt.NDArray[np.int32]:
    """Say which output has each slot: (S, D) int32, the place of the output in its set, or -1 for an empty slot.

    Examples
    --------
    >>> from sparsenet import packing
    >>> overlay(packing.pack(np.array([[1, 0, 1, 0], [0, 1, 0, 0]]))).tolist()
    [[0, 1, 0, -1]]
    """
    keep = packing.keep.reshape(len(packing.keep), -1)
    order = np.argsort(packing.sets, kind="stable")
    sizes = np.bincount(packing.sets)
    place = np.empty(len(keep), np.int32)
    place[order] = np.arange(len(keep)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    slots = np.full((packing.count, keep.shape[1]), -1, np.int32)
    rows, columns = np.nonzero(keep)
    slots[packing.sets[rows], columns] = place[rows]
    return slots


@for_any_page
def plot_packing(packing: Packing, path: str | PathLike[str] | None = None, *, inputs: int = 200) -> Any:
    """Draw the outputs of the first set below each other, and all sets overlaid, one colour for each output of a set.

    Parameters
    ----------
    packing : Packing
    path : str or path, optional
        Where to write the figure; the ending says the format: png, svg, pdf.
    inputs : int
        How many inputs to draw, the first ones.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    SparsenetError
        If the ending is no format that matplotlib knows.
    """
    figure = new_figure(11, 6)
    slots = overlay(packing)[:, :inputs]
    first = int((packing.sets == 0).sum())
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 2])
    apart = np.where(slots[0] == np.arange(first)[:, None], slots[0], -1)
    above.imshow(_coloured(apart), aspect="auto", interpolation="nearest")
    above.set(title=f"The {first} outputs of set 0, apart", ylabel="output of the set")
    below.imshow(_coloured(slots), aspect="auto", interpolation="nearest")
    title = (
        f"{len(packing.keep):,} outputs overlaid in {packing.count:,} sets, {packing.fill:.1%} full ({packing.method})"
    )
    below.set(title=title, xlabel="input", ylabel="set")
    if path is not None:
        write_figure(figure, path)
    return figure


def _coloured(slots: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Give each number a colour of its own, and none to -1: red, green, blue and opacity (..., 4) from 0 to 1."""
    hue = slots * GOLDEN % 1
    bright = 0.65 + 0.25 * (slots % 3 / 2)
    sectors = (hue[..., None] * 6 + np.array([0.0, 4.0, 2.0])) % 6
    pure = np.clip(np.abs(sectors - 3) - 1, 0, 1)
    colours = bright[..., None] * (0.15 + 0.85 * pure)
    return np.concatenate([colours, (slots >= 0)[..., None]], axis=-1)
