"""A plugin for pytest that lets kernels take the way they take on processors with AVX-VNNI, but without AVX-512.

The sums of products of 32 bytes are written as one instruction of AVX-512 (VL, VNNI) there, which does the same.

    python -m pytest -p short_avx_vnni tests/kernels/integer/test_bytes.py
"""

import sys

import sparsenet_kernels.cpu
from sparsenet_kernels.registry import load_all
from sparsenet_kernels.simd import target

ABSENT = ("avx512", "gfni")


def has(context, *features):
    if any(feature.startswith(ABSENT) for feature in features):
        return False
    rest = [feature for feature in features if feature != "avxvnni"]
    return really_has(context, *rest)


really_has = target.has
load_all("cpu")
for name, module in list(sys.modules.items()):
    if name.startswith(sparsenet_kernels.__name__) and getattr(module, "has", None) is really_has:
        module.has = has
