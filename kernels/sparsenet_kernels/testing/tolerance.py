"""How far a float32 sum of products may lie from the true one.

Whatever the order of summation, fused or not, no factor of a product takes part in more than K roundings when K numbers
are summed: so each term is off by at most a factor (1 + d) with |d| <= gamma(K), and the whole by

    |error| <= gamma(K) * sum |terms|,     gamma(n) = n * u / (1 - n * u),    u = 2**-24, half the spacing at 1.

Two more are granted: one for the product where it is not fused, one for the bias. It takes no overflow and no
underflow. Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
"""

from numpy.typing import NDArray

ROUNDING = 2.0**-24
"""The largest relative error of one float32 rounding."""


def gamma(operations: int) -> float:
    """Return the largest relative error of a number that went through so many roundings.

    Examples
    --------
    >>> gamma(1) / 2**-24 < 1.0000001
    True
    """
    return operations * ROUNDING / (1.0 - operations * ROUNDING)


def sum_error(terms: int, magnitude: NDArray) -> NDArray:
    """Return the error that a sum of products may have.

    Parameters
    ----------
    terms : int
        How many products are summed, at most.
    magnitude : array of float64
        For each output, the sum of the magnitudes of its products and of its bias.
    """
    return gamma(terms + 2) * magnitude
