"""What one call of an engine needs besides its arrays: a native driver, and scratch memory."""

from collections.abc import Callable

from sparsenet.engine.threads import claim_threads, ends_cleanly
from sparsenet.errors import CompileError, SparsenetError
from sparsenet.lowering.arena import aligned_scratch
from sparsenet.machine.threading_layer import has_tbb
from sparsenet_kernels.driver import parallel_driver, serial_driver
from sparsenet_kernels.ends_driver import parallel_ends_driver, serial_ends_driver
from sparsenet_kernels.step_abi import address_of

__all__ = ["Scratch", "parallel_for", "serial_for"]

Driver = Callable[..., int]


class Scratch:
    """The scratch memory of one call, and its address: asking an array for it takes longer than a small layer."""

    __slots__ = ("address", "memory")

    def __init__(self, size_bytes: int) -> None:
        try:
            self.memory = aligned_scratch(size_bytes)
        except MemoryError:
            raise SparsenetError(
                f"expected {size_bytes:,} bytes of memory for activations, got less; compile with fewer threads"
            ) from None
        self.address = address_of(self.memory)


def serial_for(axes: int | None) -> Driver:
    """Return the driver for one input, with its batch axis of so many axes; None stands for calls by name."""
    driver: Driver = serial_ends_driver() if axes is None else serial_driver(axes)
    return driver


def parallel_for(axes: int | None) -> Driver:
    """Return the driver that shares samples out among threads, or the other where those do not end cleanly.

    Raises
    ------
    CompileError
        When Numba can load no threading layer.
    """
    if not ends_cleanly():
        return serial_for(axes)
    claim_threads()
    has_tbb()  # which loads it from where pip puts it, if it is there
    try:
        driver: Driver = parallel_ends_driver() if axes is None else parallel_driver(axes)
    except ValueError as error:
        raise CompileError(
            f"Numba can load no threading layer ({str(error).splitlines()[0]}); compile with threads=1, or leave "
            "NUMBA_THREADING_LAYER to its default"
        ) from None
    return driver
