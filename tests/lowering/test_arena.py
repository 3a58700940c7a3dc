"""Buffers that are needed at the same time never overlap."""

from hypothesis import given
from hypothesis import strategies as st

from sparsenet.lowering.arena import ALIGNMENT_BYTES, Buffer, lay_out


@st.composite
def buffers(draw):
    spans = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 8)), max_size=20))
    return [Buffer(draw(st.integers(0, 300)), draw(st.booleans()), first, first + length) for first, length in spans]


@given(buffers(), st.integers(1, 16))
def test_no_overlap_in_space_and_time(some, samples):
    total = lay_out(some, samples)
    for i, one in enumerate(some):
        assert one.offset_bytes % ALIGNMENT_BYTES == 0
        assert one.offset_bytes + one.size_bytes(samples) <= total
        for other in some[:i]:
            together = one.first <= other.last and other.first <= one.last
            apart = (
                one.offset_bytes + one.size_bytes(samples) <= other.offset_bytes
                or other.offset_bytes + other.size_bytes(samples) <= one.offset_bytes
            )
            assert apart or not together


def test_a_chain_reuses_its_memory():
    chain = [Buffer(1000, True, step, step + 1) for step in range(50)]
    assert lay_out(chain, 4) == 2 * chain[0].size_bytes(4)


def lowest_gaps(buffers, samples):
    """Find the same places by looking at every other buffer each time."""
    placed = []
    for buffer in sorted(buffers, key=lambda buffer: buffer.first):
        offset = 0
        for begin, end, last in sorted(placed):
            if last < buffer.first:
                continue
            if begin - offset >= buffer.size_bytes(samples):
                break
            offset = max(offset, end)
        placed.append((offset, offset + buffer.size_bytes(samples), buffer.last))
    return [begin for begin, _, _ in placed]


@given(buffers(), st.integers(1, 16))
def test_each_lies_in_the_lowest_gap(some, samples):
    lay_out(some, samples)
    in_order = sorted(some, key=lambda buffer: buffer.first)
    assert [buffer.offset_bytes for buffer in in_order] == lowest_gaps(some, samples)
