"""Which kernel and which format each layer gets, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sparsenet.errors import CompileError, did_you_mean
from sparsenet.lowering.cost import WeightedWork, predict
from sparsenet.lowering.footprint import stored_bytes
from sparsenet.lowering.own_kernels import is_own, own_kernels_registered, stand_ins
from sparsenet.lowering.predicted import Cost
from sparsenet.machine.facts import Machine
from sparsenet_kernels.registry import kernels

__all__ = ["Choice", "candidates", "choose", "variant_name"]


@dataclass(frozen=True)
class Choice:
    """What the planner chose for one layer.

    Attributes
    ----------
    layer : str
        The layer's name.
    kernel : str
        The kernel's name.
    format : str
        How its weights lie in memory: "dense", "csr", "csc", "blocks", "complementary", or "" where it
        has none.
    reason : str
        Why this kernel, in words.
    fill : float or None
        Kept weights over the places that the format stores.
    predicted_us : Mapping of str to float
        Predicted time for one sample, by kernel, of all candidates.
    measured_us : Mapping of str to float
        Measured time for one sample, by kernel, of those that were timed.
    cost : Cost
        What the chosen kernel's predicted time is made of.
    """

    layer: str
    kernel: str
    format: str
    reason: str
    fill: float | None
    predicted_us: Mapping[str, float]
    measured_us: Mapping[str, float]
    cost: Cost

    def __repr__(self) -> str:
        fill = "" if self.fill is None else f" {self.fill:.1%} full"
        return f"<Choice for {self.layer}: {self.kernel}, {self.format or 'no weights'}{fill}; {self.reason}>"


def candidates(operation: str, work: WeightedWork) -> tuple[str, ...]:
    """List the kernels, without their variants, that can run a layer; the dense one is always among them.

    For a convolution that is pooled, those that only convolve are listed where none does both.
    """
    names = _registered(operation, work)
    alone = _registered("conv2d", work) if operation == "conv2d_pool2" else ()
    forms = {_form(name) for name in names}
    return (*names, *(name for name in alone if _form(name) not in forms))


def _registered(operation: str, work: WeightedWork) -> tuple[str, ...]:
    known = (name for name in kernels() if name.startswith(f"{operation}_f32_") and not is_own(name))
    names = dict.fromkeys(name.partition("__")[0] for name in known)
    return tuple(name for name in names if work.groups == 1 or not name.endswith("dense_active"))


def _form(name: str) -> tuple[str, str]:
    """Return the form of a kernel's weights and of its inputs."""
    *_, weights, inputs = name.split("_")
    return weights, inputs


def choose(
    operation: str,
    work: WeightedWork,
    machine: Machine,
    forced: str = "",
    unfit: Mapping[tuple[str, str], str] = MappingProxyType({}),
    most_bytes: int | None = None,
) -> tuple[str, str, dict[str, float]]:
    """Choose the kernel for a layer by predicted time.

    Parameters
    ----------
    operation : {"linear", "conv2d", "conv2d_pool2"}
    work : WeightedWork
    machine : Machine
    forced : str, optional
        The kernel to use, whatever is predicted.
    unfit : mapping of (str, str) to str, optional
        The forms of weights and inputs whose kernels cannot run this layer, and why not.
    most_bytes : int, optional
        What the weights may take in the form that the kernel reads; where no form takes so little, the smallest does.

    Returns
    -------
    kernel, reason, predicted_us

    Raises
    ------
    CompileError
        When the forced kernel cannot run this layer.
    """
    possible = candidates(operation, work)
    if forced:
        if operation == "conv2d_pool2":  # what only convolves may be asked for, too
            possible = tuple(dict.fromkeys([*possible, *_registered("conv2d", work)]))
        if forced not in possible:
            close = did_you_mean(forced, possible)
            raise CompileError(f"expected one of {', '.join(possible)}, got {forced!r}{close}")
        if _form(forced) in unfit:
            raise CompileError(f"{forced} cannot run it: {unfit[_form(forced)]}")
        return forced, "asked for", {}
    # nobody packs sets to find out how many there are: where some are full, csc does the same work in less memory
    fitting = [name for name in possible if "complementary" not in name and _form(name) not in unfit]
    if not fitting:
        raise CompileError(f"no kernel can run it: {next(iter(unfit.values()))}")
    names = _in_proportion(fitting, work, most_bytes)
    predicted = {name: predict(name, work, machine).us for name in names}
    best = min(predicted, key=predicted.__getitem__)
    reason = _reason(best, predicted, operation)
    # nothing is known of kernels registered elsewhere, so measuring alone can choose them
    if not own_kernels_registered():
        return best, reason, predicted
    own = {own: predicted[name] for name in predicted for own in stand_ins(name, machine.features)}
    return best, reason, predicted | own


def _in_proportion(names: list[str], work: WeightedWork, most_bytes: int | None) -> list[str]:
    """Leave out the kernels whose form of the weights takes too much memory; the smallest form is never left out."""
    sizes = {name: stored_bytes(name, work) for name in names}
    most = max(sizes.values()) if most_bytes is None else max(most_bytes, min(sizes.values()))
    return [name for name in names if sizes[name] <= most]


def _reason(best: str, predicted: Mapping[str, float], operation: str) -> str:
    dense = f"{operation}_f32_dense_dense"
    if dense not in predicted or len(predicted) == 1:
        return "the other forms of its weights would take too much memory, or cannot hold them"
    if best == dense:
        second = min((name for name in predicted if name != dense), key=predicted.__getitem__)
        times = predicted[second] / predicted[dense]
        how = "be no faster" if times < 1.05 else f"take {times:.1f} times as long"
        return f"no zeros worth skipping: {second} would {how}"
    used = {
        ("dense", "active"): "skips inactive inputs",
        ("csr", "dense"): "skips zero weights",
        ("csc", "dense"): "skips zero weights",
        ("csc", "active"): "skips zero weights and inactive inputs",
        ("blocks", "dense"): "skips blocks of zero weights",
        ("blocks", "active"): "skips blocks of zero weights and inactive inputs",
    }
    return f"{used[_form(best)]}: {predicted[dense] / predicted[best]:.1f} times faster than dense, predicted"


def variant_name(kernel: str, outputs: int, machine: Machine) -> str:
    """Complete a kernel's name with the variant whose tile suits the machine's registers and the layer's outputs."""
    if kernel in kernels():
        return kernel
    size = machine.register_width
    single = f"{kernel}__single"
    # of the convolution that pools, the narrow variant has one vector of outputs, too, and fewer sums to keep
    few = outputs <= 16 and single in kernels() and (size == "wide" or kernel != "conv2d_pool2_f32_dense_dense")
    return single if few else f"{kernel}__{size}"
