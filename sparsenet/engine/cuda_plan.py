"""Plan a network for a GPU: lower its steps as for the CPU, then replace each kernel by its twin for the device.

Twins share name, arguments and memory layout, so everything that lowering knows of lists, orders and shapes holds. What
differs is the choice: nothing is timed, the form with the fewest multiplications is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sparsenet.errors import CompileError, did_you_mean
from sparsenet.graph.network import Network, Node
from sparsenet.layers import Conv2d, KWinners, Layer, Weighted
from sparsenet.lowering.choose import Choice
from sparsenet.lowering.draft import Argument, Step
from sparsenet.lowering.lower import Lowered, lower
from sparsenet.machine.facts import machine
from sparsenet.ops.reshaping import InOrder
from sparsenet_kernels.formats import pack_complementary, pack_complementary_conv2d
from sparsenet_kernels.registry import Kernel, base_name, kernels, variants_of

__all__ = ["DeviceStep", "device_plan", "device_steps", "lower_for_device"]

FEW_CHANNELS = 128
"""Up to so many, every channel counts who beats it; beyond, digits are counted. By operations, not by measurement."""


@dataclass(frozen=True, eq=False)
class DeviceStep:
    """One kernel for the device with its arguments, and the layer it is run for."""

    kernel: Kernel
    arguments: tuple[Argument, ...]
    layer: str


def lower_for_device(net: Network, batch: int, forced: Mapping[str, str]) -> tuple[Lowered, dict[str, str]]:
    """Write the program of a network for the device.

    Parameters
    ----------
    net : Network
        In float32, its batch norms folded.
    batch : int
    forced : mapping of str to str
        Kernels to use instead of those chosen here, by layer.

    Returns
    -------
    Lowered
        Its steps name kernels of the CPU; :func:`device_steps` replaces them.
    dict of str to str
        The device's kernel of each layer with weights.

    Raises
    ------
    CompileError
        When a layer computes on bytes, or a kernel is asked for that does not exist or does not suit its layer.
    """
    if net.byte_valued:
        raise CompileError(
            f"layer {min(net.byte_valued)!r}: expected a float32 network for device='cuda', got bytes; compile the "
            "network that it was quantised from"
        )
    chosen = {**_chosen(net), **forced}
    known = kernels("cuda")
    if unknown := [name for name in chosen.values() if name not in known]:
        weighted = [name for name, kernel in known.items() if kernel.weights]
        close = did_you_mean(unknown[0], weighted)
        raise CompileError(f"expected one of {', '.join(weighted)}, got {unknown[0]!r}{close}")
    return lower(net, batch, machine(), {layer: known[name].base for layer, name in chosen.items()}), chosen


def device_plan(lowered: Lowered, chosen: Mapping[str, str]) -> tuple[Choice, ...]:
    """Say what runs for each layer with weights."""
    return tuple(
        replace(choice, kernel=chosen[choice.layer], reason=_REASONS[kernels("cuda")[chosen[choice.layer]].weights])
        for choice in lowered.plan.choices
    )


_REASONS = {
    "dense": "no form has fewer multiplications; not timed",
    "complementary": "the fewest multiplications; not timed",
}


def device_steps(lowered: Lowered, chosen: Mapping[str, str]) -> list[DeviceStep]:
    """Replace each step's kernel by the device's, and leave out the arguments that only the CPU's takes."""
    return [_device_step(step, chosen) for step in lowered.draft.steps]


def _device_step(step: Step, chosen: Mapping[str, str]) -> DeviceStep:
    named = {argument.name: value for argument, value in zip(step.kernel.arguments, step.arguments, strict=True)}
    kernel = kernels("cuda")[_twin(step, named, chosen)]
    return DeviceStep(kernel, tuple(named[argument.name] for argument in kernel.arguments), step.layer)


def _twin(step: Step, named: Mapping[str, Argument], chosen: Mapping[str, str]) -> str:
    if step.kernel.weights:
        return chosen[step.layer]
    twins = {kernel.variant: kernel.name for kernel in variants_of(step.kernel.base, "cuda")}
    if not twins:
        raise CompileError(
            f"layer {step.layer!r}: expected operations that have a kernel for CUDA, got {step.kernel.base}; compile "
            "the network for the CPU"
        )
    factor = named.get("factor")
    few = not isinstance(factor, int | None) and factor.shape[-1] <= FEW_CHANNELS
    return twins["ranked"] if "ranked" in twins and few else twins[""]


def _chosen(net: Network) -> dict[str, str]:
    by_name = {node.name: node for node in net.nodes}
    return {
        node.name: _kernel_for(node.layer, _comes_as_lists(net, by_name, node))
        for node in net.nodes
        if isinstance(node.layer, Weighted)
    }


def _kernel_for(layer: Weighted, lists: bool) -> str:
    """Choose the form with the fewest multiplications; sets of one output each are a dense matrix with ids."""
    operation = "conv2d" if isinstance(layer, Conv2d) else "linear"
    weights = "complementary" if _set_count(layer) <= len(layer.weight) // 2 else "dense"
    grouped = isinstance(layer, Conv2d) and layer.groups > 1
    inputs = "active" if lists and not (grouped and weights == "dense") else "dense"
    return base_name(operation, "f32", weights, inputs)


def _set_count(layer: Weighted) -> int:
    if layer.weight.size >= 2**31:  # formats that skip zeros count in 32 bits
        return len(layer.weight)
    if isinstance(layer, Conv2d):
        packed = pack_complementary_conv2d(layer.weight, layer.groups, mask=layer.mask)
    else:
        packed = pack_complementary(layer.weight, mask=layer.mask)
    return int(packed.sets.max()) + 1


def _comes_as_lists(net: Network, by_name: Mapping[str, Node], node: Node) -> bool:
    """Tell whether k-winners gave a node's input, and wrote it as lists of what is active."""
    source = node.inputs[0]
    while source in by_name and _keeps_lists(by_name[source].layer, net, source):
        source = by_name[source].inputs[0]
    if source not in by_name:
        return False
    layer = by_name[source].layer
    return isinstance(layer, KWinners) and (layer.scope == "channels" or len(net.shapes[source]) == 1)


def _keeps_lists(layer: Layer, net: Network, name: str) -> bool:
    return isinstance(layer, InOrder) and len(net.shapes[name]) == 1
