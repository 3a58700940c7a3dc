"""Every registered kernel has an implementation and a cost, and what is chosen is the fastest by prediction."""

from dataclasses import replace

import numpy as np
import pytest

import sparsenet as sn
from sparsenet.lowering.implementation import candidates_of
from sparsenet.lowering.lower import lower
from sparsenet.lowering.table import IMPLEMENTATIONS
from sparsenet.machine.facts import machine
from sparsenet_kernels.registry import kernels, variants_of

SHAPES = {"conv2d": (64, 14, 14), "conv2d, pooled": (64, 14, 14), "linear": (1600,)}


def network(kind, quantized):
    """Make a network of one layer with weights, half of them zero, behind k-winners."""
    rng = np.random.default_rng(0)
    shape = SHAPES[kind]
    size = (64, 64, 5, 5) if len(shape) == 3 else (48, 1600)
    weight = rng.integers(-3, 4, size) * (rng.random(size) < 0.5)
    if quantized and kind == "linear":
        layers = [sn.QuantizedLinear(weight.astype(np.int8), np.zeros(48), np.ones(48))]
    elif quantized:
        layers = [sn.QuantizedConv2d(weight.astype(np.int8), np.zeros(64, np.int32), 4)]
    else:
        layers = [sn.Linear(weight) if kind == "linear" else sn.Conv2d(weight)]
    winners = [sn.Quantize(1.0)] if quantized else [sn.KWinners(6, scope="channels")]
    pooling = [sn.MaxPool2d(2)] if kind.endswith("pooled") else []
    floats = [sn.Dequantize(1.0)] if quantized and kind != "linear" else []
    return sn.Network.sequential(shape, [*winners, *layers, *pooling, *floats])


def choice_of(net, forced=None):
    (choice,) = lower(net, 1, machine(), forced or {}).plan.choices
    return choice


def names():
    """List what implementations call their kernels, with an epilogue or without."""
    everything = (*candidates_of(IMPLEMENTATIONS, ""), *candidates_of(IMPLEMENTATIONS, "pool2"))
    return {kernel.name for candidate in everything for kernel in variants_of(candidate.base)}


def test_every_kernel_with_weights_has_an_implementation():
    assert {kernel.name for kernel in kernels().values() if kernel.weights and kernel.bundled} == names()


def test_every_implementation_has_its_kernels():
    for epilogue in ("", "pool2"):
        for candidate in candidates_of(IMPLEMENTATIONS, epilogue, every=True):
            assert variants_of(candidate.base), candidate.base
            assert not candidate.implementation.variant or candidate.name in kernels()


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
def test_what_is_chosen_is_predicted_to_be_fastest_and_says_why(kind, quantized):
    choice = choice_of(network(kind, quantized))
    assert len(choice.predicted_us) > 1
    assert choice.cost.us == pytest.approx(min(choice.predicted_us.values()))
    assert all(0 < time_us < 1e6 for time_us in choice.predicted_us.values())
    assert choice.reason


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
def test_every_candidate_takes_what_was_predicted_when_it_is_asked_for(kind, quantized):
    net = network(kind, quantized)
    first = choice_of(net)
    for name, time_us in first.predicted_us.items():
        choice = choice_of(net, {first.layer: name})
        assert choice.cost.us == pytest.approx(time_us)
        assert min(choice.cost.arithmetic_us, choice.cost.addresses_us, choice.cost.reading_us) >= 0
        assert choice.predicted_us == {}


def test_sets_are_packed_for_those_only_who_ask():
    net = network("linear", quantized=False)
    assert not any("complementary" in name for name in choice_of(net).predicted_us)
    assert choice_of(net, {"linear1": "linear_f32_complementary_active"}).cost.us > 0


def test_kernels_that_only_convolve_are_candidates_where_none_pools_as_well():
    predicted = choice_of(network("conv2d, pooled", quantized=False)).predicted_us
    assert "conv2d_f32_csc_active" in predicted
    assert "conv2d_f32_csr_dense" not in predicted
    alone = choice_of(network("conv2d", quantized=False)).predicted_us
    assert predicted["conv2d_f32_csc_active"] > alone["conv2d_f32_csc_active"]


def test_a_kernel_that_cannot_run_a_layer_says_why():
    net = sn.Network.sequential((4, 3, 3), [sn.Conv2d(np.ones((4, 2, 1, 1)), groups=2)])
    with pytest.raises(sn.CompileError, match="layer 'conv2d1': conv2d_f32_dense_active cannot run it: it takes all"):
        choice_of(net, {"conv2d1": "conv2d_f32_dense_active"})


def processor(*features, vector_bits=256):
    return replace(
        machine(), features=("sse4.1", "avx", "avx2", "fma", "f16c", "bmi2", *features), vector_bits=vector_bits
    )


def predicted_on(here, kind="linear"):
    (choice,) = lower(network(kind, quantized=True), 1, here, {}).plan.choices
    return choice.predicted_us


def test_products_of_bytes_are_as_fast_with_either_instruction():
    without, avx, avx512 = (predicted_on(processor(*has)) for has in ((), ("avxvnni",), ("avx512vnni",)))
    assert avx == avx512
    assert avx["linear_i8_tiles_dense__narrow"] < without["linear_i8_tiles_dense__narrow"]


@pytest.mark.parametrize("kind", SHAPES)
def test_tiles_are_candidates_only_where_the_processor_has_them(kind):
    assert not any(kernels()[name].variant == "amx" for name in predicted_on(processor("avx512vnni"), kind))


def test_kernels_on_bytes_are_those_of_the_width_of_its_vectors():
    wide = processor("avx512f", "avx512bw", "avx512vnni", "avx512vbmi", vector_bits=512)
    for here, variant in ((processor(), "narrow"), (wide, "wide")):
        assert {kernels()[name].variant for name in predicted_on(here, "conv2d")} == {variant}
