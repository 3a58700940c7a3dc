"""The layers a network is made of: frozen data, checked when they are made.

A layer says what is computed, never how. Shapes leave out the batch axis and put channels first. Weights are ordinary
float32 arrays whose zeros are the sparsity; a layer may carry its mask where a kept weight happens to be zero. The
layers of quantised networks are layers like the others.
"""

from typing import TYPE_CHECKING

from sparsenet.ops import kinds
from sparsenet.ops.checks import as_pair as as_pair
from sparsenet.ops.kinds import *
from sparsenet.ops.operation import Layer as Layer
from sparsenet.ops.operation import Weighted as Weighted
from sparsenet.ops.operation import kept_count as kept_count
from sparsenet.ops.table import LAYERS as LAYERS

if not TYPE_CHECKING:  # type checkers follow the star instead
    __all__ = ["LAYERS", "Layer", "Weighted", "as_pair", "kept_count", *kinds.__all__]
