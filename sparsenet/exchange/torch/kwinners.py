"""k-winners modules, this package's and nupic.torch's, told apart by their attributes: neither is imported.

nupic.torch's rules, from its source (``modules/k_winners.py`` and ``functions/k_winners.py``): a share of winners, a
factor for inference, and Python's rounding, half to even; ranks are ``x * exp(-boost_strength * duty_cycle)``, in
evaluation too. In two dimensions share and factor are multiplied first: ``round(n * (share * factor))``, which is not
always ``round(n * share * factor)``. In one dimension k is rounded first: ``int(round(n * share) * factor)``.
"""

from collections.abc import Callable
from math import prod
from typing import Any

from sparsenet.errors import UnsupportedLayerError
from sparsenet.exchange.torch.call import FloatArray, Layers, numbers
from sparsenet.layers import KWinners, ReLU
from sparsenet.ops.shapes import Shape

__all__ = ["is_k_winners", "k_winners_layers"]

Note = Callable[[str], None]


def is_k_winners(module: Any) -> bool:
    """Say whether a module's class, or one that it derives from, is called as k-winners are."""
    return bool(_names(module) & {"KWinners", "KWinners2d"})


def _names(module: Any) -> set[str]:
    return {kind.__name__ for kind in type(module).__mro__}


def k_winners_layers(module: Any, shape: Shape, note: Note) -> Layers:
    """Return the layers that choose as a k-winners module does in evaluation mode.

    Parameters
    ----------
    module : nn.Module
    shape : tuple of int
        Of a sample of its input.
    note : callable
        Takes what should be reported.

    Raises
    ------
    UnsupportedLayerError
        When the module lacks an attribute by which its rule is known.
    """
    try:
        return _nupic(module, shape, note) if hasattr(module, "percent_on") else _own(module, shape, note)
    except AttributeError as error:
        raise UnsupportedLayerError(
            f"expected the attributes of sparsenet.nn's or nupic.torch's k-winners, got a {type(module).__name__} "
            f"that lacks one: {error}"
        ) from error


def _own(module: Any, shape: Shape, note: Note) -> Layers:
    scope = getattr(module, "scope", "all")
    inference = getattr(module, "k_inference", None)
    k = module.k if inference is None else inference
    return (KWinners(min(k, _candidates(scope, shape)), scope, _factor(module, note)),)


def _nupic(module: Any, shape: Shape, note: Note) -> Layers:
    scope = "channels" if getattr(module, "local", False) else "all"
    if "KWinners2d" in _names(module):
        candidates = _candidates(scope, shape)
        k = round(candidates * (module.percent_on * module.k_inference_factor))
    elif len(shape) == 1:
        candidates = module.n
        k = int(round(candidates * module.percent_on) * module.k_inference_factor)
    else:
        raise UnsupportedLayerError(f"expected samples of one axis for KWinners, got shape {shape}; flatten them")
    k = min(k, candidates)
    shares = f"percent_on={module.percent_on:g}, k_inference_factor={module.k_inference_factor:g}"
    note(f"k = {k} of {candidates} at inference: {shares}")
    note(_tie_note(module))
    winners = KWinners(k, scope, _factor(module, note))
    return (ReLU(), winners) if module.relu else (winners,)


def _tie_note(module: Any) -> str:
    if module.break_ties:
        return "of values that tie for the last place, torch chooses in an order of its own, here the lowest index wins"
    return "values that tie for the last place all win in torch; here exactly k win, the lowest index first"


def _candidates(scope: str, shape: Shape) -> int:
    return shape[0] if scope == "channels" else prod(shape)


LEAST_EXPONENT, MOST_EXPONENT = -60.0, 60.0
"""Ranking factors are kept within exp of these, so that float32 holds them, and their products with ordinary values."""


def _factor(module: Any, note: Note) -> FloatArray | None:
    """Return the ranking factors exp(-strength * duty cycle) where they change any rank, all positive in float32.

    Only their ratios matter. Where the smallest would vanish in float32, all are raised by one factor, as far as the
    largest allows; what is still too small is held at the least. :mod:`sparsenet.nn` does the same.
    """
    import torch

    strength = float(module.boost_strength)
    if strength <= 0:
        return None
    exponents = -strength * module.duty_cycle.detach().float()
    raised = (LEAST_EXPONENT - exponents.min()).clamp(min=0).minimum(MOST_EXPONENT - exponents.max())
    factor = numbers(torch.exp((exponents + raised).clamp(min=LEAST_EXPONENT))).ravel()
    if (factor == factor[0]).all():
        return None
    note(f"ranks are boosted by the stored duty cycles, strength {strength:g}")
    if float(raised) != 0:
        note("boosted ranks are multiplied by one more factor, so that none vanishes in float32")
    return factor
