"""The limits of one core of this machine: measured once, in a second or two, then kept beside the compiled kernels.

Another CPU model, other features or other caches count as another machine, which is measured anew.
"""

import itertools
from functools import cache

from sparsenet.machine.core_limits import Limits
from sparsenet.machine.facts import Machine, machine
from sparsenet.machine.limits_file import limits_path, read_limits, write_limits
from sparsenet.machine.measure_limits import measure_limits
from sparsenet.progress import telling

__all__ = ["Limits", "kept_limits", "limits", "limits_anew", "measure_limits"]


@cache
def limits() -> Limits:
    """Give this machine's limits: those that were kept, or newly measured ones.

    Examples
    --------
    >>> limits().multiply_adds_per_s > 0
    True
    """
    kept = kept_limits(machine())
    return _measured_and_kept() if kept is None else kept


def limits_anew() -> Limits:
    """Measure this machine's limits again, and keep them in place of those that were kept."""
    limits.cache_clear()
    return _measured_and_kept()


def _measured_and_kept() -> Limits:
    measured, path = _measured_visibly(), limits_path(machine())
    if path is not None:
        write_limits(path, measured)
    return measured


def kept_limits(here: Machine) -> Limits | None:
    """Give the kept limits of such a machine; None where they have never been measured."""
    path = limits_path(here)
    return None if path is None else read_limits(path)


def _measured_visibly() -> Limits:
    """Measure, and show in a terminal or a notebook what is being measured."""
    steps = itertools.count()
    with telling(progress=None) as tell:
        return measure_limits(lambda step: tell(next(steps), f"measuring this machine, once: {step}"))
