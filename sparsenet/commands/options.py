"""Options that several commands share, and checks before anything runs."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Again", "Anew", "Model", "Models", "Plot", "Record", "Use", "Watts", "writable"]


def writable(path: Path | None) -> Path | None:
    """Refuse an unwritable path at once, not after minutes of work."""
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise typer.BadParameter(f"expected a file in a folder that exists, got {path}")
    return path


def _figure(path: Path | None) -> Path | None:
    if path is not None and path.suffix not in (".png", ".svg", ".pdf"):
        raise typer.BadParameter(f"expected a name that ends with .png, .svg or .pdf, got {path}")
    if path is not None and find_spec("matplotlib") is None:
        raise typer.BadParameter('drawing needs matplotlib; pip install "sparsenet[notebooks]"')
    return writable(path)


Plot = Annotated[
    Path | None,
    typer.Option(
        help="Draw a figure: png, svg or pdf; needs matplotlib.",
        metavar="FILE",
        callback=_figure,
        show_default=False,
    ),
]
Use = Annotated[
    Path | None,
    typer.Option(help="A Python file that registers kernels of your own.", metavar="FILE.py", show_default=False),
]
Record = Annotated[
    Path | None,
    typer.Option(help="Write the JSON to a file, too.", metavar="FILE", callback=writable, show_default=False),
]
Model = Annotated[
    str, typer.Argument(help="Name of a bundled network, or path of a .safetensors or .onnx file.", metavar="MODEL")
]
Again = Annotated[bool, typer.Option("--again", help="Measure again what was measured before.")]
Anew = Annotated[bool, typer.Option("--anew", hidden=True)]
"""What ``--again`` was called in one command."""
Models = Annotated[
    list[str] | None,
    typer.Argument(help="Names of bundled networks, or paths of files.", metavar="[MODEL]...", show_default=False),
]
Watts = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        max=100_000,
        help="Watts that a busy core draws: your own figure, used where the machine has no counter.",
    ),
]
