"""Rules that every lowered program obeys. Tests check them between lowering and running; nothing else needs to.

A rule is a function that yields what breaks it, in words; :data:`RULES` lists them by the names that messages have.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from math import prod
from types import MappingProxyType

from sparsenet.lowering.arena import Buffer
from sparsenet.lowering.draft import ITEM_BYTES, Argument, Step, View
from sparsenet.lowering.lower import Lowered
from sparsenet_kernels.registry import Argument as Declared

__all__ = ["RULES", "broken_rules", "check_program"]


def check_program(lowered: Lowered) -> None:
    """Raise AssertionError where a program breaks a rule; the message names the rule, the step and the argument.

    Examples
    --------
    >>> import numpy as np
    >>> import sparsenet as sn
    >>> from sparsenet.lowering.lower import lower
    >>> from sparsenet.machine.facts import machine
    >>> check_program(lower(sn.Network.sequential((4,), [sn.Linear(np.eye(4))]), 1, machine(), {}))
    """
    broken = list(broken_rules(lowered))
    assert not broken, "; ".join(broken)


def broken_rules(lowered: Lowered) -> Iterator[str]:
    """Yield what a program breaks: the name of the rule, and where."""
    for name, rule in RULES.items():
        yield from (f"{name}: {what}" for what in rule(lowered))


def _views(lowered: Lowered) -> Iterator[tuple[int, Step, Declared, View]]:
    """Yield every view that a step is given, with the number of the step and what its kernel says of it."""
    for number, step in enumerate(lowered.draft.steps):
        for declared, argument in zip(step.kernel.arguments, step.arguments, strict=True):
            if isinstance(argument, View):
                yield number, step, declared, argument


def _where(number: int, step: Step, declared: Declared) -> str:
    return f"step {number}, {step.kernel.name}, {declared.name}"


def _whole_buffers(lowered: Lowered) -> Iterator[str]:
    """See all of a buffer: a step that sees less of it finds the next sample elsewhere."""
    for number, step, declared, view in _views(lowered):
        seen = prod(view.shape) * ITEM_BYTES[declared.dtype]
        if seen != view.buffer.sample_bytes:
            yield f"{_where(number, step, declared)} sees {seen} bytes of {view.buffer.sample_bytes}"


def _axes(lowered: Lowered) -> Iterator[str]:
    """Have the axes that the kernel names, the first of them for samples where each has its own."""
    for number, step, declared, view in _views(lowered):
        axes = len(declared.axes) - view.buffer.per_sample
        if len(view.shape) != axes or (declared.axes[0] == "B") != view.buffer.per_sample:
            yield f"{_where(number, step, declared)} is given {view.shape} for {declared}"


def _letters(lowered: Lowered) -> Iterator[str]:
    """Mean one size by a letter of a kernel's arguments."""
    for number, step in enumerate(lowered.draft.steps):
        sizes: dict[str, int] = {}
        for declared, argument in zip(step.kernel.arguments, step.arguments, strict=True):
            for letter, size in zip(reversed(declared.axes), reversed(_shape(argument)), strict=False):
                if not letter.isdigit() and sizes.setdefault(letter, size) != size:
                    yield f"{_where(number, step, declared)} has {letter} = {size}, not {sizes[letter]}"


def _shape(argument: Argument) -> tuple[int, ...]:
    return () if isinstance(argument, int) else argument.shape


def _roles(lowered: Lowered) -> Iterator[str]:
    """Keep inputs, outputs and scratch in buffers; weights, indices and constants are known when compiling."""
    for number, step in enumerate(lowered.draft.steps):
        for declared, argument in zip(step.kernel.arguments, step.arguments, strict=True):
            in_buffer = declared.role in ("in", "out", "scratch")
            if step.kernel.bundled and isinstance(argument, View) != in_buffer:
                yield f"{_where(number, step, declared)}, {declared.role}, is given {type(argument).__name__}"


def _written_first(lowered: Lowered) -> Iterator[str]:
    """Read only what a step before has written, or an input; what the program gives is written, too."""
    written = set(lowered.sources.values())
    for number, step, declared, view in _views(lowered):
        if declared.role == "in" and view.buffer not in written:
            yield f"{_where(number, step, declared)} is read before anything has written it"
        if declared.role == "out":
            written.add(view.buffer)
    for name, buffer in lowered.results.items():
        if buffer not in written:
            yield f"output {name} is never written"


def _own_scratch(lowered: Lowered) -> Iterator[str]:
    """Use scratch for one step, for which it holds nothing before and after."""
    users: dict[Buffer, int] = {}
    scratches = {view.buffer for _, _, declared, view in _views(lowered) if declared.role == "scratch"}
    for number, step, declared, view in _views(lowered):
        if view.buffer in scratches and users.setdefault(view.buffer, number) != number:
            yield f"{_where(number, step, declared)} shares scratch with step {users[view.buffer]}"


def _one_dtype(lowered: Lowered) -> Iterator[str]:
    """Read from a buffer the dtype that was written to it."""
    dtypes: dict[Buffer, str] = {}
    for number, step, declared, view in _views(lowered):
        if dtypes.setdefault(view.buffer, declared.dtype) != declared.dtype:
            yield f"{_where(number, step, declared)} takes {declared.dtype} from a buffer of {dtypes[view.buffer]}"


def _lifetimes(lowered: Lowered) -> Iterator[str]:
    """Keep a buffer from the first step that needs it to the last one, outputs to the end."""
    for number, step, declared, view in _views(lowered):
        if not view.buffer.first <= number <= view.buffer.last:
            kept = f"kept from step {view.buffer.first} to {view.buffer.last}"
            yield f"{_where(number, step, declared)} needs a buffer that is {kept}"
    for name, buffer in lowered.results.items():
        if buffer.last < len(lowered.draft.steps):
            yield f"output {name} is kept to step {buffer.last} only"


def _apart(lowered: Lowered) -> Iterator[str]:
    """Lay buffers apart that are needed at once, where they have been laid out."""
    placed = [buffer for buffer in lowered.draft.buffers if buffer.offset_bytes >= 0]
    for one, other in combinations(placed, 2):
        at_once = one.first <= other.last and other.first <= one.last
        if at_once and _overlap(one, other, lowered.draft.batch):
            yield f"buffers at {one.offset_bytes} and {other.offset_bytes} are needed at once and overlap"


def _overlap(one: Buffer, other: Buffer, samples: int) -> bool:
    first, second = sorted((one, other), key=lambda buffer: buffer.offset_bytes)
    return first.offset_bytes + first.size_bytes(samples) > second.offset_bytes


RULES: Mapping[str, Callable[[Lowered], Iterator[str]]] = MappingProxyType(
    {
        "views see whole buffers": _whole_buffers,
        "views have their kernel's axes": _axes,
        "a letter is one size": _letters,
        "roles agree": _roles,
        "written before read": _written_first,
        "scratch is a step's own": _own_scratch,
        "a buffer has one dtype": _one_dtype,
        "lifetimes cover uses": _lifetimes,
        "buffers needed at once lie apart": _apart,
    }
)
"""Every rule by its name."""
