"""One ``.safetensors`` file <-> Network: everything in the file, everything checked, no code, no other file.

The graph lies as JSON in the file's metadata, under the key ``sparsenet``; the arrays lie in its tensors:

    sparsenet   {"format": 1, "input_shape", "nodes", "output", "labels", "details"}
                {"format": 2, "inputs", "nodes", "outputs", "labels", "details"}  several, or other than float32
    an input    {"name", "shape", "dtype": "float32" | "int32" | "bool"}
    a node      {"name", "kind", "inputs", "settings", "vectors", "weight"}
    a weight    {"shape", "places": "all" | "bits" | "columns", "values", "mask"}
                 values: "float32" | "float16" | "int8" | "whole"

    NAME.bias, NAME.factor, NAME.mean ...    f32 or i32 (n,)   one-axis arrays, as the layer has them
    NAME.weight            places "all"      (N, ...)          every weight; any tool can read it
    NAME.weight.values     bits and columns  (kept,)           the kept weights, row after row
    NAME.weight.bits       places "bits"     u8  (N * D / 8,)  one bit per weight, the lowest bit first
    NAME.weight.columns    places "columns"  u16 or u32 (kept,)  column of each kept weight, rising within a row
    NAME.weight.counts     places "columns"  u32 (N,)          kept weights of each row
    NAME.weight.scales     values "int8"     f32 (N,)          weight = value * scale of its row

Values "whole" are the int8 weights of quantised layers, and never change; "int8" are float32 weights, rounded.
"""

from sparsenet.storage.encoding import WEIGHTS
from sparsenet.storage.files import LARGEST_BYTES, from_bytes, load, save, to_bytes

__all__ = ["LARGEST_BYTES", "WEIGHTS", "from_bytes", "load", "save", "to_bytes"]
