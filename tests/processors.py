"""Processors that people have, as Numba is told of them: NUMBA_CPU_NAME and NUMBA_CPU_FEATURES, by LLVM's names."""

import platform

from llvmlite import binding

X86 = platform.machine().lower() in ("x86_64", "amd64")

_AVX2 = (
    *("sse", "sse2", "sse3", "sse4.1", "sse4.2", "ssse3", "avx", "avx2", "bmi", "bmi2", "cx16", "f16c", "fma"),
    *("lzcnt", "movbe", "popcnt"),
)
_AVX512 = (*_AVX2, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
_ICELAKE = (
    *_AVX512,
    *("avx512bitalg", "avx512ifma", "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512vpopcntdq", "gfni"),
)

PROCESSORS = {
    "first x86-64": ("x86-64", ()),
    "Haswell": ("haswell", _AVX2),
    "Alder Lake": ("alderlake", (*_AVX2, "avxvnni", "gfni")),
    "Skylake-X": ("skylake-avx512", _AVX512),
    "Ice Lake": ("icelake-server", _ICELAKE),
    "Zen 4": ("znver4", (*_ICELAKE, "avx512bf16")),
    "Zen 5": ("znver5", (*_ICELAKE, "avx512bf16", "avxvnni")),
    "Sapphire Rapids": ("sapphirerapids", (*_ICELAKE, "avx512bf16", "avxvnni", "amx-int8", "amx-tile")),
}
"""Name and features of each; what kernels ask for is among them, other features are not."""

ARM = {"Apple M1": "apple-m1", "Graviton 4": "neoverse-v2"}
"""AArch64 processors, by LLVM's names."""


def settings_of(processor):
    """Return the environment variables by which Numba compiles for a processor."""
    name, features = PROCESSORS[processor]
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ",".join(f"+{feature}" for feature in features)}


def lacking(processor):
    """Return the features of a processor that this one lacks: code for it cannot run here."""
    here = binding.get_host_cpu_features()
    return [feature for feature in PROCESSORS[processor][1] if not here.get(feature)]


def this_one_with(*more):
    """Return the environment variables by which Numba compiles for this processor as if it had more features."""
    here = [feature for feature, there in binding.get_host_cpu_features().items() if there]
    features = ",".join(f"+{feature}" for feature in [*here, *more])
    return {"NUMBA_CPU_NAME": binding.get_host_cpu_name(), "NUMBA_CPU_FEATURES": features}
