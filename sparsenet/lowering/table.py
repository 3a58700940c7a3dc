"""All kinds of layers, and how each becomes steps: what the modules of the families say, collected."""

from collections.abc import Mapping
from types import MappingProxyType

from sparsenet.lowering import (
    conv2d,
    elementwise,
    kwinners,
    linear,
    matmul,
    normalization,
    pooling,
    quantization,
    reshaping,
    tensor_costs,
)
from sparsenet.lowering.implementation import Implementation
from sparsenet.lowering.step_work import StepCosts
from sparsenet.lowering.task import Lowering

__all__ = ["IMPLEMENTATIONS", "LOWERINGS", "STEP_COSTS"]

FAMILIES = conv2d, linear, matmul, kwinners, pooling, elementwise, normalization, reshaping, quantization

LOWERINGS: Mapping[str, tuple[Lowering, ...]] = MappingProxyType(
    {kind: how for family in FAMILIES for kind, how in family.LOWERINGS.items()}
)
"""How each kind of layer becomes steps, by the name of its class."""

IMPLEMENTATIONS: tuple[Implementation, ...] = (*conv2d.IMPLEMENTATIONS, *linear.IMPLEMENTATIONS)
"""How kernels run layers with weights."""

STEP_COSTS: StepCosts = MappingProxyType(
    {kernel: cost for family in (*FAMILIES, tensor_costs) for kernel, cost in family.STEP_COSTS.items()}
)
"""What steps without weights take, by their kernels without variants."""
