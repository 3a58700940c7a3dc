"""``sparsenet energy``: what a word costs."""

from collections.abc import Callable, Iterator, Sequence

from sparsenet.bench.inputs import inputs_for
from sparsenet.bench.studies.energy import Energy, energy
from sparsenet.bench.studies.energy_table import energy_lines, energy_table
from sparsenet.bench.studies.published import FIGURES
from sparsenet.command_line import print_json
from sparsenet.commands.output import results, spinner
from sparsenet.graph.network import Network
from sparsenet.info import info, versions_line
from sparsenet.machine.cores import usable_cores
from sparsenet.models import load
from sparsenet.speech.recognize import front_end_of
from sparsenet.tables import printable

__all__ = ["energy_of"]


def energy_of(models: Sequence[str], watts: float | None, batch: int, seconds: float, as_json: bool) -> None:
    """Print joules, words and days of sound: one word at a time on one core, and batches on all."""
    networks = {name: load(name) for name in models}
    found: list[Energy] = []
    with spinner("preparing") as status:
        for name, net in networks.items():
            found += _runs(name, net, watts, batch, seconds, status.update)
    about = info()
    if as_json:
        own = {"published": [figure.to_dict() for figure in FIGURES], "memory": about.memory.to_dict()}
        print_json({"runs": [one.to_dict() for one in found]} | own | {"info": about.to_dict()})
        return
    console = results()
    console.print(energy_table(found, console.width))
    console.print(*map(printable, energy_lines(found)), sep="\n")
    console.print(f"With {printable(versions_line(about))}.")


def _runs(
    name: str, net: Network, watts: float | None, batch: int, seconds: float, tell: Callable[[str], object]
) -> Iterator[Energy]:
    import sparsenet

    inputs = inputs_for(net, batch)
    for size, threads in dict.fromkeys([(1, 1), (batch, usable_cores())]):
        tell(f"compiling {printable(name)} for batches of {size}")
        engine = sparsenet.compile(net, batch=size, threads=threads, examples=inputs.calibration, progress=False)
        tell(f"running {printable(name)} in batches of {size}")
        yield energy(engine, inputs.timed, watts=watts, seconds=seconds, word_s=_word_s(net), name=name)


def _word_s(net: Network) -> float:
    """Say how many seconds of sound one sample is: a network of anything else is counted as if it were one."""
    if "front_end" not in net.details:
        return 1.0
    front_end = front_end_of(net)
    return front_end.samples / front_end.sample_rate_hz
