"""Hypothesis strategy for kernels that are forced on a network: ``from kernel_choices import forced_kernels``."""

from hypothesis import strategies as st

import sparsenet as sn
from sparsenet.layers import Conv2d, Linear
from sparsenet_kernels.registry import kernels_for


@st.composite
def forced_kernels(draw, net):
    """Draw a float32 kernel, or the planner's choice, for each layer with float32 weights."""
    chosen = {}
    for node in sn.fold_batchnorm(net).nodes:
        if isinstance(node.layer, Conv2d | Linear):
            operation = "conv2d" if isinstance(node.layer, Conv2d) else "linear"
            grouped = isinstance(node.layer, Conv2d) and node.layer.groups > 1
            possible = sorted(
                {
                    kernel.base
                    for kernel in kernels_for(operation)
                    if not (grouped and (kernel.weights, kernel.inputs) == ("dense", "active"))
                }
            )
            kernel = draw(st.sampled_from([None, *possible]))
            if kernel is not None:
                chosen[node.name] = kernel
    return chosen
