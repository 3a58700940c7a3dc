"""What a layer's lowering is given, and the record that says how a kind of layer becomes steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sparsenet.lowering.choice import Choice
from sparsenet.lowering.draft import Draft
from sparsenet.lowering.own_kernels import own_kernels_registered
from sparsenet.lowering.tensor import CHANNELS_LAST, Tensor
from sparsenet.machine.facts import Machine
from sparsenet.ops.geometry import Shape

__all__ = ["Epilogue", "Lowering", "Plan", "Task"]


@dataclass
class Plan:
    """What lowering needs besides the network, and the choices it made; ``weighted`` counts the layers with weights."""

    machine: Machine
    forced: Mapping[str, str]
    weighted: int = 1
    choices: list[Choice] = field(default_factory=list)

    @cached_property
    def has_own_kernels(self) -> bool:
        """Whether there are kernels from elsewhere: looking for them once takes as long as choosing for a layer."""
        return own_kernels_registered()


@dataclass(frozen=True)
class Epilogue:
    """A layer behind another one, that the kernel of that one may compute while it still has the sums in registers.

    Attributes
    ----------
    fused : str
        What such kernels are registered with: "pool2" for a 2 x 2 max pooling.
    layer : str
        The layer that is then computed, too.
    shape : tuple of int
        Of what it gives.
    """

    fused: str
    layer: str
    shape: Shape


@dataclass(frozen=True, eq=False)
class Task:
    """A layer that is being lowered.

    Attributes
    ----------
    draft : Draft
    plan : Plan
    layer : layer
    inputs : tuple of Tensor
    shape : tuple of int
        Of what it gives, without the batch axis.
    dtype : str
        Of what it gives.
    order : str
        The order of elements that the layers behind it read, where it has to choose one.
    epilogue : Epilogue or None
        What its kernel may compute besides.
    """

    draft: Draft
    plan: Plan
    layer: Any
    inputs: tuple[Tensor, ...]
    shape: Shape
    dtype: str = "float32"
    order: str = CHANNELS_LAST
    epilogue: Epilogue | None = None

    @property
    def x(self) -> Tensor:
        """Its first input."""
        return self.inputs[0]


def _always(task: Task) -> bool:
    return True


@dataclass(frozen=True)
class Lowering:
    """How a kind of layer becomes steps, for inputs of one dtype.

    Attributes
    ----------
    emit : callable (Task) -> Tensor
        Appends the steps, and says where they leave what the layer gives.
    dtype : str
        Of all its inputs.
    fits : callable (Task) -> bool
        Whether it can lower this very layer. What no lowering on bytes fits goes through float32.
    reads : str
        The order of elements that it asks for; what gives its inputs is free to choose that order.
    fuses : tuple of str
        What its kernels may compute besides; see :class:`Epilogue`.
    dense : bool
        Whether its steps write all its values: winners may lie in lists, and other shapes of a tensor are not written.
    """

    emit: Callable[[Task], Tensor]
    dtype: str = "float32"
    fits: Callable[[Task], bool] = _always
    reads: str = CHANNELS_LAST
    fuses: tuple[str, ...] = ()
    dense: bool = True
