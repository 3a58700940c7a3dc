"""What each operation means: readable NumPy in float64, or in int64 for bytes. This is the specification.

Every compiled kernel has a twin here, and is tested against it. The rules of this floor:

* inputs of any float dtype become float64, and outputs are float64 (positions are int32);
* samples lie along the first axis, channels along the second; a batch may be empty;
* nothing is fused, approximated or skipped, and speed does not matter;
* a function reads like its formula, which its docstring states beside the table of shapes.

Letters: B batch, C channels, H W height and width, D inputs, N outputs, K active inputs, R rows per sample, G groups.
"""

from .compact import compact, expand, flatten_active
from .conv2d import conv2d, conv2d_shape
from .conv2d_pool2 import conv2d_pool2
from .elementwise import add, affine, batch_norm, concat, log_softmax, relu, softmax, watch
from .integer import conv2d_i8, dequantize, k_winners_i8, linear_i8, quantize, requantize
from .kwta import k_winners, k_winners_all, k_winners_channels
from .linear import linear
from .pool import avg_pool2d, global_avg_pool2d, max_pool2d, pool_shape

__all__ = [
    "add",
    "affine",
    "avg_pool2d",
    "batch_norm",
    "compact",
    "concat",
    "conv2d",
    "conv2d_i8",
    "conv2d_pool2",
    "conv2d_shape",
    "dequantize",
    "expand",
    "flatten_active",
    "global_avg_pool2d",
    "k_winners",
    "k_winners_all",
    "k_winners_channels",
    "k_winners_i8",
    "linear",
    "linear_i8",
    "log_softmax",
    "max_pool2d",
    "pool_shape",
    "quantize",
    "relu",
    "requantize",
    "softmax",
    "watch",
]
