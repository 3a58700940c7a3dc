"""``sparsenet roofline``: the limits of one core, and a network against them."""

from pathlib import Path

from sparsenet.bench.inputs import inputs_by_name_for
from sparsenet.command_line import print_json
from sparsenet.commands.output import results, spinner
from sparsenet.explain.roofline import roofline
from sparsenet.info import info, versions_line
from sparsenet.machine.limits import limits, limits_anew
from sparsenet.models import load
from sparsenet.tables import printable

__all__ = ["roofline_of"]


def roofline_of(model: str, batch: int, again: bool, plot: Path | None, as_json: bool) -> None:
    """Print the core's limits and every step of a network against them."""
    import sparsenet

    net = load(model)
    (limits_anew if again else limits)()  # shown before something else is
    with spinner(f"compiling {printable(model)}") as status:
        timed, calibration = inputs_by_name_for(net, batch)
        engine = sparsenet.compile(net, batch=batch, threads=1, examples=calibration, progress=False)
        status.update("timing every step")
        found = roofline(engine, timed)
    about = info()
    if as_json:
        print_json(found.to_dict() | {"info": about.to_dict()})
    else:
        results().print(found, f"With {printable(versions_line(about))}.", sep="\n")
    if plot:  # last, so that nothing is lost where it cannot be drawn
        from sparsenet.explain.roofline_plot import plot_roofline

        plot_roofline(found, plot)
