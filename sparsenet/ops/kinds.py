"""The layers of all families by their names: the one place that lists the families."""

from typing import TYPE_CHECKING

from sparsenet.ops import (
    conv2d,
    elementwise,
    kwinners,
    linear,
    matmul,
    normalization,
    pooling,
    quantization,
    reshaping,
)
from sparsenet.ops.conv2d import *
from sparsenet.ops.elementwise import *
from sparsenet.ops.kwinners import *
from sparsenet.ops.linear import *
from sparsenet.ops.matmul import *
from sparsenet.ops.normalization import *
from sparsenet.ops.pooling import *
from sparsenet.ops.quantization import *
from sparsenet.ops.reshaping import *

FAMILIES = (conv2d, elementwise, kwinners, linear, matmul, normalization, pooling, quantization, reshaping)

if not TYPE_CHECKING:  # type checkers follow the stars instead
    __all__ = [
        *conv2d.__all__,
        *elementwise.__all__,
        *kwinners.__all__,
        *linear.__all__,
        *matmul.__all__,
        *normalization.__all__,
        *pooling.__all__,
        *quantization.__all__,
        *reshaping.__all__,
    ]
