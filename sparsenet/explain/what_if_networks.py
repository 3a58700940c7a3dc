"""Plan changed networks, the original with other masks, by prediction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sparsenet.errors import SparsenetError, did_you_mean
from sparsenet.explain.overlaid_sets import overlaid_sets_notes
from sparsenet.explain.predictions import Forecast, Packs, dense_plan, forecast
from sparsenet.explain.variants import image_channels, mask_for, masked, weighted_nodes, with_layers
from sparsenet.graph.network import Network, Node
from sparsenet.layers import Layer, Weighted, kept_count
from sparsenet.packing import FAMILIES, Mask

__all__ = ["DENSE", "ChangedNetwork", "changed_nodes", "density_of", "might_be", "there_is", "wished_families"]

INSTEAD = "blocks", "uniform"
"""Families that are tried, in this order, where one has no mask for a layer."""

AS_IT_IS, DENSE = "as it is", "dense kernels"


@dataclass(frozen=True, eq=False)
class ChangedNetwork:
    """A changed network that is planned but not trained.

    Attributes
    ----------
    name : str
    network : Network
    forecast : Forecast
    kernels : mapping of str to str
        Kernels that it must run, by layer.
    families : mapping of str to str
        Of the masks of layers that were changed.
    notes, refused : tuple of str
        What must be known of layers; those of the notes that say what could not be done as it was asked for.
    """

    name: str
    network: Network
    forecast: Forecast
    kernels: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def wished_families(density: float | None, active: float | None, family: str | None) -> tuple[str, ...]:
    """List the families of masks that are asked for: all, unless only fewer winners are wanted."""
    if family is not None and family not in FAMILIES:
        close = did_you_mean(family, FAMILIES)
        raise SparsenetError(f"expected a family of masks ({', '.join(FAMILIES)}), got {family!r}{close}")
    if family is not None:
        return (family,)
    return () if density is None and active is not None else tuple(FAMILIES)


def changed_nodes(
    net: Network, names: Sequence[str] | None, density: float | None, families: Sequence[str]
) -> tuple[Node, ...]:
    """Find the layers that get other masks."""
    weighted = weighted_nodes(net)
    if isinstance(names, str):
        raise TypeError(f"expected names of layers in a list, got the string {names!r}")
    if names is not None:
        if unknown := [name for name in names if name not in {node.name for node in weighted}]:
            known = ", ".join(node.name for node in weighted)
            raise SparsenetError(f"expected layers with weights ({known}), got {unknown[0]!r}")
        if not names:
            raise SparsenetError("expected at least one layer to change, got none")
        return tuple(node for node in weighted if node.name in names)
    sparse = tuple(node for node in weighted if density_of(node.layer) < 1)
    if sparse or not families:
        return sparse
    if not weighted:
        raise SparsenetError("expected a network with weights to change, got one without")
    if density is None:
        raise SparsenetError("expected a network with zero weights, or a density to give it, got neither")
    first = _first_weighted(net)
    inner = tuple(node for node in weighted if node.name not in first and node.name not in net.outputs)
    return inner or weighted


def _first_weighted(net: Network) -> set[str]:
    """Find the layers with weights that the network's inputs reach through no other."""
    reached, first = set(net.inputs), set[str]()
    for node in net.nodes:
        if reached.issuperset(node.inputs):
            (first if isinstance(node.layer, Weighted) else reached).add(node.name)
    return first


def density_of(layer: Layer) -> float:
    """Give the fraction of weights that a layer keeps; 1.0 where it has none."""
    return kept_count(layer) / layer.weight.size if isinstance(layer, Weighted) else 1.0


def there_is(net: Network, batch: int) -> Iterator[ChangedNetwork]:
    """Plan the network as it is, and with kernels that skip nothing."""
    yield ChangedNetwork(AS_IT_IS, net, forecast(net, batch))
    dense = dense_plan(net, batch)
    yield ChangedNetwork(DENSE, dense.network, dense.forecast, dense.kernels)


def might_be(
    net: Network, changed: Sequence[Node], density: float | None, families: Sequence[str], batch: int
) -> Iterator[ChangedNetwork]:
    """Plan the network under masks of each family, or under its own."""
    if not families:
        yield ChangedNetwork("its own masks", net, forecast(net, batch))
    for family in families:
        yield _under_masks(net, changed, density, family, batch)


def _under_masks(
    net: Network, changed: Sequence[Node], density: float | None, family: str, batch: int
) -> ChangedNetwork:
    layers, families, refused = dict[str, Layer](), dict[str, str](), list[str]()
    for node in changed:
        assert isinstance(node.layer, Weighted)
        mask, note = _mask_or_another(net, node, family, density_of(node.layer) if density is None else density)
        refused += [note] * bool(note)
        if mask is not None:
            layers[node.name], families[node.name] = masked(node.layer, mask.keep), mask.family
    if changed and not layers:
        raise SparsenetError(f"no layer can be changed: {refused[0]}")
    made = with_layers(net, layers)
    packs = Packs()
    found = forecast(made, batch, packs)
    overlaid = [name for name, used in families.items() if used == "complementary"]
    others = tuple(overlaid_sets_notes(made, overlaid, found, batch, packs))
    return ChangedNetwork(family, made, found, {}, families, (*refused, *others), tuple(refused))


def _mask_or_another(net: Network, node: Node, family: str, density: float) -> tuple[Mask | None, str]:
    """Make a mask of a family, or of one that has masks for such layers, or none; say why."""
    assert isinstance(node.layer, Weighted)
    channels, refused = image_channels(net, node), ""
    for tried in dict.fromkeys((family, *INSTEAD)):
        try:
            mask = mask_for(node.layer, tried, density, channels)
        except SparsenetError as error:
            refused = refused or str(error)
            continue
        return mask, f"{node.name}: {tried} instead of {family}: {refused}" if refused else ""
    return None, f"{node.name} keeps its own weights: {refused}"
