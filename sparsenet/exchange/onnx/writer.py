"""The writer that the lines of layers use for operators and constants; using it needs onnx."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsenet.graph.network import Node
from sparsenet.ops.shapes import Shape

__all__ = ["Writer"]


@dataclass(frozen=True, eq=False)
class Writer:
    """Where one layer is written.

    Attributes
    ----------
    node : Node
    shape : tuple of int
        Of a sample of the layer's value.
    on_bytes : bool
        Whether its inputs are bytes.
    operators, constants : list
        Of the whole model so far.
    kept : dict
        What ONNX has no place for: written beside the model's operators, read by this package alone.
    """

    node: Node
    shape: Shape
    on_bytes: bool
    operators: list[Any]
    constants: list[Any]
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The layer's first input, for most layers the only one."""
        return self.node.inputs[0]

    @property
    def sources(self) -> tuple[str, ...]:
        """All of the layer's inputs."""
        return self.node.inputs

    def keep(self, key: str, value: Any) -> None:
        """Keep what JSON can hold."""
        self.kept[key] = value

    def constant(self, role: str, values: npt.NDArray[Any] | np.generic) -> str:
        """Add an array; return its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(values), self._inner(role)))
        return self._inner(role)

    def operator(self, kind: str, inputs: Sequence[str], *roles: str, **attributes: Any) -> str:
        """Add an operator; return the name of its last output. Without roles, its output is the layer's value."""
        from onnx import helper

        outputs = [self._inner(role) if role else self.node.name for role in roles or ("",)]
        self.operators.append(helper.make_node(kind, inputs, outputs, name=outputs[-1], **attributes))
        return outputs[-1]

    def _inner(self, role: str) -> str:
        """Name a value so that no layer can have this name: names of layers are printable."""
        return f"{self.node.name}\x1f{role}"
