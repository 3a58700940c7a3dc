"""``sparsenet profile``: where an engine's time goes."""

from sparsenet.bench.inputs import inputs_by_name_for
from sparsenet.command_line import print_json
from sparsenet.commands.output import measured_on, results, spinner
from sparsenet.explain.profile import profile
from sparsenet.info import info
from sparsenet.machine.limits import limits
from sparsenet.models import load
from sparsenet.tables import printable

__all__ = ["profile_model"]


def profile_model(model: str, batch: int, as_json: bool) -> None:
    """Print the time, the work and the share of the machine's limit of every step."""
    import sparsenet

    net = load(model)
    limits()  # measured the first time, and shown before something else is
    with spinner(f"compiling {printable(model)}") as status:
        timed, calibration = inputs_by_name_for(net, batch)
        engine = sparsenet.compile(net, batch=batch, threads=1, examples=calibration, progress=False)
        status.update("timing every step")
        found = profile(engine, timed)
    if as_json:
        print_json(found.to_dict() | {"info": info().to_dict()})
    else:
        results().print(found, measured_on(), sep="\n")
