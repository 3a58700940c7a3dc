"""Kernels for networks that are sparse twice: arrays in, arrays out.

This package knows nothing of networks. It says what each operation means (``reference``), how weights lie in memory
(``formats``), and computes (``cpu``, built from ``simd``). ``testing`` is the differential test, for your kernels, too.

The contract of a kernel
    Arguments are arrays in C order and integers; the registry's record lists them, outputs last. The line that lists
    them gives each its role: ``in`` for what other steps wrote, ``weight`` and ``index`` for the arrays of a format,
    ``constant`` for other numbers that are known when a network is compiled, ``scratch``, and ``out``. A line without
    roles is read so: integers are constants, the last array is written, the others are inputs. A kernel

    * overwrites its outputs, whatever they held, and writes nothing else but its scratch arrays;
    * relies on nothing that scratch or outputs held before, and reads nothing outside of its arrays;
    * takes any number of samples, none included, and any size that the shapes allow, vector multiples or not;
    * allocates nothing, checks nothing, raises nothing and prints nothing: whoever calls it has checked;
    * agrees with its reference: sums of K products within the error of K float32 additions, everything else exactly;
    * gives the same bits for the same inputs, each sample on its own;
    * meets NaN, infinities and sums that overflow, which networks of finite numbers make: it writes every element and
      stays inside its arrays all the same, lists as many winners as there is room for, counts NaN as active, turns it
      into byte 0, and gives every sample, and every output that such numbers do not reach, as without them.

Names
    ``<operation>_<dtype>_<weights>_<inputs>[__<variant>]``: ``linear_f32_csc_active`` is the fully connected layer in
    float32 with weights in compressed columns and inputs as active lists; ``linear_f32_dense_dense__wide`` is the dense
    one, in the variant for wide registers. Operations without weights are called ``<operation>_<dtype>``. What is fused
    behind an operation follows it: ``conv2d_pool2_f32_csr_dense__wide``. Names are printed from records and never taken
    apart: ask ``kernels()``, or ``find_kernel``, ``variants_of`` and ``kernels_for`` of the registry.

Your own
    Register a function with :func:`kernel`, then test it with :func:`check_kernel`:

    >>> from sparsenet_kernels import check_kernel, kernel
    >>> from sparsenet_kernels.registry import registered_temporarily
    >>> with registered_temporarily():  # to keep it, leave this line out
    ...     @kernel("relu", variant="mine", arguments="in x f32[B, N]; out out f32[B, N]")
    ...     def relu_mine(x, out):
    ...         for b in range(x.shape[0]):
    ...             for n in range(x.shape[1]):
    ...                 out[b, n] = x[b, n] if x[b, n] > 0 else 0
    ...
    ...     report = check_kernel("relu_f32__mine")
    >>> report.sizes["B"][:5], report.sizes["N"][-1]  # print(report) says what was tried, and what was not
    ((0, 1, 2, 3, 4), 5000)

    A new ``variant`` of an operation of this package, as here, is a candidate for the planner. An operation of your own
    brings the function that says what it means, ``reference=lambda x: np.maximum(x, 0)``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsenet_kernels.registry import Kernel, kernel, kernels
    from sparsenet_kernels.testing import check_kernel

__all__ = ["Kernel", "check_kernel", "kernel", "kernels"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the registry imports Numba, the tests need hypothesis."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "testing" if name == "check_kernel" else "registry"
    try:
        return getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        said = "check_kernel draws its problems with hypothesis; pip install hypothesis"
        raise ModuleNotFoundError(said, name="hypothesis") from None
