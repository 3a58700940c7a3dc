"""Does the overlap work on a GPU? The sweep that ``sparsenet gpu-study`` makes, its record and its page.

Complementary sets against the best dense of the device, cuSPARSE and 2:4 sparsity. What is timed is the device's work:
see :mod:`sparsenet.bench.studies.gpu.clock`. In Numba's simulator the same sweep runs on tiny sizes, checks that every
form is right and counts what it does; it says nothing about time.
"""

from sparsenet.bench.studies.gpu.study import gpu_study

__all__ = ["gpu_study"]
