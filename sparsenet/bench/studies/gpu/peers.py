"""What complementary sets are held against on a GPU, through torch: cuBLAS, cuSPARSE and 2:4 sparsity."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sparsenet.bench.studies.gpu.forms import turns_for
from sparsenet.bench.studies.gpu.layer import GpuLayer, LayerInputs, Packed
from sparsenet.errors import CompileError

__all__ = ["DENSE", "PEERS", "cublas_rates", "has_torch_on_a_gpu", "peer_call"]

DENSE = ("cuBLAS float32", "cuBLAS tf32", "cuBLAS bfloat16")
PEERS = {"cuBLAS float32": "dense", "cuBLAS tf32": "dense", "cuBLAS bfloat16": "dense", "cuSPARSE CSR": "csr"} | {
    "2:4 bfloat16": "2:4"
}
"""Everybody who may take part, and how the work is counted. 2:4 computes another function: other weights are kept."""

DEVICE = "cuda"

Call = Callable[[int], object]


def has_torch_on_a_gpu() -> bool:
    """Tell whether torch is installed and sees a GPU."""
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def peer_call(name: str, layer: GpuLayer, packed: Packed, inputs: list[LayerInputs], cache_bytes: int) -> Call:
    """Prepare a peer; inputs and copies of its weights take turns.

    Raises
    ------
    CompileError
        When it cannot take part at this point.
    """
    import torch

    torch.set_float32_matmul_precision("high" if name == "cuBLAS tf32" else "highest")
    kind = torch.bfloat16 if name.endswith("bfloat16") else torch.float32
    weight = torch.from_numpy(packed.dense()).to(DEVICE, kind)
    size_bytes = weight.element_size() * weight.nelement()
    given = [torch.from_numpy(one.x).to(DEVICE, kind) for one in inputs]
    bias = torch.from_numpy(packed.bias).to(DEVICE, kind)
    precision = torch.get_float32_matmul_precision()
    copies = [_weights(name, weight.clone()) for _ in range(turns_for(size_bytes, cache_bytes))]

    def call(index: int) -> object:
        w, x = copies[index % len(copies)], given[index % len(given)]
        if torch.get_float32_matmul_precision() != precision:  # a setting of the process
            torch.set_float32_matmul_precision(precision)
        with torch.inference_mode():
            if name in DENSE:
                return torch.nn.functional.linear(x, w, bias)
            return (w @ x.T).T + bias

    try:
        call(0)
        torch.cuda.synchronize()
    except (RuntimeError, NotImplementedError) as error:
        raise CompileError(f"{name}: {str(error).splitlines()[0]}") from None
    return call


def _weights(name: str, weight: Any) -> Any:
    import torch

    if name in DENSE:
        return weight
    if name == "cuSPARSE CSR":
        return weight.to_sparse_csr()
    if weight.shape[0] % 64:
        raise CompileError(f"{name}: expected sizes that 64 divides")
    largest = weight.abs().reshape(-1, 4).topk(2, dim=1).indices
    kept = torch.zeros_like(weight.reshape(-1, 4)).scatter_(1, largest, 1.0)
    try:
        return torch.sparse.to_sparse_semi_structured((weight.reshape(-1, 4) * kept).reshape(weight.shape))
    except (RuntimeError, NotImplementedError, AttributeError) as error:
        raise CompileError(f"{name}: {str(error).splitlines()[0]}") from None


def cublas_rates(size: int = 4096) -> dict[str, float]:
    """Measure multiply-adds a second of the device, on large dense matrices."""
    import torch

    from sparsenet.bench.studies.gpu.clock import device_time

    rates = {}
    for name in DENSE:
        kind = torch.bfloat16 if name.endswith("bfloat16") else torch.float32
        torch.set_float32_matmul_precision("high" if name == "cuBLAS tf32" else "highest")
        with suppress(RuntimeError):
            a, b = (torch.randn(size, size, device=DEVICE, dtype=kind) for _ in range(2))
            rates[name] = size**3 / (device_time(lambda index: a @ b, rounds=5).median_us * 1e-6)  # noqa: B023
    return rates
