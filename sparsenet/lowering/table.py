"""All kinds of layers, and how each becomes steps: what the modules of the families say, collected."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from sparsenet.lowering import tensor_costs
from sparsenet.lowering.implementation import Implementation
from sparsenet.lowering.step_work import StepCosts
from sparsenet.lowering.task import Lowering
from sparsenet.ops import kinds

__all__ = ["IMPLEMENTATIONS", "LOWERINGS", "STEP_COSTS"]

FAMILIES = [import_module(f"sparsenet.lowering.{family.__name__.rpartition('.')[2]}") for family in kinds.FAMILIES]
"""A module for each of those that say what the layers are, of the same name."""

LOWERINGS: Mapping[str, tuple[Lowering, ...]] = MappingProxyType(
    {kind: how for family in FAMILIES for kind, how in family.LOWERINGS.items()}
)
"""How each kind of layer becomes steps, by the name of its class."""

IMPLEMENTATIONS: tuple[Implementation, ...] = tuple(
    one for family in FAMILIES for one in getattr(family, "IMPLEMENTATIONS", ())
)
"""How kernels run layers with weights."""

STEP_COSTS: StepCosts = MappingProxyType(
    {kernel: cost for family in (*FAMILIES, tensor_costs) for kernel, cost in family.STEP_COSTS.items()}
)
"""What steps without weights take, by their kernels without variants."""
