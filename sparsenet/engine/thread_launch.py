"""Starting Numba's threads without a trace in the thread that asked for them.

Numba's OpenMP layer calls ``omp_set_num_threads`` when it starts. OpenMP keeps that number for the calling thread, and
other libraries that use the same OpenMP, such as torch, then run on as many threads. A thread that lives for nothing
but the start takes the number with it.
"""

import importlib
import threading
from typing import Any

from sparsenet.machine.threading_layer import threading_layer

__all__ = ["launch_apart"]


def launch_apart() -> None:
    """Start Numba's threads from a thread of its own, where they are OpenMP's; other layers start when first used."""
    if threading_layer().name != "omp":
        return
    parallel: Any = importlib.import_module("numba.np.ufunc.parallel")
    launcher = threading.Thread(target=parallel._launch_threads, name="sparsenet-launch")
    launcher.start()
    launcher.join()
