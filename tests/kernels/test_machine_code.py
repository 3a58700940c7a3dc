"""Reading what LLVM made of a kernel: which instructions there are depends on the machine, that there are does not."""

import re

import pytest
from numba import config

from sparsenet_kernels import reference
from sparsenet_kernels.definition import definition_of
from sparsenet_kernels.machine_code import MachineCode, machine_code
from sparsenet_kernels.registry import kernel, kernels, registered_temporarily
from sparsenet_kernels.testing.call import _features

MOVES = {"pad2d", "place", "quantize_rows", "spread_channels", "split_phases", "expand_phases", "swap_axes"}


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="reads compiled code")
def test_code_has_vectors_as_wide_as_the_target():
    code = machine_code(kernels()["linear_f32_blocks_active"])
    assert code.vector_bits == max(code.vectors, key=lambda bits: bits * bool(code.vectors[bits]))
    assert code.vector_bits >= (512 if "avx512f" in _features() else 128)
    assert any("one rounding" in word for _, word in code.notable().values()) or "fma" not in _features()
    assert sum(code.vectors.values()) < sum(code.instructions.values())


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="reads compiled code")
@pytest.mark.skipif("avx512vnni" not in _features(), reason="this processor has no product of bytes")
def test_products_of_bytes_are_found():
    notable = machine_code(kernels()["linear_i8_dense_dense"]).notable()
    assert any(name.startswith("vpdpbusd") for name in notable)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="reads compiled code")
def test_scalar_code_is_not_called_a_vector():
    with registered_temporarily():

        @kernel("relu", variant="scalar", arguments="x f32[B, N]; out f32[B, N]")
        def scalar(x, out):
            for b in range(x.shape[0]):
                total = x[b, 0]
                for n in range(x.shape[1]):  # each number needs the one before it
                    total = total * x[b, n] + x[b, n]
                    out[b, n] = total

        code = machine_code(kernels()["relu_f32__scalar"])
    assert code.vector_bits <= 128
    if "fma" in _features():
        assert any(re.match(r"vfn?m\w+ss$", name) for name in code.instructions)


def test_only_what_is_notable_gets_a_word():
    code = MachineCode("", {"vpdpbusd": 3, "vmulss": 2, "vfmadd231ps": 1, "movq": 9}, {512: 4, 256: 0, 128: 0})
    assert set(code.notable()) == {"vpdpbusd", "vfmadd231ps"}
    assert code.vector_bits == 512


@pytest.mark.parametrize("name", sorted(kernels()))
def test_every_kernel_has_a_definition_save_for_those_that_move_numbers(name):
    record = kernels()[name]
    definition = definition_of(record)
    assert (definition is None) == (record.operation in MOVES)
    assert definition is None or definition in vars(reference).values()
