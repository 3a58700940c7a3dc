"""Small ONNX models, for tests: ``made`` takes operators and constants and gives a ModelProto."""

import numpy as np


def made(operators, shape, constants=None, version=18, output="y", sizes=None, result=None):
    """Make a model; operators are (type, inputs, outputs, attributes), the input is ``x``, batch first."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node(kind, inputs, outputs, name=f"{kind.lower()}{at}", **attributes)
        for at, (kind, inputs, outputs, attributes) in enumerate(operators)
    ]
    given = [numpy_helper.from_array(np.asarray(values), name) for name, values in (constants or {}).items()]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes or ["n", *shape])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, result)],
        given,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def one(kind, shape, *constants, version=18, **attributes):
    """Make a model of one operator, of x and constants behind it."""
    names = {f"c{at}": values for at, values in enumerate(constants) if values is not None}
    inputs = ["x", *(f"c{at}" if values is not None else "" for at, values in enumerate(constants))]
    return made([(kind, inputs, ["y"], attributes)], shape, names, version)
