"""``sparsenet kernels``: the registry, one kernel, and kernels from a file of one's own."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from sparsenet.commands.output import print_json, results
from sparsenet.errors import SparsenetError
from sparsenet.insight.kernel_view import kernel_table, show_kernel
from sparsenet_kernels.registry import kernels

__all__ = ["show_kernels", "use_file"]


def show_kernels(name: str, use: Path | None, as_json: bool) -> None:
    """Print the list of kernels, or one of them."""
    use_file(use)
    if as_json:
        print_json(show_kernel(name).to_dict() if name else sorted(kernels()))
        return
    results().print(show_kernel(name) if name else kernel_table())


def use_file(path: Path | None) -> None:
    """Run a Python file that registers kernels; nothing without one.

    Raises
    ------
    SparsenetError
        When it is no Python file, or fails.
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
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SparsenetError(f"{path} failed: {type(error).__name__}: {error}") from None
