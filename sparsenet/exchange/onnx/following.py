"""Visit the operators of an ONNX model in turn: fold constants, add layers, note what is unsupported."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsenet.errors import ModelFormatError, SparsenetError, UnsupportedLayerError
from sparsenet.exchange.builder import GraphBuilder, add_layers, add_unknown, fitting, note
from sparsenet.exchange.call import BoolArray, Call, FloatArray, translated
from sparsenet.exchange.lines import lines, patterns
from sparsenet.exchange.onnx.folding import BATCH, FOLDED, fold
from sparsenet.exchange.onnx.graph import FUSED, Graph, Operator
from sparsenet.exchange.onnx.model import Model
from sparsenet.exchange.problems import Problem, unsupported
from sparsenet.exchange.weights import kept_mask

__all__ = ["follow_all"]

LONGEST_PATH = 190
"""A longer name is shortened in its middle."""

UNKNOWN_SHAPE = (1,)

MALFORMED = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
"""What inputs and attributes that an operator has not make NumPy and Python raise."""


@dataclass(frozen=True)
class _Value:
    """An argument that depends on the network's input."""

    name: str


def follow_all(builder: GraphBuilder, read: Model) -> None:
    """Add the layers of all operators that lead to the outputs.

    Parameters
    ----------
    builder : GraphBuilder
        It has the model's inputs and constants; problems are noted there.
    read : Model

    Raises
    ------
    ModelFormatError
        When an operator reads what does not come before it, or gives what another gave.
    """
    _check_order(builder, read)
    for operator in read.operators:
        if operator.kind != "Shape" and _is_constant(builder, operator):
            _fold(builder, read, operator)
    for operator in _needed(builder, read):
        if operator.kind == "Shape" or _is_constant(builder, operator):
            _fold(builder, read, operator)
        else:
            _follow(builder, read, operator)


def _check_order(builder: GraphBuilder, read: Model) -> None:
    made = {output for operator in read.operators for output in operator.outputs}
    seen = {"", *builder.values, *builder.constants}
    for operator in read.operators:
        for name in operator.inputs:
            if name not in seen:
                expected = "inputs made before it (is it a cycle?)" if name in made else "inputs that exist"
                raise ModelFormatError(f"{_place(operator)}: expected {expected}, got {name[:200]!r}")
        for name in filter(None, operator.outputs):
            if name in seen:
                raise ModelFormatError(f"{_place(operator)}: expected outputs of its own, got {name[:200]!r} again")
            seen.add(name)
        if not operator.outputs or not operator.outputs[0]:
            raise ModelFormatError(f"{_place(operator)}: expected a first output, got none")


def _is_constant(builder: GraphBuilder, operator: Operator) -> bool:
    return operator.kind in FOLDED and all(name in builder.constants for name in operator.inputs if name)


def _fold(builder: GraphBuilder, read: Model, operator: Operator) -> None:
    """Compute a constant; the shape of a value is one, too."""
    source = operator.inputs[0] if operator.inputs else ""
    value = builder.values.get(source)
    try:
        if value is not None:
            builder.constants[operator.outputs[0]] = _shape(builder, read, operator, value)
            return
        inputs = [builder.constants[name] if name else None for name in operator.inputs]
        builder.constants[operator.outputs[0]] = fold(operator, inputs)
    except SparsenetError as error:
        _refuse(builder, operator, error)
    except MALFORMED as error:
        _refuse(builder, operator, _malformed(error))


def _shape(builder: GraphBuilder, read: Model, operator: Operator, value: str) -> Any:
    if value in builder.unknown:
        raise unsupported("the shape of a value that is known", "that of one that is not")
    sizes = np.array([_batch(read), *builder.shapes[value]], np.int64)
    return sizes[operator.attributes.get("start", 0) : operator.attributes.get("end")]


def _batch(read: Model) -> int:
    size = read.inputs[0].sizes[0] if read.inputs[0].sizes else None
    return size if isinstance(size, int) and size > 0 else BATCH


def _needed(builder: GraphBuilder, read: Model) -> list[Operator]:
    """List the operators that lead to the outputs, in order; one that a pattern found stands for several."""
    open_ones = [one for one in read.operators if one.outputs[0] not in builder.constants]
    makers = {output: one for one in open_ones for output in one.outputs if output}
    graph = Graph(open_ones, builder.constants, makers)
    found = {one.outputs[0]: _recognised(graph, one) for one in open_ones}
    waiting, wanted = [one.name for one in read.outputs], set()
    while waiting:
        if (name := waiting.pop()) not in makers or name in wanted:
            continue
        wanted.add(name)
        maker = found[makers[name].outputs[0]]
        if name != maker.outputs[0]:
            builder.problems.append(Problem(_place(maker), f"expected only its first output to be read, got {name!r}"))
        waiting.extend(maker.inputs)
    return [one for one in found.values() if wanted.intersection(one.outputs)]


def _recognised(graph: Graph, operator: Operator) -> Operator:
    """Return the one operator that several are, of which this is the last, or the operator itself."""
    for pattern in patterns(operator.kind):
        try:
            found: Operator | None = pattern(graph, operator)
        except MALFORMED:
            continue
        if found is not None:
            return found
    return operator


def _follow(builder: GraphBuilder, read: Model, operator: Operator) -> None:
    """Turn an operator into layers, and remember whose value its result is."""
    inputs = [builder.values[name] for name in operator.inputs if name in builder.values]
    step = fitting(builder, operator.name, LONGEST_PATH)
    try:
        last = _layers(builder, read, operator, step, inputs)
    except SparsenetError as error:
        last = _refuse(builder, operator, error, inputs)
    except MALFORMED as error:
        last = _refuse(builder, operator, _malformed(error), inputs)
    if builder.unknown.intersection(inputs):
        builder.unknown.add(last)
    builder.values[operator.outputs[0]] = last
    for name in filter(None, operator.outputs[1:]):
        builder.values[name] = add_unknown(builder, step, UNKNOWN_SHAPE)


def _layers(builder: GraphBuilder, read: Model, operator: Operator, step: str, inputs: list[str]) -> str:
    line = lines("ONNX_IN").get(operator.kind)
    if line is None:
        what = f"expected an operator that is a layer here, got {operator.kind}"
        builder.problems.append(Problem(_place(operator), what, operator.kind))
        return add_unknown(builder, step, UNKNOWN_SHAPE)
    if not inputs:
        raise unsupported("a value that depends on the input", "constants alone")
    args = [_Value(name) if name in builder.values else builder.constants.get(name) for name in operator.inputs]
    layers = translated(line, _call(builder, read, operator, step, inputs), inputs, args, operator.attributes)
    if operator.kind.startswith(FUSED) and layers:
        note(builder, step, f"several operators together are {type(layers[-1]).__name__}", "recognised")
    return add_layers(builder, step, layers, inputs)


def _call(builder: GraphBuilder, read: Model, operator: Operator, step: str, inputs: list[str]) -> Call:
    kept = read.kept.layers.get(operator.name, {})
    shapes = tuple(builder.shapes[name] for name in inputs)
    dtypes = tuple(builder.dtypes[name] for name in inputs)

    def noted(text: str, kind: str = "decided") -> None:
        note(builder, step, text, kind)

    def numbers(values: Any) -> FloatArray:
        return _floats(call, values)

    def weight(values: Any) -> tuple[FloatArray, BoolArray | None]:
        array = _floats(call, values)
        return array, kept_mask(call, array)

    call = Call(shapes, dtypes, _depends, numbers, weight, noted, (), _batch(read), read.version, kept)
    return call


def _depends(value: Any) -> bool:
    return isinstance(value, _Value)


def _floats(call: Call, values: Any) -> FloatArray:
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        got = values.dtype if isinstance(values, np.ndarray) else "none" if values is None else type(values).__name__
        raise unsupported("a constant of floats", f"{got}")
    if values.dtype != np.float32:
        call.note(f"{values.dtype} numbers became float32")
    with np.errstate(over="ignore"):  # infinity is refused, by name, when the layer is made
        return values.astype(np.float32)


def _refuse(builder: GraphBuilder, operator: Operator, error: SparsenetError, inputs: list[str] | None = None) -> str:
    """Note what is wrong, unless something unknown came before it; return a stand-in for its value."""
    if not builder.unknown.intersection(inputs or ()):
        kind = UnsupportedLayerError if isinstance(error, UnsupportedLayerError) else ModelFormatError
        builder.problems.append(Problem(_place(operator), str(error), kind=kind))
    stand_in = add_unknown(builder, operator.outputs[0], UNKNOWN_SHAPE)
    builder.values[operator.outputs[0]] = stand_in
    return stand_in


def _malformed(error: BaseException) -> ModelFormatError:
    said = f"{type(error).__name__}: {error}"[:300]
    return ModelFormatError(f"expected inputs and attributes that such an operator has, got {said}")


def _place(operator: Operator) -> str:
    return f"operator {operator.name[:200]!r} ({operator.kind[:100]})"
