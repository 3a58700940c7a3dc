"""What is compared where numbers leave float32. This is the one place of the rule.

Inside a network whose weights and inputs are finite, a kernel may still meet NaN and infinities: sums overflow.
Whatever the numbers are, a kernel must

* write every element of its outputs, and read none of them before,
* stay inside its arrays,
* list as many winners as it has room for, in rising order, each with its value,
* write what does not depend on numbers that are not finite as if those were not there.

So every kernel is tried on :data:`~sparsenet_kernels.testing.contents.SPOILED` contents. An output is compared with the
reference where the reference, in float64, is finite, and float32 can hold every partial sum in any order: where the
sum of all magnitudes is a float32. The reference multiplies zeros, too, and zero times infinity is NaN: so its NaN
reaches every output that such a number may reach in one kernel or another. All other outputs are *unknown*: they may
hold anything, but must be written, which a second call, on other leftovers, shows.
"""

import numpy as np
from numpy.typing import NDArray

from sparsenet_kernels.testing.case import Expected
from sparsenet_kernels.testing.tolerance import sum_error

LARGEST = float(np.finfo(np.float32).max)

Floats = NDArray[np.float64]


def expected_sum(values: Floats, magnitude: Floats, terms: int) -> Expected:
    """Expect sums of products, within the error that float32 sums may have.

    Parameters
    ----------
    values : array of float64
        The sums, as the reference has them.
    magnitude : array of float64
        For each output, the sum of the magnitudes of its products and of its bias.
    terms : int
        How many products are summed, at most.

    Examples
    --------
    >>> expected = expected_sum(np.array([3.0, 4e38, np.nan]), np.array([5.0, 4e38, np.nan]), 2)
    >>> expected.unknown.tolist()
    [False, True, True]
    """
    allowed = sum_error(terms, magnitude)
    return Expected(values, allowed, unknown=beyond_float32(magnitude + allowed))


def beyond_float32(values: Floats) -> NDArray[np.bool_]:
    """Mark what float32 cannot hold as a finite number; NaN, too."""
    return ~(np.abs(values) <= LARGEST)
