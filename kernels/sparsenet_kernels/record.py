"""The record of one kernel: everything that is known of it. Its name is printed from the record, never read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numba.core.errors import NumbaError

from sparsenet_kernels.arguments import Argument
from sparsenet_kernels.compile_errors import in_short
from sparsenet_kernels.forks import TornError, compiling, kept_property

__all__ = ["Kernel", "KernelCompileError", "base_name"]

BUNDLED = ("sparsenet_kernels.cpu.", "sparsenet_kernels.cuda.")
"""Modules whose kernels come with this package; all others are somebody's own."""


class KernelCompileError(ValueError):
    """Numba cannot compile a kernel; the message says why, and where."""


@dataclass(frozen=True)
class Kernel:
    """What is known of a kernel.

    Attributes
    ----------
    name : str
        As it is printed: ``<operation>[_<fused>]_<dtype>[_<weights>_<inputs>][__<variant>]``.
    operation, dtype, weights, inputs, variant : str
        The parts of the name; "" where a part is left out.
    fused : str
        What it does besides, with the sums still in registers: "pool2" for the largest of each 2 x 2 outputs, or "".
    device : str
        "cpu" or "cuda".
    blocks, threads : str
        On "cuda" only: the axes, such as "B R", for each of whose places there is a block, and the axis that the
        threads of a block share out.
    features : frozenset of str
        CPU features without which it cannot run, by LLVM's names; empty for generic kernels.
    arguments : tuple of Argument
    function : callable
        The kernel, jitted but not compiled.
    reference : callable or None
        What it must compute, in NumPy: for operations of one's own from the arguments that it names.
    packing : mapping of str to int
        How its weights are packed for it, as the keyword arguments of their format's ``pack``: ``{"vectors": 4}``.
    """

    name: str
    operation: str
    dtype: str
    weights: str
    inputs: str
    variant: str
    device: str
    features: frozenset[str]
    arguments: tuple[Argument, ...]
    function: Any
    blocks: str = ""
    threads: str = ""
    reference: Callable[..., Any] | None = None
    fused: str = ""
    packing: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def base(self) -> str:
        """The name without the variant; all variants take the same arguments."""
        return base_name(self.operation, self.dtype, self.weights, self.inputs, self.fused)

    @property
    def fused_operation(self) -> str:
        """The operation with what is fused behind it: "conv2d_pool2"."""
        return f"{self.operation}_{self.fused}" if self.fused else self.operation

    @kept_property
    def step(self) -> Any:
        """The compiled C function the engine calls; compiled, or read from the cache, when first asked for.

        Raises
        ------
        KernelCompileError
            When Numba cannot compile the kernel.
        """
        return self.compile_step(kept=True)

    def compile_step(self, kept: bool) -> Any:
        """Compile the step that calls this kernel; ``kept`` in the cache, or read from it, if the kernel is bundled.

        Raises
        ------
        KernelCompileError
            When Numba cannot compile the kernel, or this process was forked while it compiled another.
        """
        from sparsenet_kernels.step_abi import compile_step

        types_of = [argument.numba_type for argument in self.arguments]
        try:
            with compiling():
                return compile_step(self.name, self.function, types_of, kept and self.bundled)
        except NumbaError as error:
            raise KernelCompileError(f"{self.name} cannot be compiled: {in_short(str(error))}") from None
        except TornError as error:
            raise KernelCompileError(str(error)) from None

    @property
    def bundled(self) -> bool:
        """Whether this kernel comes with the package, rather than from somebody who uses it."""
        return self.source.__module__.startswith(BUNDLED)

    @property
    def source(self) -> Callable[..., None]:
        """The Python function that was compiled."""
        # NUMBA_DISABLE_JIT wraps nothing
        python: Callable[..., None] = getattr(self.function, "py_func", self.function)
        return python


def base_name(operation: str, dtype: str = "f32", weights: str = "", inputs: str = "", fused: str = "") -> str:
    """Compose the name of a kernel from its parts, without a variant.

    Examples
    --------
    >>> base_name("conv2d", "i8", "tiles", "dense", fused="pool2")
    'conv2d_pool2_i8_tiles_dense'
    """
    return "_".join(part for part in (operation, fused, dtype, weights, inputs) if part)
