"""What a check tried, and what it did not: a kernel that passed is right as far as this reaches."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from numba import config
from numba.core.registry import cpu_target

from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.case import Case
from sparsenet_kernels.testing.sizes import SMALL

__all__ = ["CheckReport", "Tried"]


@dataclass(frozen=True, repr=False)
class CheckReport:
    """What :func:`check_kernel` tried of a kernel that it found right, and what it did not; it prints itself.

    Parameters
    ----------
    kernel : str
        The kernel's name.
    target : str
        The processor that it was compiled for, or the device.
    problems : mapping of str to int
        How many problems were tried, by where they come from: "edges", "sizes", "drawn".
    sizes : mapping of str to tuple of int
        The sizes of each dimension that were tried, rising, by the letters of the kernel's arguments.
    not_tried : tuple of str
        What was not, in sentences.
    """

    kernel: str
    target: str
    problems: Mapping[str, int]
    sizes: Mapping[str, tuple[int, ...]]
    not_tried: tuple[str, ...]

    def __repr__(self) -> str:
        width = max(map(len, self.sizes), default=0)
        sizes = [f"  {letter:{width}}  {_range(sizes)}" for letter, sizes in self.sizes.items()]
        return "\n".join([self._head, *sizes, "not tried:", *(f"  {sentence}" for sentence in self.not_tried)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(letter)}</th><td>{_range(sizes)}</td></tr>" for letter, sizes in self.sizes.items()
        )
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.not_tried)
        return f"<div>{escape(self._head)}</div><table>{rows}</table><div>not tried:</div><ul>{items}</ul>"

    @property
    def _head(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.problems.items() if count)
        return f"{self.kernel} is right in {sum(self.problems.values())} problems ({counts}), for {self.target}"


@dataclass
class Tried:
    """Counts what is tried of a kernel."""

    kernel: Kernel
    problems: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sizes: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def note(self, origin: str, case: Case) -> None:
        """Count a problem from "edges", "sizes" or "drawn", and the sizes of its arrays."""
        self.problems[origin] += 1
        for argument in self.kernel.arguments:
            value = case.arguments.get(argument.name, 0)
            for axis, size in zip(argument.axes, () if isinstance(value, int) else value.shape, strict=False):
                if not axis.isdigit():
                    self.sizes[axis].add(size)

    def report(self, swept: bool) -> CheckReport:
        """Return what was tried; ``swept`` where all sizes were that always are."""
        sizes = {letter: tuple(sorted(sizes)) for letter, sizes in self.sizes.items()}
        sentences = tuple(_not_tried(self.kernel, swept))
        return CheckReport(self.kernel.name, _target(self.kernel), dict(self.problems), sizes, sentences)


def _not_tried(kernel: Kernel, swept: bool) -> list[str]:
    pairs = f"sizes of {SMALL[-1]} or fewer were tried in all pairs, larger ones in some"
    together = pairs if swept else "only the sizes that your cases drew were tried"
    sentences = [f"larger sizes; {together}"]
    if kernel.device == "cuda":
        return [*sentences, "other devices; races between threads: run compute-sanitizer"]
    sentences.append("other processors: set NUMBA_CPU_NAME and NUMBA_CPU_FEATURES, and check again")
    if not kernel.bundled and not config.BOUNDSCHECK:
        sentences.append(
            "whether functions that it calls read outside of arrays where it does not show: set NUMBA_BOUNDSCHECK=1"
        )
    return [*sentences, "how long it takes: compile a network with it, and see its explain()"]


def _target(kernel: Kernel) -> str:
    if kernel.device == "cuda":
        return "cuda"
    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    widest = next((known for known in ("avx512f", "avx2", "avx") if f"+{known}," in f"{features},"), "")
    return f"{name} with {widest}" if widest else name


def _range(sizes: tuple[int, ...]) -> str:
    if len(sizes) == 1:
        return str(sizes[0])
    return f"{sizes[0]} to {sizes[-1]:,} ({len(sizes)} sizes)"
