"""k-winners: this package's modules and nupic.torch's, told apart by their attributes, and ONNX's TopK with scattering.

nupic.torch's rules, from its source (``modules/k_winners.py`` and ``functions/k_winners.py``): a share of winners, a
factor for inference, and Python's rounding, half to even; ranks are ``x * exp(-boost_strength * duty_cycle)``, in
evaluation too. In two dimensions share and factor are multiplied first: ``round(n * (share * factor))``, which is not
always ``round(n * share * factor)``. In one dimension k is rounded first: ``int(round(n * share) * factor)``.

In ONNX, k-winners are these operators; those in brackets only where the scope is the whole sample, or ranks have
factors. TopK lets the lowest index win a tie, as k-winners do.

    x ─[Mul factor]─[Flatten]─▶ ranked ── TopK ──▶ who          [Cast] before and behind all of it on bytes
    x ─[Flatten]─▶ row ── GatherElements(row, who) ──▶ values
    row ── Sub(row, row) ──▶ zeros ── ScatterElements(zeros, who, values) ─[Reshape]─▶ result
"""

from math import prod
from typing import Any

import numpy as np

from sparsenet.errors import UnsupportedLayerError
from sparsenet.exchange.call import Call, FloatArray, Layers, Line
from sparsenet.exchange.onnx.graph import Graph, Operator, fused
from sparsenet.exchange.onnx.writer import Writer
from sparsenet.exchange.problems import unsupported
from sparsenet.layers import KWinners, ReLU
from sparsenet.ops.shapes import Shape

__all__ = ["ONNX_IN", "ONNX_OUT", "ONNX_PATTERNS", "REFUSED", "TORCH_MODULES"]


def _is_k_winners(module: Any) -> bool:
    """Say whether a module's class, or one that it derives from, is called as k-winners are."""
    return bool(_names(module) & {"KWinners", "KWinners2d"})


def _names(module: Any) -> set[str]:
    return {kind.__name__ for kind in type(module).__mro__}


def _module(call: Call, input: Any, module: Any) -> Layers:
    """Return the layers that choose as a k-winners module does in evaluation mode."""
    try:
        return _nupic(call, module) if hasattr(module, "percent_on") else _own(call, module)
    except AttributeError as error:
        raise UnsupportedLayerError(
            f"expected the attributes of sparsenet.nn's or nupic.torch's k-winners, got a {type(module).__name__} "
            f"that lacks one: {error}"
        ) from error


def _own(call: Call, module: Any) -> Layers:
    scope = getattr(module, "scope", "all")
    inference = getattr(module, "k_inference", None)
    k = module.k if inference is None else inference
    return (KWinners(min(k, _candidates(scope, call.shape)), scope, _boosts(call, module)),)


def _nupic(call: Call, module: Any) -> Layers:
    scope = "channels" if getattr(module, "local", False) else "all"
    if "KWinners2d" in _names(module):
        candidates = _candidates(scope, call.shape)
        k = round(candidates * (module.percent_on * module.k_inference_factor))
    elif len(call.shape) == 1:
        candidates = module.n
        k = int(round(candidates * module.percent_on) * module.k_inference_factor)
    else:
        raise UnsupportedLayerError(f"expected samples of one axis for KWinners, got shape {call.shape}; flatten them")
    k = min(k, candidates)
    shares = f"percent_on={module.percent_on:g}, k_inference_factor={module.k_inference_factor:g}"
    call.note(f"k = {k} of {candidates} at inference: {shares}", "recognised")
    call.note(_tie_note(module), "differs")
    winners = KWinners(k, scope, _boosts(call, module))
    return (ReLU(), winners) if module.relu else (winners,)


def _tie_note(module: Any) -> str:
    if module.break_ties:
        return "of values that tie for the last place, torch chooses in an order of its own, here the lowest index wins"
    return "values that tie for the last place all win in torch; here exactly k win, the lowest index first"


def _candidates(scope: str, shape: Shape) -> int:
    return shape[0] if scope == "channels" else prod(shape)


LEAST_EXPONENT, MOST_EXPONENT = -60.0, 60.0
"""Ranking factors are kept within exp of these, so that float32 holds them, and their products with ordinary values."""


def _boosts(call: Call, module: Any) -> FloatArray | None:
    """Return the ranking factors exp(-strength * duty cycle) where they change any rank, all positive in float32.

    Only their ratios matter. Where the smallest would vanish in float32, all are raised by one factor, as far as the
    largest allows; what is still too small is held at the least. :mod:`sparsenet.nn` does the same.
    """
    strength = float(module.boost_strength)
    if strength <= 0:
        return None
    exponents = -strength * module.duty_cycle.detach().float()
    raised = (LEAST_EXPONENT - exponents.min()).clamp(min=0).minimum(MOST_EXPONENT - exponents.max())
    factor = call.numbers((exponents + raised).clamp(min=LEAST_EXPONENT).exp()).ravel()
    if (factor == factor[0]).all():
        return None
    call.note(f"ranks are boosted by the stored duty cycles, strength {strength:g}")
    if float(raised) != 0:
        call.note("boosted ranks are multiplied by one more factor, so that none vanishes in float32")
    return factor


def _fused(
    call: Call, x: Any, *, k: int, scope: str, factor: Any, shape: list[int] | None, on: str = "float32"
) -> Layers:
    """Check that a recognised pattern chooses among a sample's elements or its channels, and does nothing else."""
    if call.dtypes != (on,):
        raise unsupported(f"k-winners of {on} values, as their casts have it", f"{call.dtypes[0]}")
    if shape is not None and (shape[1:] != list(call.shape) or shape[0] not in (0, -1, call.batch)):
        raise unsupported(f"samples to get their own shape back, {call.shape}", f"shape {shape}")
    return (KWinners(k, scope, None if factor is None else _factors(call, np.asarray(factor))),)


def _factors(call: Call, factor: FloatArray) -> FloatArray:
    """Read factors that multiply a sample: one for each channel, or for each element."""
    channels = (call.shape[0], *(1 for _ in call.shape[1:]))
    given = factor.shape[1:] if factor.ndim > len(call.shape) and factor.shape[0] == 1 else factor.shape
    if given not in (channels, call.shape):
        raise unsupported(f"ranking factors of shape {channels} or {call.shape}", f"shape {factor.shape}")
    return factor.astype(np.float32).ravel()


def _write(layer: KWinners, writer: Writer) -> None:
    """Write the operators that the module's docstring draws; bytes are ranked as float32, which TopK has everywhere."""
    end = "" if not writer.on_bytes else "floats"
    x = writer.source
    if writer.on_bytes:
        x = writer.operator("Cast", [x], "as floats", to=1)
    ranked = x
    if layer.factor is not None:
        shape = writer.shape
        sizes = shape if len(layer.factor) == prod(shape) else (shape[0], *(1 for _ in shape[1:]))
        ranked = writer.operator("Mul", [x, writer.constant("factor", layer.factor.reshape(sizes))], "ranked")
    if layer.scope == "channels":
        kept = _keep_largest(writer, layer.k, x, ranked, end)
    else:
        row = writer.operator("Flatten", [x], "row")
        ranked = row if ranked == x else writer.operator("Flatten", [ranked], "ranked row")
        kept = _keep_largest(writer, layer.k, row, ranked, "kept")
        back = writer.constant("shape", np.array([0, *writer.shape], np.int64))
        kept = writer.operator("Reshape", [kept, back], end)
    if writer.on_bytes:
        writer.operator("Cast", [kept], to=2)


def _keep_largest(writer: Writer, k: int, source: str, ranked: str, end: str) -> str:
    """Keep the k highest ranks along axis 1; the rest becomes zero. Not every reader of ONNX knows a TopK of none."""
    if k == 0:
        return writer.operator("Sub", [ranked, ranked], end)
    counts = writer.constant("k", np.array([k], np.int64))
    who = writer.operator("TopK", [ranked, counts], "largest", "who", axis=1)
    values = writer.operator("GatherElements", [source, who], "values", axis=1)
    zeros = writer.operator("Sub", [source, source], "zeros")
    return writer.operator("ScatterElements", [zeros, who, values], end, axis=1)


def _pattern(graph: Graph, last: Operator) -> Operator | None:
    """Find k-winners that end with an operator; those on bytes come first, since they contain others."""
    found = _among_channels(graph, last) or _among_all(graph, last)
    if found is not None or last.kind != "Cast" or last.attributes.get("to") != 2:
        return found
    inner = graph.makers.get(last.inputs[0])
    found = None if inner is None else _among_channels(graph, inner) or _among_all(graph, inner)
    before = None if found is None else graph.made_by("Cast", found.inputs[0])
    if found is None or before is None or before.attributes.get("to") != 1:
        return None
    return fused("KWinners", last, before.inputs[0], **found.attributes, on="uint8")


def _among_channels(graph: Graph, last: Operator) -> Operator | None:
    chosen = _chosen(graph, last)
    if chosen is None:
        return None
    k, source, ranked = chosen
    return _found(graph, last, source, ranked, k=k, scope="channels", shape=None)


def _among_all(graph: Graph, last: Operator) -> Operator | None:
    inner = graph.makers.get(last.inputs[0]) if last.kind == "Reshape" and last.inputs else None
    chosen = None if inner is None else _chosen(graph, inner)
    if chosen is None:
        return None
    k, source, ranked = chosen
    row, ranks = graph.made_by("Flatten", source), graph.made_by("Flatten", ranked)
    shape = graph.whole(last.inputs[1])
    if row is None or ranks is None or shape is None:
        return None
    if any(one.attributes.get("axis", 1) != 1 for one in (row, ranks)):
        return None
    return _found(graph, last, row.inputs[0], ranks.inputs[0], k=k, scope="all", shape=shape)


def _found(graph: Graph, last: Operator, x: str, ranked: str, k: int, **settings: Any) -> Operator | None:
    """Put together what was found, if ranks are the values, or the values times constant factors."""
    scaled = graph.made_by("Mul", ranked)
    if scaled is not None and scaled.inputs[1] in graph.constants and (scaled.inputs[0] == x or k == 0):
        factor = graph.constants[scaled.inputs[1]]
        return fused("KWinners", last, scaled.inputs[0], k=k, factor=factor, **settings)
    return fused("KWinners", last, x, k=k, factor=None, **settings) if ranked == x else None


def _chosen(graph: Graph, last: Operator) -> tuple[int, str, str] | None:
    """Return k, what is chosen from and what it is ranked by, where an operator keeps the k largest along axis 1."""
    if last.kind == "Sub" and last.inputs[0] == last.inputs[1]:
        return 0, last.inputs[0], last.inputs[0]
    if last.kind != "ScatterElements" or last.attributes.get("axis", 0) != 1 or len(last.inputs) != 3:
        return None
    zeros, gathered = graph.made_by("Sub", last.inputs[0]), graph.made_by("GatherElements", last.inputs[2])
    top = graph.makers.get(last.inputs[1])
    if zeros is None or gathered is None or top is None or top.kind != "TopK" or top.outputs[1:] != last.inputs[1:2]:
        return None
    source, who = gathered.inputs
    alike = zeros.inputs == (source, source) and who == last.inputs[1] and gathered.attributes.get("axis", 0) == 1
    k = _count(graph, top)
    if not alike or k is None or last.attributes.get("reduction", "none") != "none":
        return None
    return k, source, top.inputs[0]


def _count(graph: Graph, top: Operator) -> int | None:
    """Return how many a TopK takes, the largest along axis 1; they are an attribute before version 10."""
    if top.attributes.get("axis", -1) != 1 or not top.attributes.get("largest", 1):
        return None
    given = graph.whole(top.inputs[1]) if len(top.inputs) > 1 else [int(top.attributes.get("k", 0))]
    return given[0] if given is not None and len(given) == 1 else None


TORCH_MODULES = {"kwinners": (_is_k_winners, Line(_module, ("KWinners", "ReLU")))}
ONNX_IN = {"sparsenet::KWinners": Line(_fused, ("KWinners",))}
ONNX_PATTERNS = dict.fromkeys(("ScatterElements", "Reshape", "Sub", "Cast"), _pattern)
ONNX_OUT = {"KWinners": _write}
REFUSED: dict[str, dict[str, str]] = {}
