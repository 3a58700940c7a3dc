"""A kernel as it is: its arguments, its Python, its NumPy definition, and the instructions that LLVM made of it."""

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sparsenet.errors import SparsenetError, did_you_mean
from sparsenet.renderer import Column, laid_out
from sparsenet.source_view import PythonSource
from sparsenet.tables import HTML_WIDTH, as_html, printable
from sparsenet_kernels.definition import definition_of
from sparsenet_kernels.forks import kept_property
from sparsenet_kernels.machine_code import MachineCode, machine_code
from sparsenet_kernels.registry import Argument, Kernel, KernelCompileError, kernels

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

__all__ = ["KernelView", "kernel_rows", "kernel_table", "show_kernel"]


@dataclass(frozen=True)
class KernelView:
    """One kernel to look at; it prints itself in terminals and notebooks.

    Attributes
    ----------
    kernel : Kernel
        Its record.
    source : str
        The Python that is compiled.
    definition : str
        The NumPy function that says what it must compute; empty where it only moves numbers.
    """

    kernel: Kernel
    source: str
    definition: str

    @kept_property
    def code(self) -> MachineCode:
        """The machine code, compiled when first asked for.

        Raises
        ------
        SparsenetError
            When Numba cannot compile the kernel, or it is for another device.
        """
        try:
            return machine_code(self.kernel)
        except KernelCompileError as error:
            raise SparsenetError(str(error)) from None

    def to_dict(self) -> dict[str, Any]:
        """Give everything by its name, ready for JSON."""
        record = {
            name: getattr(self.kernel, name) for name in ("name", "operation", "fused", "dtype", "weights", "inputs")
        }
        arguments = [str(argument) for argument in self.kernel.arguments]
        code = {
            "vector_bits": self.code.vector_bits,
            "vectors": {str(bits): count for bits, count in self.code.vectors.items()},
            "instructions": dict(self.code.instructions),
        }
        features = sorted(self.kernel.features)
        return record | {
            "variant": self.kernel.variant,
            "device": self.kernel.device,
            "features": features,
            "arguments": arguments,
            "source": self.source,
            "definition": self.definition,
            "code": code,
        }

    def __repr__(self) -> str:
        return f"<KernelView of {self.kernel.name}: {', '.join(argument.name for argument in self.kernel.arguments)}>"

    def __rich__(self) -> "Group":
        from rich.console import Group

        parts: list[RenderableType] = [
            f"[italic]{self.kernel.name}[/italic]",
            _argument_table(self.kernel),
            *_code_parts(self.code),
            "Its Python:",
            PythonSource(self.source),
        ]
        if self.definition:
            parts += ["\nWhat it must compute:", PythonSource(self.definition)]
        return Group(*parts)

    def _repr_html_(self) -> str:
        return as_html(self)


def show_kernel(name: str) -> KernelView:
    """Look at a kernel: its arguments, its Python, its NumPy definition, the instructions LLVM made of it.

    Parameters
    ----------
    name : str
        As ``engine.plan`` and ``sparsenet kernels`` say it.

    Returns
    -------
    KernelView
        It prints itself; ``code`` holds the machine code, ``code.text`` the assembly.

    Raises
    ------
    SparsenetError
        When there is no such kernel, or it cannot be compiled.

    Examples
    --------
    >>> import sparsenet as sn
    >>> view = sn.show_kernel("linear_f32_csc_active")
    >>> view.definition.startswith("def linear(x")
    True
    """
    if name not in kernels():
        close = ", ".join(get_close_matches(name, kernels(), 3, 0))
        hint = did_you_mean(name, kernels()) or f"; close to it are {close}"
        raise SparsenetError(f"expected the name of a kernel, got {name!r}{hint}")
    kernel = kernels()[name]
    return KernelView(kernel, _source_of(kernel.source), _source_of(definition_of(kernel)))


def kernel_table(columns: int = HTML_WIDTH) -> "Table":
    """List all kernels of the CPU, those of one's own, too, and then which are from where.

    Parameters
    ----------
    columns : int
        Of the terminal.

    Examples
    --------
    >>> kernel_table().row_count == len(kernels())
    True
    """
    rows = kernel_rows()
    columns_shown = [
        Column("kernel", lambda row: str(row["name"]), words=True),
        Column("defined by", lambda row: printable(row["definition"] or ""), words=True, spare=1),
        Column("needs", lambda row: printable(", ".join(row["features"])), words=True, spare=2),
    ]
    if len({row["origin"] for row in rows}) > 1:
        columns_shown.append(Column("comes with", lambda row: printable(row["origin"]), words=True))
    return laid_out("Kernels: <operation>_<dtype>_<weights>_<inputs>__<variant>", columns_shown, rows, columns)


def kernel_rows() -> list[dict[str, Any]]:
    """Give what the list of kernels says of each, ready for JSON.

    Examples
    --------
    >>> kernel_rows()[0]
    {'name': 'add_f32', 'definition': 'add', 'features': [], 'origin': 'sparsenet'}
    """
    return [
        {
            "name": kernel.name,
            "definition": getattr(definition_of(kernel), "__name__", None),
            "features": sorted(kernel.features),
            "origin": "sparsenet" if kernel.bundled else kernel.source.__module__,
        }
        for kernel in sorted(kernels().values(), key=lambda kernel: kernel.name)
    ]


def _source_of(function: Callable[..., Any] | None) -> str:
    if function is None:
        return ""
    try:
        return textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError):  # typed in where nobody keeps it
        return f"# the source of {getattr(function, '__name__', function)} was not kept"


def _argument_table(kernel: Kernel) -> "Table":
    lines = [line.strip() for line in (kernel.source.__doc__ or "").splitlines()]
    said = {argument.name: printable(_said_of(argument, lines)) for argument in kernel.arguments}
    columns = [Column(heading, name, words=True) for heading, name in (("argument", "name"), ("dtype", "dtype"))]
    columns += [Column("shape", _shape, words=True)]
    columns += [Column("what", lambda argument: said[argument.name], words=True)] * any(said.values())
    return laid_out("", columns, kernel.arguments, None)


def _shape(argument: Argument) -> str:
    return f"({', '.join(argument.axes)})" if argument.is_array else ""


def _said_of(argument: Argument, lines: list[str]) -> str:
    """Find what the docstring's table of shapes says of an argument: behind its name, shape and dtype."""
    for line in lines:
        name, _, rest = line.partition(" ")
        if name == argument.name:
            _, found, said = rest.partition(f" {argument.dtype} ")
            return said.strip() if found else ""
    return ""


def _code_parts(code: MachineCode) -> "Iterator[RenderableType]":
    counted = f"{sum(code.instructions.values()):,} instructions, {_widths(code.vectors)}"
    yield f"[italic]As compiled here: {counted}[/italic]"
    columns = Column("instruction", words=True), Column("what it does", words=True), Column("in the code")
    rows = [[name, word, f"{count:,}"] for name, (count, word) in code.notable().items()]
    yield laid_out("", columns, rows, None) if rows else ""


def _widths(vectors: Mapping[int, int]) -> str:
    used = [f"{bits} bits in {count:,}" for bits, count in vectors.items() if count]
    return f"vectors of {', '.join(used)}" if used else "no vectors"
