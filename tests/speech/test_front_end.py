import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsenet import errors
from sparsenet.speech import FrontEnd

SIZES = ("sample_rate_hz", "samples", "window", "hop", "bands", "frames")
LEVELS = ("floor_db", "offset_db", "scale_db")


def test_default_is_that_of_the_published_networks():
    assert FrontEnd().to_dict() == {
        "sample_rate_hz": 16_000,
        "samples": 16_000,
        "window": 2_048,
        "hop": 512,
        "bands": 32,
        "frames": 32,
        "floor_db": -80.0,
        "offset_db": 40.0,
        "scale_db": 40.0,
    }


@given(
    window=st.integers(2, 4_096),
    hop=st.integers(1, 1_000),
    bands=st.integers(1, 80),
    floor_db=st.floats(-200.0, -1.0),
)
def test_goes_through_json_unchanged(window, hop, bands, floor_db):
    front_end = FrontEnd(window=window, hop=hop, bands=bands, frames=10, floor_db=floor_db)
    assert FrontEnd.from_dict(json.loads(json.dumps(front_end.to_dict()))) == front_end


def test_missing_fields_keep_their_default():
    assert FrontEnd.from_dict({}) == FrontEnd()
    assert FrontEnd.from_dict({"offset_db": 30}) == FrontEnd(offset_db=30)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize(
    "value",
    [0, -1, 2**31, pytest.param(10**5_000, id="huge"), 2.0, True, "16000", None, [1], {"a": [10**5_000]}, math.nan],
)
def test_refuses_absurd_sizes(name, value):
    with pytest.raises(errors.ModelFormatError, match=f"expected {name}") as caught:
        FrontEnd.from_dict({name: value})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 1e9, -1e9, pytest.param(10**400, id="huge"), True, "40", None, {}]
)
def test_refuses_absurd_levels(name, value):
    with pytest.raises(errors.ModelFormatError, match=f"expected {name}"):
        FrontEnd.from_dict({name: value})


@pytest.mark.parametrize("name", ["floor_db", "scale_db"])
def test_refuses_a_level_of_zero(name):
    with pytest.raises(errors.ModelFormatError, match=f"expected {name}"):
        FrontEnd.from_dict({name: 0.0})


@pytest.mark.parametrize(
    "mapping",
    [
        {"frames": 33},
        {"samples": 100},
        {"window": 2**16, "frames": 2**12, "samples": 2**22},
        {"window": 2**16, "bands": 1_000},
    ],
)
def test_refuses_sizes_that_do_not_fit_each_other(mapping):
    with pytest.raises(errors.ModelFormatError, match=r"frames|window"):
        FrontEnd.from_dict(mapping)


@pytest.mark.parametrize("key", ["colour", "__class__", "", 7, pytest.param("x" * 10_000, id="long")])
def test_refuses_unknown_keys(key):
    with pytest.raises(errors.ModelFormatError, match="as well") as caught:
        FrontEnd.from_dict({key: 1})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("mapping", [None, 3, "window", [("window", 2_048)]])
def test_refuses_what_is_not_a_mapping(mapping):
    with pytest.raises(errors.ModelFormatError, match="mapping"):
        FrontEnd.from_dict(mapping)


@given(
    st.dictionaries(
        st.sampled_from(SIZES + LEVELS),
        st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.booleans(), st.none()),
    )
)
def test_any_mapping_gives_a_front_end_or_the_one_error(mapping):
    try:
        front_end = FrontEnd.from_dict(mapping)
    except errors.ModelFormatError:
        return
    assert front_end.to_dict() == {**FrontEnd().to_dict(), **mapping}


def test_constructor_tells_types_from_values():
    with pytest.raises(TypeError, match="an integer"):
        FrontEnd(bands=32.0)
    with pytest.raises(errors.SparsenetError, match="from 1 to 1024"):
        FrontEnd(bands=0)
