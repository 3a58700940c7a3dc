"""``sparsenet info``: versions, machine, threads, kernel cache."""

from sparsenet.command_line import print_json
from sparsenet.commands.output import results
from sparsenet.info import info

__all__ = ["show_info"]


def show_info(as_json: bool) -> None:
    """Print what a bug report should name."""
    about = info()
    if as_json:
        print_json(about.to_dict())
    else:
        results().print(about)
