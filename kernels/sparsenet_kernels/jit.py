"""How every function of a kernel is compiled."""

from numba import njit

__all__ = ["compiled"]

compiled = njit(nogil=True, error_model="numpy", _nrt=False)
"""Decorator for kernels and their helpers.

No reference counting (``_nrt``): kernels allocate nothing, their arrays outlive the call, and counting references where
a helper is called from an inner loop made the convolution of active inputs 2.3 times slower.
"""
