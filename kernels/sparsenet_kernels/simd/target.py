"""What the processor can do that code is being compiled for.

An operation with an instruction of its own on some processors asks here while Numba lowers it, and emits generic LLVM
elsewhere. Nothing is probed: the features are those that Numba compiles for, ``NUMBA_CPU_FEATURES`` included. LLVM
ends the process when an intrinsic is emitted that the target lacks, so there must be no guessing.
"""

__all__ = ["has"]


def has(context, *features: str) -> bool:
    """Tell whether the target has all of these features, by LLVM's names.

    Parameters
    ----------
    context : Numba's target context
        What an intrinsic's ``emit`` gets first.
    *features : str
        For example "avx512vnni".
    """
    listed = context.codegen().magic_tuple()[2].split(",")
    return all(f"+{feature}" in listed for feature in features)
