"""Find the change that would help most: each is planned and predicted as if it were made."""

from collections.abc import Iterator
from dataclasses import dataclass

from sparsenet.errors import SparsenetError
from sparsenet.explain.advice import Advice, promised
from sparsenet.explain.predictions import Forecast, Packs, forecast, without
from sparsenet.explain.variants import image_channels, mask_for, masked, with_layers, with_winners_before
from sparsenet.graph.network import Network, Node
from sparsenet.graph.parts import is_one_to_one
from sparsenet.layers import KWinners, Weighted, kept_count
from sparsenet.lowering.choose import Choice
from sparsenet.made_inputs import noise
from sparsenet.packing import Mask
from sparsenet.passes.quantize import rounded_network
from sparsenet.tables import as_share

__all__ = ["Question", "advice_for", "fuller_mask", "rounding_advice", "where_zeros_lie"]

SHAPED = "partitioned", "subsets", "taps", "blocks"
"""Families of masks that fill a format; the others leave zeros anywhere."""

FORMAT_OF = {"blocks4x16": "blocks"}
"""Formats whose kernels are named after a plainer one."""

DENSITY_TRIED, ACTIVE_TRIED, BATCH_TRIED = 0.1, 0.1, 16
"""What is tried where few weights are zero, where all inputs count as active, and where calls have one sample."""

FEW_ZEROS = 0.5
"""Where more weights than that are kept, another mask of that density changes little."""

FEW_WINNERS = 8
"""Among the channels of many positions, so many winners or fewer are found fastest: they stay in registers."""

WORTH_SAYING, WORTH_DOING = 0.9, 0.01
"""A change is advised where the layer would take less than this share of its time, for less is within the model's
error, and where that saves at least this share of the whole network's."""

NEARLY_ALL = 0.9
"""A format that stores more than this share of all places leaves nothing out to speak of, and one that is filled by as
much has nothing to gain from another mask."""


@dataclass(frozen=True, eq=False)
class Question:
    """The layer for which a helpful change is wanted.

    Attributes
    ----------
    net : Network
        Its batch norms folded.
    node : Node
        With weights, or choosing winners.
    batch : int
        Samples that go through the layers together.
    active : float
        The largest share of the layer's inputs that can be non-zero.
    now : Forecast
        Of the network as it is.
    packs : dict
        Its weights as they were packed before.
    measured_us : float or None
        What the layer took; None where nothing was measured.
    """

    net: Network
    node: Node
    batch: int
    active: float
    now: Forecast
    packs: Packs
    measured_us: float | None = None

    @property
    def predicted_us(self) -> float:
        """What the layer is predicted to take."""
        return self.now.layers_us[self.node.name]

    def advice(self, change: str, then_us: float) -> Advice:
        """Hold what a change is predicted to do against the layer as it is."""
        return promised(change, self.predicted_us, self.measured_us, then_us, "layer")


def advice_for(question: Question) -> Advice | None:
    """Find the change that is predicted to help a layer most.

    Returns
    -------
    Advice or None
        None where nothing that was tried is predicted to help by a tenth of the layer and a hundredth of the whole.
    """
    return _best(question, _changes(question))


def fuller_mask(question: Question, choice: Choice) -> Advice | None:
    """Find a mask that fills the format which the layer has already, where the one it has leaves places empty."""
    if choice.fill is None or choice.fill >= NEARLY_ALL or _density(question.node) > FEW_ZEROS:
        return None
    fitting = [mask for mask in _shaped_masks(question) if FORMAT_OF.get(mask.fills, mask.fills) == choice.format]
    return _best(question, (_under(question, mask) for mask in fitting))


def rounding_advice(net: Network, now: Forecast, batch: int, measured_us: float | None) -> Advice | None:
    """Predict the network rounded to 8 bits; None where it is already, no layer could be, or that would not help."""
    if not is_one_to_one(net):  # which are not rounded yet
        return None
    try:
        rounded, _ = rounded_network(net, noise((1, *net.input_shape)))
    except SparsenetError:  # rounded already, or sums that could leave int32
        return None
    if not rounded.byte_valued:
        return None
    then = forecast(rounded, batch)
    saved = {name: time_us - then.layers_us.get(name, 0.0) for name, time_us in now.layers_us.items()}
    change = f"rounding to int8 (sn.quantize), which helps {max(saved, key=saved.__getitem__)} most,"
    advice = promised(change, now.us, measured_us, then.us, "network")
    return advice if then.us < WORTH_SAYING * advice.now_us else None


def _best(question: Question, tried: Iterator[Advice]) -> Advice | None:
    best = min(tried, key=lambda advice: advice.then_us, default=None)
    least_us = WORTH_DOING * question.now.us
    if best is None or best.then_us >= WORTH_SAYING * best.now_us or best.saved_us < least_us:
        return None
    return best


def _changes(question: Question) -> Iterator[Advice]:
    if isinstance(question.node.layer, KWinners):
        yield from _other_winners(question, question.node.layer)
        return
    for mask in _shaped_masks(question):
        yield _under(question, mask)
    if question.node.inputs[0] not in question.net.inputs and question.active == 1:
        yield _behind_winners(question)
    if question.batch == 1:
        then = forecast(question.net, BATCH_TRIED, question.packs)
        change = f"{BATCH_TRIED} samples in one call"
        yield question.advice(change, then.layers_us[question.node.name])


def _shaped_masks(question: Question) -> Iterator[Mask]:
    """Make the masks that fill formats, as dense as the layer's own, or sparse where that is hardly sparse."""
    node = question.node
    assert isinstance(node.layer, Weighted)
    density, channels = _density(node), image_channels(question.net, node)
    for family in SHAPED:
        try:
            yield mask_for(node.layer, family, DENSITY_TRIED if density > FEW_ZEROS else density, channels)
        except SparsenetError:  # there is no such mask for this shape
            continue


def _under(question: Question, mask: Mask) -> Advice:
    node = question.node
    assert isinstance(node.layer, Weighted)
    changed = with_layers(question.net, {node.name: masked(node.layer, mask.keep)})
    then = forecast(changed, question.batch, without(question.packs, [node.name]))
    channels = mask.parameters.get("channels")  # whoever makes the mask of a linear layer must say so, too
    change = f"a {mask.family} mask ({as_share(mask.density)} kept{f', channels={channels}' if channels else ''})"
    return question.advice(change, then.layers_us[node.name])


def _behind_winners(question: Question) -> Advice:
    """Put k-winners before a layer; choosing them takes time, too."""
    changed = with_winners_before(question.net, question.node.name, ACTIVE_TRIED)
    then = forecast(changed, question.batch, question.packs)
    then_us = question.predicted_us + then.us - question.now.us
    return question.advice(f"k-winners before it ({as_share(ACTIVE_TRIED)} active)", then_us)


def _other_winners(question: Question, layer: KWinners) -> Iterator[Advice]:
    """Choose among the channels of each position instead of all, or fewer of them."""
    node, shape = question.node, question.net.shapes[question.node.name]
    if len(shape) != 3 or (layer.factor is not None and layer.scope == "all"):
        return
    channels = shape[0]
    local = max(1, round(layer.k * channels / _size(shape))) if layer.scope == "all" else layer.k
    for k in sorted({local, min(local, FEW_WINNERS)}):
        if (k, "channels") == (layer.k, layer.scope):
            continue
        changed = with_layers(question.net, {node.name: KWinners(k, "channels", layer.factor)})
        then = forecast(changed, question.batch, question.packs)
        change = f"choosing {k} of the {channels} channels at each place"
        yield question.advice(change, then.layers_us[node.name])


def _size(shape: tuple[int, ...]) -> int:
    return shape[0] * shape[1] * shape[2]


def _density(node: Node) -> float:
    assert isinstance(node.layer, Weighted)
    return kept_count(node.layer) / node.layer.weight.size


def where_zeros_lie(choice: Choice, density: float) -> str:
    """Say how the format stores a layer's zero weights."""
    if density == 1:
        return "no weight is zero"
    if not choice.fill:
        return f"{as_share(density)} of the weights are kept"
    if density > NEARLY_ALL * choice.fill:
        where = f"where the {choice.format} format cannot leave the others out"
        return f"{as_share(density)} of the weights are kept, {where}"
    return f"the mask fills the {choice.format} format {as_share(min(choice.fill, 1.0))}"
