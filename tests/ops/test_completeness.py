"""Every kind of layer is complete; where something is missing, the kind and the piece are named."""

import dataclasses
import re

import pytest
from completeness import RULES, follows_its_rules, missing, one_of_each_kind, tables

import sparsenet as sn
from sparsenet.ops import LAYERS, OPERATIONS
from sparsenet.ops.kinds import FAMILIES

KINDS = tuple(OPERATIONS)


def test_nothing_is_missing():
    assert missing(tables()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_rules_of_a_kind_agree_with_its_reference(kind):
    follows_its_rules(one_of_each_kind()[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_each_entry_that_is_taken_out_is_named(kind):
    known = tables()
    without = {
        "no Operation (sparsenet/ops)": {"operations": left_out(known.operations, kind)},
        "no lowering (sparsenet/lowering)": {"lowerings": left_out(known.lowerings, kind)},
        "no sample (tests/storage/mutations.py)": {"samples": left_out(known.samples, kind)},
        "no strategy (tests/strategies.py)": {
            "drawn": {path: re.sub(rf"\bsn\.{kind}\b", "gone", text) for path, text in known.drawn.items()}
        },
    }
    for rule in RULES:
        changed = {**known.operations, kind: dataclasses.replace(known.operations[kind], **{rule: None})}
        without[f"no {rule} (sparsenet/ops)"] = {"operations": changed}
    for front_end, told in known.front_ends.items():
        message = f"neither a line nor a refusal for {front_end} (sparsenet/exchange/lines)"
        without[message] = {"front_ends": {**known.front_ends, front_end: told - {kind}}}
    if known.operations[kind].stored.weighted:
        one = "conv2d" if "Conv2d" in kind else "linear", "i8" if "Quantized" in kind else "f32"
        left = tuple(made for made in known.implementations if (made.operation, made.dtype) != one)
        without["no Implementation (sparsenet/lowering)"] = {"implementations": left}
    for message, change in without.items():
        assert missing(dataclasses.replace(known, **change)) == [f"{kind}: {message}"]


def left_out(table, kind):
    return {name: entry for name, entry in table.items() if name != kind}


def test_fields_that_are_not_stored_are_named():
    known = tables()
    pool = known.operations["MaxPool2d"]
    stored = dataclasses.replace(pool.stored, settings=("kernel", "stride", "colour"))
    changed = {**known.operations, "MaxPool2d": dataclasses.replace(pool, stored=stored)}
    assert missing(dataclasses.replace(known, operations=changed)) == [
        "MaxPool2d: field 'padding' is not stored (sparsenet/ops)",
        "MaxPool2d: stores 'colour', which is no field (sparsenet/ops)",
    ]


def test_names_of_layers_reach_the_package():
    for family in FAMILIES:
        assert set(family.__all__) == {operation.layer.__name__ for operation in family.OPERATIONS}
    for kind in LAYERS:
        assert getattr(sn, kind.__name__) is getattr(sn.layers, kind.__name__) is kind
        assert {kind.__name__} <= set(sn.__all__) & set(sn.layers.__all__)
