"""The processor that kernels are compiled for: its name, its instruction sets, the width of its vectors."""

import os
from collections.abc import Iterable

__all__ = ["compile_target", "vector_bits"]

FEATURES = (
    *("sse4.1", "avx", "avx2", "fma", "f16c", "bmi2", "avxvnni"),
    *("avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bf16", "avx512fp16"),
    *("amx-tile", "amx-int8", "amx-bf16"),
    *("neon", "dotprod", "i8mm", "fullfp16", "bf16", "sve", "sve2"),
)
"""The instruction sets that decide which kernels can run, by LLVM's names."""


def vector_bits(features: Iterable[str]) -> int:
    """Give the width of the widest vectors. 512 needs AVX-512BW as well, which the first CPUs with AVX-512 lacked."""
    has = set(features)
    if {"avx512f", "avx512bw"} <= has:
        return 512
    return 256 if "avx2" in has else 128


def compile_target() -> tuple[str, tuple[str, ...]]:
    """Ask LLVM for the CPU, unless the environment tells Numba to compile for another one."""
    from llvmlite import binding

    wanted = os.environ.get("NUMBA_CPU_NAME")
    listed = os.environ.get("NUMBA_CPU_FEATURES", "" if (wanted or "").lower() == "generic" else None)
    if listed is not None:
        present = features_of(listed)
    else:
        try:
            present = {name for name, has in binding.get_host_cpu_features().items() if has}
        except RuntimeError:  # LLVM cannot tell on every platform
            present = set()
    return wanted or str(binding.get_host_cpu_name()), tuple(name for name in FEATURES if name in present)


def features_of(listed: str) -> set[str]:
    """Read a list such as ``+avx2,-avx512f``; where a feature is named twice, the last entry counts."""
    present: set[str] = set()
    for entry in listed.split(","):
        sign, name = entry.strip()[:1], entry.strip()[1:]
        if sign == "+":
            present.add(name)
        elif sign == "-":
            present.discard(name)
    return present
