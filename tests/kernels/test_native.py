"""Kernels called with nothing but addresses."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import config, njit, types

from sparsenet_kernels.jit import compiled
from sparsenet_kernels.registry import kernels
from sparsenet_kernels.step_abi import SAMPLES, address_of, array_words, call_step, compile_step, run_step

compiling = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="steps are compiled")


def test_words_of_an_array_at_an_address():
    assert array_words((2, 3), address=4096) == [0, 4096, 2, 3]


def test_words_of_an_array_in_the_scratch():
    assert array_words((SAMPLES, 3), offset=64) == [1, 64, -1, 3]
    assert array_words((), offset=0) == [1, 0]


def test_address_of_an_array_that_must_not_be_written():
    array = np.arange(6, dtype=np.float32)
    array.flags.writeable = False
    assert address_of(array[2:]) == address_of(array) + 8


@compiling
def test_the_sample_axis_is_as_long_as_the_call_says():
    x = np.arange(-4, 8, dtype=np.float32).reshape(4, 3)
    out = np.full_like(x, np.nan)
    words = [word for array in (x, out) for word in array_words((SAMPLES, 3), address=address_of(array))]
    run_step(kernels()["relu_f32"].step, words, samples=2)
    np.testing.assert_array_equal(out[:2], np.maximum(x[:2], 0.0))
    assert np.isnan(out[2:]).all()


@compiling
def test_an_axis_may_be_fixed_instead():
    x, out = np.float32([[-1.0, 2.0]]), np.zeros((1, 2), np.float32)
    words = [word for array in (x, out) for word in array_words(array.shape, address=address_of(array))]
    run_step(kernels()["relu_f32"].step, words)
    np.testing.assert_array_equal(out, [[0.0, 2.0]])


@compiling
def test_offsets_count_from_the_scratch():
    scratch = np.zeros(40, np.float32)
    scratch[10:16] = np.arange(6) - 3
    table = np.array([*array_words((SAMPLES, 3), offset=40), *array_words((SAMPLES, 3), offset=80)])
    step = kernels()["relu_f32"].step
    assert step.ctypes(address_of(table), address_of(scratch), 2) == 1
    np.testing.assert_array_equal(scratch[20:26], [0, 0, 0, 0, 1, 2])


@compiling
def test_arguments_of_every_kind_are_read_in_order():
    @compiled
    def gather(numbers, scale, columns, shift, out):
        out[0, 0, 0] = numbers.shape[0] + 10 * columns.shape[1] + 100 * columns.shape[2]
        out[0, 0, 1] = numbers[2] * scale + columns[1, 2, 3] + shift

    kinds = [types.Array(types.float32, 1, "C"), types.int64, types.Array(types.int32, 3, "C"), types.int64]
    step = compile_step("gather", gather, [*kinds, types.Array(types.float32, 3, "C")])
    numbers, columns = np.arange(7, dtype=np.float32), np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    out = np.zeros((1, 1, 2), np.float32)
    words = [*array_words((7,), address=address_of(numbers)), -5]
    words += [
        *array_words((2, 3, 4), address=address_of(columns)),
        1000,
        *array_words((1, 1, 2), address=address_of(out)),
    ]
    run_step(step, words)
    np.testing.assert_array_equal(out.ravel(), [7 + 10 * 3 + 100 * 4, 2 * -5 + 23 + 1000])


@compiling
def test_compiled_code_calls_steps_one_after_the_other():
    @njit
    def run_all(steps, scratch, samples):
        ran = 0
        for i in range(steps.shape[0]):
            ran += call_step(steps[i, 0], steps[i, 1], scratch, samples)
        return ran

    scratch = np.float32([-1.0, 3.0, 0.0, 0.0, 0.0, 0.0])
    place = [array_words((SAMPLES, 2), offset=8 * i) for i in range(3)]
    tables = [np.array([*place[0], *place[1]]), np.array([*place[0], *place[1], *place[2]])]
    called = [kernels()[name].step.address for name in ("relu_f32", "add_f32")]
    steps = list(zip(called, map(address_of, tables), strict=True))
    assert run_all(np.array(steps), address_of(scratch), 1) == 2
    np.testing.assert_array_equal(scratch, [-1, 3, 0, 3, -1, 6])


def test_a_step_that_fails_a_bounds_check_raises():
    script = """
import numpy as np
from sparsenet_kernels.step_abi import address_of, array_words, run_step
from sparsenet_kernels.registry import kernels
columns, values, out = np.int32([[[5]]]), np.float32([[[1.0]]]), np.zeros((1, 1, 3), np.float32)
words = [word for array in (columns, values, out) for word in array_words(array.shape, address=address_of(array))]
try:
    run_step(kernels()["expand_f32"].step, words)
except RuntimeError as error:
    print(error)
"""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_DISABLE_JIT": "0", "SPARSENET_CACHE_DIR": "off"}
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert "step_expand_f32: a bounds check failed" in ran.stdout, ran.stderr
