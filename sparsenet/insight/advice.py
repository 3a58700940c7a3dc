"""Which change would help a layer most: each is planned and predicted as if it had been made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sparsenet.errors import SparsenetError
from sparsenet.insight.predictions import Packs, predicted_choices, predicted_us, without
from sparsenet.insight.variants import image_channels, mask_for, masked, with_layers, with_winners_before
from sparsenet.layers import Weighted, kept_count
from sparsenet.network import INPUT, Network, Node
from sparsenet.planner.choose import Choice
from sparsenet.tables import as_share

__all__ = ["Advice", "Question", "advice_for", "where_zeros_lie"]

SHAPED = "partitioned", "subsets", "taps", "blocks"
"""Families of masks that fill a format; the others leave zeros anywhere."""

DENSITY_TRIED, ACTIVE_TRIED, BATCH_TRIED = 0.1, 0.1, 16
"""What is tried where no weight is zero, where all inputs count as active, and where calls have one sample."""

WORTH_SAYING, WORTH_DOING = 0.9, 0.01
"""A change is advised where the layer would take less than this share of its time, for less is within the model's
error, and where that saves at least this share of the whole network's."""

NEARLY_ALL = 0.9
"""A format that stores more than this share of all places leaves nothing out to speak of."""


@dataclass(frozen=True)
class Advice:
    """A change to one layer, and what it is predicted to do.

    Attributes
    ----------
    change : str
        In words.
    now_us, then_us : float
        Predicted for one sample, with the best kernel for each.
    """

    change: str
    now_us: float
    then_us: float

    @property
    def text(self) -> str:
        """The change and its times, in one sentence.

        Examples
        --------
        >>> Advice("a taps mask (24.0 % kept)", 4.05, 1.24).text
        'a taps mask (24.0 % kept) would take 1.24 µs instead of 4.05, predicted'
        """
        return f"{self.change} would take {self.then_us:,.2f} µs instead of {self.now_us:,.2f}, predicted"


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked: what would help this layer.

    Attributes
    ----------
    net : Network
        Its batch norms folded.
    node : Node
        With weights.
    batch : int
        Samples that go through the layers together.
    active : float
        The largest share of the layer's inputs that can be non-zero.
    """

    net: Network
    node: Node
    batch: int
    active: float


def advice_for(question: Question, predicted: Mapping[str, Choice], packs: Packs) -> Advice | None:
    """Find the change that is predicted to help a layer most.

    Parameters
    ----------
    question : Question
    predicted : mapping of str to Choice
        What is predicted for every layer as it is.
    packs : dict
        Weights of the network as they were packed before.

    Returns
    -------
    Advice or None
        None where nothing that was tried is predicted to help by a tenth of the layer and a hundredth of the whole.
    """
    now_us = predicted_us(predicted[question.node.name])
    least_us = WORTH_DOING * sum(predicted_us(choice) for choice in predicted.values())
    tried = [Advice(change, now_us, then_us) for change, then_us in _changes(question, packs)]
    best = min(tried, key=lambda advice: advice.then_us, default=None)
    if best is None or best.then_us >= WORTH_SAYING * now_us or now_us - best.then_us < least_us:
        return None
    return best


def _changes(question: Question, packs: Packs) -> Iterator[tuple[str, float]]:
    """Give each change in words, and the layer's predicted time with it."""
    net, node, batch, layer = question.net, question.node, question.batch, question.node.layer
    assert isinstance(layer, Weighted)
    density = kept_count(layer) / layer.weight.size
    for family in SHAPED:
        try:
            mask = mask_for(layer, family, DENSITY_TRIED if density == 1 else density, image_channels(net, node))
            changed = with_layers(net, {node.name: masked(layer, mask.keep)})
        except SparsenetError:  # there is no such mask for this shape
            continue
        then = predicted_choices(changed, batch, without(packs, [node.name]))
        yield f"a {family} mask ({as_share(mask.density)} kept)", predicted_us(then[node.name])
    if node.inputs[0] != INPUT and question.active == 1:
        then = predicted_choices(with_winners_before(net, node.name, ACTIVE_TRIED), batch, packs)
        yield f"k-winners before it ({as_share(ACTIVE_TRIED)} active)", predicted_us(then[node.name])
    if batch == 1:
        then = predicted_choices(net, BATCH_TRIED, packs)
        yield f"one of {BATCH_TRIED} samples in one call", predicted_us(then[node.name])


def where_zeros_lie(choice: Choice, density: float) -> str:
    """Say in words what the format makes of a layer's zero weights."""
    if density == 1:
        return "no weight is zero"
    if not choice.fill:
        return f"{as_share(density)} of the weights are kept"
    if density > NEARLY_ALL * choice.fill:
        where = f"where the {choice.format} format cannot leave the others out"
        return f"{as_share(density)} of the weights are kept, {where}"
    return f"the mask fills the {choice.format} format {as_share(min(choice.fill, 1.0))}"
