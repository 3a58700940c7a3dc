"""``sparsenet gpu-study``: complementary sets against the best dense of this GPU."""

from pathlib import Path

from sparsenet.bench.studies.gpu import gpu_study
from sparsenet.bench.studies.gpu.page import as_markdown, plot_crossover
from sparsenet.command_line import print_json
from sparsenet.commands.output import progress_bar
from sparsenet.whole_files import write_whole

__all__ = ["study_gpu"]


def study_gpu(target: Path, page: Path | None, plot: Path | None, seconds: float, as_json: bool) -> None:
    """Run the study, or go on with it; write the record and the page, print the page or the record."""
    with progress_bar() as bar:
        task = bar.add_task("preparing", total=None)
        record = gpu_study(
            target,
            seconds,
            tell=lambda step, done, total: bar.update(task, description=step, completed=done, total=total),
        )
    if plot:
        plot_crossover(record, plot)
    text = as_markdown(record)
    if page:
        write_whole(page, text)
    if as_json:
        print_json(record)
    elif not page:
        print(text)
