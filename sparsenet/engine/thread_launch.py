"""Start Numba's threads without side effects on the calling thread.

Numba's OpenMP layer calls ``omp_set_num_threads`` when it starts. OpenMP keeps that number for the calling thread, and
other libraries that use the same OpenMP, such as torch, then run on as many threads. So a thread of its own
starts them: the number ends with that thread.
"""

import importlib
import threading
from typing import Any

from sparsenet.machine.threading_layer import threading_layer

__all__ = ["launch_apart"]


def launch_apart() -> None:
    """Start OpenMP threads from a thread of its own; other threading layers start when they are first used."""
    if threading_layer().name != "omp":
        return
    parallel: Any = importlib.import_module("numba.np.ufunc.parallel")
    launcher = threading.Thread(target=parallel._launch_threads, name="sparsenet-launch")
    launcher.start()
    launcher.join()
