"""What must hold of a case: the right answer or, only where a value leaves float32, a SparsenetError.

* Every answer is finite. Where arithmetic is exact it is the reference's to the bit, elsewhere within the bound that
  ``error_bound`` derives.
* An error is right only where the value of a layer leaves float32, or comes as near to that as rounding errors reach,
  or where a constant of a batch norm does.
* The program that the engine runs obeys the rules of ``lowering.rules``.
* A batch has the same answer however it is split, a network that was saved and loaded gives it too, and so do all
  kernels for bytes.
"""

import numpy as np
from error_bound import bounded_output

import sparsenet as sn
from fuzz_networks.networks import case_of
from sparsenet.graph.reference import evaluate
from sparsenet.lowering.lower import lower
from sparsenet.lowering.rules import check_program
from sparsenet.machine.facts import machine
from sparsenet.ops.normalization import batch_norm_affine
from sparsenet.storage import from_bytes, to_bytes
from sparsenet_kernels.registry import find_kernel, kernels_for

LARGEST = float(np.finfo(np.float32).max)
NEARLY = LARGEST * (1 - 1e-5)
"""Values from here on may be said to have left float32: rounding errors may take them there."""


def failure_of(seed):
    """Try a seed; return what is wrong, or how it ended well: ("failed", why), ("right", ""), ("raised", "")."""
    case = case_of(seed)
    with np.errstate(all="ignore"):  # values that leave float64 are met on purpose
        leaves = leaves_float32(case.net, case.x)
    try:
        engine = sn.compile(case.net, **case.settings, progress=False)
        engine = with_other_kernels(case, engine)
        check_program(lower(sn.fold_batchnorm(case.net), 3, machine(), engine.kernels))
        y = engine(case.x)
    except sn.SparsenetError as error:
        return ("raised", "") if leaves else ("failed", f"nothing leaves float32, but: {error}")
    with np.errstate(all="ignore"):
        wrong = wrong_in(case, y) or wrong_elsewhere(case, engine, y)
    if not wrong:
        return "right", ""
    where = "values leave float32" if leaves else "all values stay within float32"
    return "failed", f"{wrong}; {where}; kernels {engine.kernels}"


def leaves_float32(net, x):
    """Tell whether the value of any layer is beyond float32, or nearly; or what a batch norm multiplies by and adds."""
    norms = [node.layer for node in net.nodes if isinstance(node.layer, sn.BatchNorm)]
    constants = [constant for layer in norms for constant in batch_norm_affine(layer)]
    return any(not (np.abs(value) < NEARLY).all() for value in [*evaluate(net, x).values(), *constants])


def with_other_kernels(case, engine):
    """Compile once more with kernels chosen by chance for some layers, for four cases in ten."""
    r = case.chooser
    if r.random() > 0.4:
        return engine
    chosen = {}
    for choice in engine.plan:
        possible = sorted(choice.predicted_us)
        if "_f32_" in choice.kernel:
            possible = float_kernels(case.net, choice)
        if r.random() < 0.7:
            chosen[choice.layer] = possible[int(r.integers(len(possible)))]
    return sn.compile(case.net, **case.settings, kernels=chosen, progress=False)


def float_kernels(net, choice):
    """List the kernels of every variant that may run a layer of floats here."""
    layer, pooled = net[choice.layer], find_kernel(choice.kernel).fused == "pool2"
    operation = "linear" if isinstance(layer, sn.Linear) else "conv2d"
    present = set(machine().features)
    grouped = getattr(layer, "groups", 1) > 1
    return sorted(
        kernel.name
        for fused in ("", "pool2")[: 1 + pooled]
        for kernel in kernels_for(operation, fused=fused)
        if kernel.features <= present and not (grouped and (kernel.weights, kernel.inputs) == ("dense", "active"))
    )


def wrong_in(case, y):
    """Compare an answer with the reference's."""
    if y.shape != (len(case.x), *case.net.output_shape):
        return f"the answer has shape {y.shape}"
    if not np.isfinite(y).all():
        return f"{np.count_nonzero(~np.isfinite(y))} numbers of {y.size} are NaN or infinite"
    if case.exact:
        wanted = case.net.reference(case.x).astype(np.float32)
        beyond = y != wanted
    else:
        expected = bounded_output(case.net, case.x)
        wanted = expected.value
        beyond = np.abs(y - wanted) > expected.error + np.abs(wanted) * 2.0**-24
        beyond[~expected.decided] = False
    if not beyond.any():
        return ""
    at = tuple(int(axis[0]) for axis in np.nonzero(beyond))
    return f"{np.count_nonzero(beyond)} of {y.size} numbers are wrong, first y{list(at)} = {y[at]}, not {wanted[at]}"


def wrong_elsewhere(case, engine, y):
    """Compare the answer with those of the parts of the batch, and of the network that was saved and loaded."""
    parts = np.concatenate([engine(part) for part in np.split(case.x, case.cuts)])
    if not same_bits(parts, y):
        return f"split at {case.cuts} of {len(case.x)} samples the answer is another"
    if case.chooser.random() < 0.2:
        loaded = from_bytes(to_bytes(case.net))
        again = sn.compile(loaded, **case.settings, kernels=engine.kernels, progress=False)
        if not np.array_equal(again(case.x), y):  # files do not keep the sign of weights that are zero
            return "saved and loaded, the answer is another"
    return ""


def same_bits(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.int32), b.view(np.int32))
