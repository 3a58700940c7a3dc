"""The command line: parse, call one public function, say in one sentence what went wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sparsenet import __version__
from sparsenet.command_line import SETTINGS, Json, run
from sparsenet.commands.bench_options import (
    Actives,
    Batches,
    Benched,
    Densities,
    Masks,
    Mlperf,
    Page,
    Rounds,
    SecondsOfRun,
    SingleLayers,
    StudyRecord,
    StudySeconds,
    Threads,
)
from sparsenet.commands.options import Again, Anew, Model, Models, Plot, Record, Use, Watts

__all__ = ["app", "main"]

app = typer.Typer(
    name="sparsenet",
    help="Run networks that are sparse twice: few weights, few active units.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
    rich_markup_mode="rich",
)


@app.command(epilog="Example: sparsenet demo --json > results.json")
def demo(
    json: Json = False,
    rounds: Annotated[int, typer.Option(min=1, max=100_000, help="Rounds of the comparison.")] = 25,
) -> None:
    """Hear the bundled recordings, then race the dense twin."""
    from sparsenet.commands.demo_command import demo as run_demo

    run_demo(json, rounds)


@app.command(epilog="Example: sparsenet recognize recordings/ take1.wav --json")
def recognize(
    paths: Annotated[list[str], typer.Argument(help="Sound files, or folders of them.", metavar="FILE|DIR...")],
    model: Annotated[str, typer.Option(help="Name of a bundled network, or path of a file.")] = "spoken-digits",
    json: Json = False,
) -> None:
    """Say which word is heard in each sound file."""
    from sparsenet.commands.recognize_command import recognize_files

    recognize_files(paths, model, json)


@app.command(epilog="Example: sparsenet inspect spoken-digits")
def inspect(
    model: Model = "spoken-digits",
    json: Json = False,
) -> None:
    """Show a network's layers, and how much there is to multiply in it."""
    from sparsenet.commands.inspect_command import inspect_model

    inspect_model(model, json)


@app.command(epilog="Example: sparsenet bench --layers resnet50 --density 0.05,0.2")
def bench(
    model: Benched = None,
    batch: Batches = "",
    threads: Threads = "1,N",
    rounds: Rounds = 50,
    seconds: SecondsOfRun = 20.0,
    layers: SingleLayers = False,
    density: Densities = "0.05",
    active: Actives = "0.1",
    mask: Masks = "blocks,scattered",
    mlperf: Mlperf = False,
    json: Json = False,
    record: Record = None,
    plot: Plot = None,
    use: Use = None,
) -> None:
    """Compare this engine and its peers on the same network, in turn; whatever is installed takes part."""
    from sparsenet.commands.bench_command import Wishes, bench_layers, bench_mlperf, bench_network
    from sparsenet.commands.kernels_command import use_file

    use_file(use)
    if layers and mlperf:
        raise typer.BadParameter("expected --layers or --mlperf, got both")
    wishes = Wishes(batch or ("1,16" if layers else "1,8,64,256"), threads, rounds, seconds, json, record, plot)
    if layers:
        bench_layers("linear" if model is None else model, density, active, mask, wishes)
    elif mlperf:
        bench_mlperf("spoken-digits" if model is None else model, wishes)
    else:
        bench_network("spoken-digits" if model is None else model, wishes)


@app.command("gpu-study", epilog="Example: sparsenet gpu-study --record h100.json --page h100.md --plot h100.svg")
def gpu_study(
    record: StudyRecord = Path("gpu-study.json"),
    page: Page = None,
    plot: Plot = None,
    json: Json = False,
    seconds: StudySeconds = 420.0,
) -> None:
    """Ask this GPU whether the overlap works on it; in Numba's simulator, check and count without times."""
    from sparsenet.commands.gpu_command import study_gpu

    study_gpu(record, page, plot, seconds, json)


@app.command(epilog="Example: sparsenet profile spoken-digits")
def profile(
    model: Model = "spoken-digits",
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Samples of one call.")] = 1,
    json: Json = False,
) -> None:
    """Show where the time goes: every step's time, work, bytes, and share of what this core could do."""
    from sparsenet.commands.profile_command import profile_model

    profile_model(model, batch, json)


@app.command(epilog="Example: sparsenet roofline spoken-digits --plot roofline.png")
def roofline(
    model: Model = "spoken-digits",
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Samples of one call.")] = 1,
    again: Again = False,
    anew: Anew = False,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Measure what one core can do at most, and hold every layer against it."""
    from sparsenet.commands.roofline_command import roofline_of

    roofline_of(model, batch, again or anew, plot, json)


@app.command(epilog="Example: sparsenet residency spoken-digits spoken-digits-dense")
def residency(
    models: Models = None,
    sizes: Annotated[
        str,
        typer.Option(
            help="Linear layers of n x n to time too, with commas between; 0 for none. Dense, they take 4 n² bytes."
        ),
    ] = ("512,1024,2048,4096"),
    seconds: Annotated[
        float, typer.Option(min=0.01, max=3_600, help="About how long each number of the table is measured.")
    ] = 1.0,
    json: Json = False,
    plot: Plot = None,
) -> None:
    """Say how much of the speed is cache: hot, with caches displaced before each word, and with ever larger layers."""
    from sparsenet.commands.residency_command import residency_of

    residency_of(models or ["spoken-digits"], sizes, seconds, plot, json)


@app.command(epilog="Example: sparsenet energy spoken-digits spoken-digits-dense --watts 5")
def energy(
    models: Models = None,
    watts: Watts = None,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Samples of one call of the larger run.")] = 64,
    seconds: Annotated[
        float, typer.Option(min=0.01, max=86_400, help="How long each of the two runs of a network takes.")
    ] = 3.0,
    json: Json = False,
) -> None:
    """Say what a word costs in joules, and how many days of sound a second hears."""
    from sparsenet.commands.energy_command import energy_of

    energy_of(models or ["spoken-digits"], watts, batch, seconds, json)


@app.command(epilog="Example: sparsenet kernels linear_f32_blocks_active")
def kernels(
    name: Annotated[
        str | None,
        typer.Argument(help="A kernel to look at; all are listed when left out.", metavar="NAME", show_default=False),
    ] = None,
    use: Use = None,
    json: Json = False,
) -> None:
    """List the kernels, or show one: its Python, its definition, and what LLVM made of it."""
    from sparsenet.commands.kernels_command import show_kernels

    show_kernels(name, use, json)


@app.command(epilog="Example: sparsenet explain spoken-digits")
def explain(
    model: Model = "spoken-digits",
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Samples of one call.")] = 1,
    measure: Annotated[bool, typer.Option(help="Time every layer, or only predict.")] = True,
    json: Json = False,
) -> None:
    """Say why each layer is fast or slow here: its kernel against the dense one, what binds it, what would help."""
    from sparsenet.commands.explain_command import explain_model

    explain_model(model, batch, measure, json)


@app.command("what-if", epilog="Example: sparsenet what-if spoken-digits --density 0.05 --active 0.1 --measure")
def what_if(
    model: Model = "spoken-digits",
    density: Annotated[
        float | None, typer.Option(help="Fraction of weights kept; each layer's own when left out.", show_default=False)
    ] = None,
    active: Annotated[
        float | None, typer.Option(help="Fraction of winners; each layer's own when left out.", show_default=False)
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="Masks of this family only; all families when left out.", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=4096, help="Samples of one call.")] = 1,
    measure: Annotated[bool, typer.Option("--measure", help="Compile and time each network as well.")] = False,
    json: Json = False,
) -> None:
    """Say how fast a network would be with other masks or fewer winners, before anyone trains it."""
    from sparsenet.commands.explain_command import ask_what_if

    ask_what_if(model, batch, density, active, family, measure, json)


@app.command(epilog="Example: sparsenet crossover --sizes 512 --batches 1 --plot crossover.png")
def crossover(
    sizes: Annotated[str, typer.Option(help="Inputs and outputs of a linear layer, with commas between.")] = "256,1024",
    densities: Annotated[str, typer.Option(help="Fractions of weights kept.")] = "0.02,0.05,0.1,0.2,0.5,1",
    active: Annotated[str, typer.Option(help="Fractions of inputs active.")] = "0.02,0.05,0.1,0.2,0.5,1",
    batches: Annotated[str, typer.Option(help="Samples of one call.")] = "1,16",
    family: Annotated[str, typer.Option(help="Masks of this family.")] = "uniform",
    dtype: Annotated[str, typer.Option(help="float32 or int8.")] = "float32",
    measure: Annotated[bool, typer.Option(help="Time kernels, or only predict.")] = True,
    again: Again = False,
    anew: Anew = False,
    json: Json = False,
    plot: Plot = None,
) -> None:
    """Map where each kernel and the dense one win on this machine, over density, active inputs, size and batch."""
    from sparsenet.commands.crossover_command import Axes, map_crossover

    map_crossover(Axes(sizes, densities, active, batches), family, dtype, measure, again or anew, json, plot)


@app.command(epilog="Example: sparsenet info --json")
def info(json: Json = False) -> None:
    """Show versions, machine, threads and kernel cache, as a bug report should."""
    from sparsenet.commands.info_command import show_info

    show_info(json)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sparsenet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Run networks that are sparse twice: few weights, few active units."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0, or 2 after one sentence on the standard error.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process when left out.
    """
    run(app, "sparsenet", arguments)
