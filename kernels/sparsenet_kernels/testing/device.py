"""Calling a kernel on a device, or in the simulator of one."""

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sparsenet_kernels.registry import Kernel
from sparsenet_kernels.testing.memory import Guarded


def can_launch() -> bool:
    """Tell whether there is a device, or the simulator of one."""
    from sparsenet_kernels.cuda.api import missing

    return not missing()


def call_on_device(
    kernel: Kernel, blocks: Mapping[str, Guarded], aliases: Mapping[str, str], integers: Mapping[str, int]
) -> None:
    """Launch a kernel on copies of the arrays, guards and all, and copy everything back."""
    from sparsenet_kernels.cuda.api import upload
    from sparsenet_kernels.cuda.launch import launch

    copies = {name: upload(block.block) for name, block in blocks.items()}
    arrays = {name: block.seen_in(copies[name]) for name, block in blocks.items()}
    values = arrays | {name: arrays[owner] for name, owner in aliases.items()} | integers
    with hurried_simulator():
        launch(kernel, [values[argument.name] for argument in kernel.arguments])
    for name, block in blocks.items():
        copies[name].copy_to_host(block.block)


@contextmanager
def hurried_simulator() -> Iterator[None]:
    """Let the simulator's threads take turns a hundred times as often, and overflow as quietly as a device's.

    Its main thread waits for the others by asking them over and over; Python lets it do so for 5 ms at a time.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 100)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # np.errstate does not reach other threads
            yield
    finally:
        sys.setswitchinterval(interval)
