"""Load thousands of broken files, in a process of its own: ``python fuzz_child.py EXAMPLES SEED LAST_FILE``.

Every file must give a network or a ModelFormatError. Each is written to LAST_FILE before it is loaded, so that what
kills the process is known. Prints how many were refused, loaded and evaluated, and with how many different messages.
"""

import json
import re
import sys
from collections import Counter
from copy import deepcopy
from math import prod
from pathlib import Path

import numpy as np
import safetensors
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from storage.forgery import Forgery, Pairs, Raw
from storage.samples import sample_files

from sparsenet.errors import ModelFormatError
from sparsenet.graph.reference import evaluate
from sparsenet.layers import AvgPool2d, Conv2d, Linear, MaxPool2d, QuantizedConv2d, QuantizedLinear, as_pair
from sparsenet.storage import from_bytes

LIMIT_BYTES = 2**24
GROWTH_BYTES = 3 * 2**27
FILES = sample_files()

NESTED = Raw("[" * 3000 + "]" * 3000)
NUMBERS = [0, 1, 2, 3, -1, 96, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64, 2**200, 0.5, 1.0, -1e300]
WORDS = ["", "input", "output", "relu1", "linear1", "conv2d1", "Conv2d", "ReLU", "Add", "Reshape", "bits", "columns"]
WORDS += [
    "all",
    "channels",
    "int8",
    "float16",
    "F16",
    "F32",
    "I8",
    "U8",
    "U16",
    "U32",
    "I32",
    "F64",
    "whole",
    "Quantize",
    "QuantizedConv2d",
    "\ud800",
    "\0",
    "x" * 300,
]
WORDS += ["bias", "weight", "factor", "mean", "shape", "mask", "__class__", "__metadata__", "linear1.bias"]
OTHERS = [
    None,
    True,
    False,
    [],
    [1],
    [2, 2],
    [-1, 3],
    [1] * 9,
    ["input"],
    ["input", "input"],
    Pairs(),
    Pairs([("a", 1)]),
]
RAWS = [NESTED, Raw("NaN"), Raw("-Infinity"), Raw("1e999"), Raw("-0"), Raw("9" * 5000), Raw(""), Raw('"\\ud800"')]
JUNK = st.sampled_from([*NUMBERS, *WORDS, *OTHERS, *RAWS]) | st.integers(-2, 200)


@st.composite
def cut_bytes(draw):
    """Flip, delete, insert, repeat and truncate bytes, or join two files."""
    data = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 4))):
        # most of a file is numbers, most of what can go wrong is before them
        place = draw(st.integers(0, min(len(data), 3000)) | st.integers(0, len(data)))
        length = draw(st.integers(1, 8))
        how = draw(st.sampled_from(["flip", "delete", "insert", "repeat", "truncate", "join"]))
        if how == "flip" and place < len(data):
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif how == "delete":
            del data[place : place + length]
        elif how == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=length))
        elif how == "repeat":
            data[place:place] = data[place : place + length]
        elif how == "truncate":
            del data[place:]
        elif how == "join":
            data[place:] = draw(st.sampled_from(FILES))[place:]
    return bytes(data)


@st.composite
def forgeries(draw):
    """Change the structure of the header, of the document, or the elements of a tensor; lengths still fit."""
    forgery = Forgery.of(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 3))):
        what = draw(st.sampled_from(["header", "document", "document", "elements"]))
        if what == "elements":
            _change_elements(draw, forgery)
        else:
            _change_json(draw, getattr(forgery, what))
    return forgery.to_bytes()


def _change_elements(draw, forgery):
    name = draw(st.sampled_from([name for name, _ in forgery.header] or [None]))
    entry = dict(forgery.header).get(name)
    offsets = dict(entry).get("data_offsets") if isinstance(entry, Pairs) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(n) is int for n in offsets):
        return  # an earlier change has been here
    begin, end = (min(max(n, 0), len(forgery.body)) for n in offsets)
    if begin < end:
        place = draw(st.integers(begin, end - 1))
        new = draw(st.binary(min_size=1, max_size=8) | st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\0\0\xc0\x7f"]))
        new = new[: end - place]
        forgery.body[place : place + len(new)] = new


def _change_json(draw, root):
    containers = list(_containers(root))
    container = draw(st.sampled_from(containers))
    if not container:
        container.append(("a", None) if isinstance(container, Pairs) else None)
        _set(container, 0, draw(JUNK))
        return
    one, other = (draw(st.integers(0, len(container) - 1)) for _ in range(2))
    how = draw(st.sampled_from(["replace", "replace", "replace", "delete", "twice", "swap", "rename", "move"]))
    if how == "replace":
        _set(container, one, draw(JUNK))
    elif how == "delete":
        del container[one]
    elif how == "twice":
        container.insert(other, deepcopy(container[one]))
    elif how == "swap":
        mine, theirs = _value(container, one), _value(container, other)
        _set(container, one, theirs)
        _set(container, other, mine)
    elif how == "rename" and isinstance(container, Pairs):
        container[one] = (draw(st.sampled_from(WORDS)), container[one][1])
    elif how == "move":
        _set(container, one, list(draw(st.sampled_from(containers)))[:3])


def _containers(value):
    if isinstance(value, Pairs):
        yield value
        for _, inner in value:
            yield from _containers(inner)
    elif isinstance(value, list):
        yield value
        for inner in value:
            yield from _containers(inner)


def _value(container, position):
    return container[position][1] if isinstance(container, Pairs) else container[position]


def _set(container, position, new):
    new = deepcopy(new)  # neither cycles nor changes to the junk itself
    container[position] = (container[position][0], new) if isinstance(container, Pairs) else new


def is_quick(net):
    """Say whether the reference can evaluate a network at once: few elements, padding included, and few steps."""
    for node in net.nodes:
        shapes = [net.shapes[source] for source in node.inputs]
        steps = prod(net.shapes[node.name])
        layer = node.layer
        if isinstance(layer, Conv2d | QuantizedConv2d | MaxPool2d | AvgPool2d):
            down, across = as_pair(layer.padding)
            shapes.append((shapes[0][0], shapes[0][1] + 2 * down, shapes[0][2] + 2 * across))
            filters = isinstance(layer, Conv2d | QuantizedConv2d)
            window = layer.weight.shape[2:] if filters else as_pair(layer.kernel)
            if prod(window) > 1000:
                return False
            steps *= prod(layer.weight.shape[1:]) if filters else prod(window)
        if isinstance(layer, Linear | QuantizedLinear):
            steps = layer.weight.size
        if max([steps, *map(prod, shapes)]) > 2**21:
            return False
    return True


def check(data, last, counts):
    """Load one file; the only error it may give is a ModelFormatError."""
    last.seek(0)
    last.write(data)
    last.truncate()
    last.flush()
    try:
        net = from_bytes(data, LIMIT_BYTES)
    except ModelFormatError as error:
        note_refusal(str(error), counts)
        return
    counts["loaded"] += 1
    assert {name for name, _ in safetensors.deserialize(data)} == set(names_of(data))
    if is_quick(net):
        with np.errstate(all="ignore"):  # weights near the largest float32 may multiply to infinity, even in float64
            zeros = {name: np.zeros((1, *one.shape), one.dtype) for name, one in net.inputs.items()}
            values = evaluate(net, zeros)
            assert all(values[name].shape == (1, *net.shapes[name]) for name in net.outputs)
        counts["evaluated"] += 1


def note_refusal(message, counts):
    """Count a message by its first words, leaving out what came from the file; it must be short, whatever came."""
    assert len(message) < 5000
    counts["refused"] += 1
    counts[re.sub(r"'.*'|\W|\d", "", message)[:40]] += 1


def names_of(data):
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return [name for name in header if name != "__metadata__"]


def limit_memory():
    """Let this process grow by GROWTH_BYTES and no more, where the system can."""
    status = Path("/proc/self/statm")
    if status.exists():
        import resource

        now = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + GROWTH_BYTES, now + GROWTH_BYTES))


def main(examples, number, path):
    counts = Counter()
    with open(path, "wb") as last:
        for data in FILES:
            check(data, last, counts)  # also loads what is imported late, before memory is counted
        limit_memory()
        counts.clear()

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(cut_bytes() | forgeries() | forgeries())
        def fuzz(data):
            check(data, last, counts)

        fuzz()
    totals = {name: counts.pop(name, 0) for name in ("refused", "loaded", "evaluated")}
    print(json.dumps({**totals, "messages": len(counts)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
