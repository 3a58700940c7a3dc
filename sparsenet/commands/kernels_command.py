"""``sparsenet kernels``: the registry, one kernel, and kernels from a file of one's own."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb

from sparsenet.command_line import print_json
from sparsenet.commands.output import results
from sparsenet.errors import SparsenetError
from sparsenet.explain.kernel_view import kernel_rows, kernel_table, show_kernel
from sparsenet_kernels.registry import kernels

__all__ = ["show_kernels", "use_file"]


def show_kernels(name: str | None, use: Path | None, as_json: bool) -> None:
    """Print the list of kernels, or one of them."""
    use_file(use)
    if as_json:
        print_json(kernel_rows() if name is None else show_kernel(name).to_dict())
        return
    console = results()
    console.print(kernel_table(console.width) if name is None else show_kernel(name))


def use_file(path: Path | None) -> None:
    """Run a Python file that registers kernels; nothing without one.

    Raises
    ------
    SparsenetError
        When it is no Python file, fails, or registers no kernel.
    """
    if path is None:
        return
    if path.suffix != ".py" or not path.is_file():
        raise SparsenetError(f"expected a Python file that registers kernels, got {path}")
    spec = spec_from_file_location(f"kernels_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # where inspect looks for the source
    before = set(map(id, kernels().values()))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise SparsenetError(f"{path} failed{_line_of(path, error)}: {type(error).__name__}: {error}") from None
    if before == set(map(id, kernels().values())):
        raise SparsenetError(f"expected {path} to register kernels, it registers none; see sparsenet_kernels.kernel")


def _line_of(path: Path, error: BaseException) -> str:
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" in line {lines[-1]}" if lines else ""
