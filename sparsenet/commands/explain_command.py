"""``sparsenet explain`` and ``sparsenet what-if``: why a network is as fast as it is, and what others would take."""

from sparsenet.bench.inputs import inputs_by_name_for
from sparsenet.command_line import print_json
from sparsenet.commands.output import measured_on, results, spinner
from sparsenet.explain.explain import explain
from sparsenet.explain.what_if import what_if
from sparsenet.info import info
from sparsenet.machine.limits import limits
from sparsenet.models import load
from sparsenet.tables import printable

__all__ = ["ask_what_if", "explain_model"]


def explain_model(model: str, batch: int, measure: bool, as_json: bool) -> None:
    """Print each layer's kernel against the dense one, what binds it, and what would help."""
    import sparsenet

    net = load(model)
    if measure:
        limits()  # measured the first time, and shown before something else is
    with spinner(f"compiling {printable(model)}") as status:
        timed, calibration = inputs_by_name_for(net, batch)
        planner = "measure" if measure else "predict"
        engine = sparsenet.compile(net, batch=batch, threads=1, planner=planner, examples=calibration, progress=False)
        status.update("holding every layer against dense kernels" if measure else "predicting")
        found = explain(engine, timed, measure=measure, progress=False)
    if as_json:
        print_json(found.to_dict() | {"info": info().to_dict()})
    else:
        results().print(found, measured_on(measure), sep="\n")


def ask_what_if(
    model: str,
    batch: int,
    density: float | None,
    active: float | None,
    family: str | None,
    measure: bool,
    as_json: bool,
) -> None:
    """Print how fast a network would be with other masks or fewer winners."""
    net = load(model)
    with spinner("planning networks with other masks"):
        examples = inputs_by_name_for(net, batch)[1] if measure else None
        found = what_if(
            net,
            density=density,
            active=active,
            batch=batch,
            family=family,
            measure=measure,
            examples=examples,
            progress=False,
        )
    if as_json:
        print_json(found.to_dict() | {"info": info().to_dict()})
    else:
        results().print(found, measured_on(measure), sep="\n")
