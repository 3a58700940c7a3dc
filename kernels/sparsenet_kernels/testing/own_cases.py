"""Cases of operations that have no cases of their own: from the kernel's line of arguments and its reference."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sparsenet_kernels.registry import Argument, Kernel
from sparsenet_kernels.testing.case import Array, Case, Expected, leftovers
from sparsenet_kernels.testing.contents import ORDINARY, SPOILED, numbers, spoiled_places, spoiling
from sparsenet_kernels.testing.tolerance import gamma

SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65)
CONTENTS = (*ORDINARY, *SPOILED)
DRAWN = ("f32", "u8", "i8")
"""Inputs that can be drawn; what integers mean, only whoever wrote the kernel knows."""


@dataclass(frozen=True)
class OwnProblem:
    """The size of each letter of the arguments, and what the inputs hold."""

    sizes: tuple[tuple[str, int], ...]
    content: str = "normal"
    seed: int = 0


def own_edges(kernel: Kernel) -> Mapping[str, OwnProblem]:
    """Return the problems that are always tried: one letter after the other at every size around a vector's."""
    base = OwnProblem(tuple((letter, 3 if letter == "B" else 20) for letter in own_letters(kernel)))
    sizes = {
        f"{letter} = {size}": replace(base, sizes=tuple({**dict(base.sizes), letter: size}.items()))
        for letter in own_letters(kernel)
        for size in ((0, *SIZES) if letter == "B" else SIZES)
    }
    contents = {f"content: {content}": replace(base, content=content) for content in CONTENTS if content != "normal"}
    contents |= {
        f"content: {content}, again ({seed})": replace(base, content=content, seed=seed)
        for content in SPOILED
        for seed in (1, 2, 3)
    }
    return sizes | {"one of everything": replace(base, sizes=tuple((letter, 1) for letter, _ in base.sizes))} | contents


def own_letters(kernel: Kernel) -> tuple[str, ...]:
    """Return the letters of a kernel's arguments, in their order."""
    axes = [axis for argument in kernel.arguments for axis in argument.axes if not axis.isdigit()]
    return tuple(dict.fromkeys(axes))


def own_sized(kernel: Kernel, sizes: Mapping[str, int]) -> OwnProblem:
    """Return a problem of these sizes."""
    return OwnProblem(tuple(sizes.items()))


def own_problems(kernel: Kernel) -> st.SearchStrategy[OwnProblem]:
    """Draw sizes and contents."""
    sizes = st.tuples(*(st.tuples(st.just(letter), st.integers(letter != "B", 40)) for letter in own_letters(kernel)))
    return st.builds(OwnProblem, sizes, st.sampled_from(CONTENTS), st.integers(0, 2**16))


def own_case(kernel: Kernel, problem: OwnProblem) -> Case:
    """Build a kernel's arguments: what its reference names is drawn, the last argument is written, others are scratch.

    Only arguments whose role is "in" hold NaN and infinities; a single constant lies between 0 and 1, so that it may be
    a slope or an epsilon. The reference is given float64, and a float32 output may differ from it by as many roundings
    as its largest argument has elements in a sample, of the largest number that goes in or comes out.
    """
    rng, sizes = np.random.default_rng(problem.seed), dict(problem.sizes)
    spoiled = problem.content in SPOILED
    plain = "normal" if spoiled else problem.content
    inputs = {argument.name: _drawn(rng, argument, sizes, plain) for argument in _inputs(kernel)}
    rest = [argument for argument in kernel.arguments if argument.name not in inputs]
    written = {argument.name: leftovers(_shape(argument, sizes), argument.numpy_dtype) for argument in rest}
    values = _meant(kernel, {name: _wide(array) for name, array in inputs.items()})
    out = rest[-1]
    if values.shape != written[out.name].shape:
        raise ValueError(
            f"expected the reference of {kernel.name} to return {written[out.name].shape}, got {values.shape}"
        )
    allowed = _allowed(kernel, sizes, [*inputs.values(), values]) if out.dtype == "f32" else 0
    scratch = frozenset(argument.name for argument in rest[:-1])
    unknown = None
    if spoiled:
        inputs, unknown = _spoil(rng, kernel, inputs, values, problem.content)
    return Case(inputs | written, {out.name: Expected(values, allowed, unknown=unknown)}, scratch)


def _spoil(
    rng: np.random.Generator, kernel: Kernel, inputs: Mapping[str, Array], values: Array, content: str
) -> tuple[dict[str, Array], NDArray[np.bool_]]:
    """Replace some of the floats; return the inputs, and which outputs depend on what was replaced.

    What depends on it, the reference is asked: with the numbers replaced by others, of either sign, it changes.
    """
    read = {argument.name for argument in kernel.arguments if argument.role == "in"}
    floats = {name: array for name, array in inputs.items() if name in read and array.dtype == np.float32}
    places = {name: spoiled_places(rng, array.shape) for name, array in floats.items()}

    def replaced(by: Callable[[tuple[int, ...]], Array]) -> dict[str, Array]:
        new = {name: np.where(places[name], by(array.shape), array) for name, array in floats.items()}
        return {**inputs, **{name: array.astype(np.float32) for name, array in new.items()}}

    unknown = ~np.isfinite(values)
    for size in (-1e3, 1e3):
        other = replaced(lambda shape, size=size: size * rng.uniform(1.0, 2.0, shape))
        unknown |= _meant(kernel, {name: _wide(array) for name, array in other.items()}) != values
    return replaced(lambda shape: spoiling(rng, shape, content)), unknown


def _meant(kernel: Kernel, inputs: Mapping[str, Array]) -> Array:
    assert kernel.reference is not None
    try:
        return np.asarray(kernel.reference(**inputs))
    except Exception as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
        error.add_note(f"in the reference of {kernel.name}, given {shapes}")
        raise


def _inputs(kernel: Kernel) -> list[Argument]:
    assert kernel.reference is not None
    named = inspect.signature(kernel.reference).parameters
    inputs = [argument for argument in kernel.arguments if argument.name in named]
    strange = [argument.name for argument in inputs if argument.dtype not in DRAWN]
    strange += [argument.name for argument in kernel.arguments if not argument.is_array]
    if strange or len(inputs) != len(named) or kernel.arguments[-1] in inputs:
        raise ValueError(
            f"expected the reference of {kernel.name} to take arrays of {', '.join(DRAWN)} among its arguments, save "
            f"for the last, and no integers, got {', '.join(strange or named)}; pass cases of your own as case="
        )
    return inputs


def _shape(argument: Argument, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(int(axis) if axis.isdigit() else sizes[axis] for axis in argument.axes)


def _drawn(rng: np.random.Generator, argument: Argument, sizes: Mapping[str, int], content: str) -> Array:
    shape = _shape(argument, sizes)
    if argument.role == "constant" and argument.axes == ("1",) and argument.dtype == "f32":
        return rng.uniform(0.01, 1.0, shape).astype(np.float32)
    if argument.dtype == "f32":
        return numbers(rng, shape, content)
    info = np.iinfo(argument.numpy_dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(argument.numpy_dtype) * (content != "zeros")


def _wide(array: Array) -> Array:
    return array.astype(np.float64 if array.dtype == np.float32 else np.int64)


def _allowed(kernel: Kernel, sizes: Mapping[str, int], arrays: list[Array]) -> float:
    without_samples = [_shape(argument, {**sizes, "B": 1}) for argument in kernel.arguments]
    terms = max(int(np.prod(shape)) for shape in without_samples)
    return gamma(terms + 2) * max((float(np.abs(array).max(initial=0.0)) for array in arrays), default=0.0)
