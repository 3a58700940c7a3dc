"""What the simulator cannot tell: whether NVIDIA's compiler takes the kernels. It needs no GPU, but libnvvm."""

from types import SimpleNamespace

import pytest

from sparsenet_kernels.cuda.api import cuda, is_simulated
from sparsenet_kernels.registry import kernels

CAPABILITY = (8, 0)


@pytest.fixture(scope="module")
def compiler():
    """Let helpers be compiled without a device to ask for its capability."""
    if is_simulated():
        pytest.skip("the simulator compiles nothing")
    from numba.cuda import dispatcher
    from numba.cuda.cudadrv.nvvm import NVVM, NvvmSupportError

    try:
        NVVM()
    except (NvvmSupportError, OSError, ImportError) as error:
        pytest.skip(f"no libnvvm here: {str(error).splitlines()[0]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=CAPABILITY))
        yield


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("name", sorted(kernels("cuda")))
def test_kernel_compiles(name):
    kernel = kernels("cuda")[name]
    types = tuple(argument.numba_type for argument in kernel.arguments)
    ptx, _ = cuda.compile_ptx(kernel.source, types, cc=CAPABILITY)
    assert ".entry" in ptx
    doubles = ".f64" in ptx
    assert doubles == (name in WITH_DOUBLES), "a float64 among float32 costs a GPU 32 to 64 times as much"


WITH_DOUBLES = {"softmax_f32", "avg_pool2d_f32", "kwta_f32", "kwta_f32__ranked", "kwta_map_f32"}
"""Kernels that compute a few numbers in float64: a softmax's sums, a window's share, ranks that tie in float32."""
