"""How every function of a kernel is compiled."""

import numpy as np
from numba import njit

__all__ = ["compiled", "index", "inlined"]

compiled = njit(nogil=True, error_model="numpy", fastmath={"contract"}, _nrt=False)
"""Decorator for kernels and their helpers.

No reference counting (``_nrt``): kernels allocate nothing, their arrays outlive the call, and counting references where
a helper is called from an inner loop made the convolution of active inputs 2.3 times slower. A product and a sum may be
fused into one rounding (``contract``); nothing else of floating point is relaxed, and nothing is reordered.
"""

inlined = njit(nogil=True, error_model="numpy", fastmath={"contract"}, _nrt=False, forceinline=True)
"""Decorator for helpers whose call would cost more than they do: Numba passes every array as a dozen arguments.

Where LLVM thought a helper too large to inline, the calls made a convolution on AMX tiles a fifth slower.
"""


@compiled
def index(number):
    """Turn an integer that is known not to be negative into an index that Numba need not wrap around.

    Python's rule for negative indices costs a compare and a select at every access: scattering through int32 indices
    took SCATTER_GAIN times as long with it.
    """
    return np.uint64(np.uint32(number))
