"""Convolution with blocks of one tap by 16 outputs, of images whose active channels are listed."""

from sparsenet_kernels.cpu.conv2d_arguments import LISTS, PLAIN, POOLED
from sparsenet_kernels.formats.padded_sums import GROUP_SIZES
from sparsenet_kernels.jit import helper, index
from sparsenet_kernels.registry import base_name, kernel
from sparsenet_kernels.simd.ops import bits_of, load, load_first, maximum, store, store_first
from sparsenet_kernels.simd.scatter import scatter_blocks

BLOCKS = """
    index groups i32[P, 6]; index members i32[G]; index offsets i32[Z]; weight weights f32[Z, 16];
    constant bias f32[N]; constant stride_y int; constant stride_x int; constant row int; constant first int;
    constant lanes int; scratch ends i32[C]; scratch listed i32[E]; scratch sums f32[Q]; out out f32[B, OH, OW, N]
"""


@helper
def start_from_bias(bias, n, lanes, sums):
    """Set the sums of every place to the bias from output ``n`` on, filled up to whole vectors."""
    for lane in range(0, lanes, 16):
        store(sums, lane, load_first(bias, n + lane, bias.shape[0] - n - lane, 0.0))
    for place in range(lanes, sums.shape[0], lanes):
        for lane in range(0, lanes, 16):
            store(sums, place + lane, load(sums, lane))


@helper
def list_by_channel(columns, values, b, width, row_step, place_step, ends, listed):
    """Turn the lists of each position into one list for each channel: pairs of a place and a value's bits.

    Both in one array, because they are then written to one cache line: 0.94 instead of 1.24 µs for 1176 entries.
    """
    positions = columns.shape[1]
    for c in range(ends.shape[0]):
        ends[c] = c * positions
    for y in range(positions // width):
        for x in range(width):
            for j in range(columns.shape[2]):
                c = columns[b, y * width + x, j]
                if c < 0:
                    break
                # place and value side by side: one cache line is written, not two
                at = index(2) * index(ends[index(c)])
                listed[at] = y * row_step + x * place_step
                listed[at + index(1)] = bits_of(values[b, y * width + x, j])
                ends[index(c)] += 1


def _adder(sizes):
    """Make the function that adds the groups of one part of the outputs: those of the first size, then the rest.

    It returns how many groups and blocks come before the next part.
    """
    count = sizes[0]
    column = GROUP_SIZES.index(count)
    add_rest = _adder(sizes[1:]) if len(sizes) > 1 else _done

    @helper
    def add_groups(groups, part, members, offsets, weights, ends, positions, listed, sums, g, z):
        for _ in range(groups[part, column]):
            c = index(members[index(g)])
            first = c * index(positions)
            # `count` blocks in registers meet every active input of their channel
            scatter_blocks(count, weights, offsets, z, listed, first, ends[c], sums)
            g += 1
            z += count
        return add_rest(groups, part, members, offsets, weights, ends, positions, listed, sums, g, z)

    return add_groups


@helper
def _done(groups, part, members, offsets, weights, ends, positions, listed, sums, g, z):
    return g, z


add_part = _adder(GROUP_SIZES)


@helper
def write_outputs(sums, start, row_step, place_step, b, n, lanes, out):
    """Copy the places that are outputs, from ``start`` on in steps, to the outputs from ``n`` on."""
    _, out_height, out_width, outputs = out.shape
    for oy in range(out_height):
        for ox in range(out_width):
            source = start + oy * row_step + ox * place_step
            target = ((b * out_height + oy) * out_width + ox) * outputs + n
            for lane in range(0, min(lanes, outputs - n), 16):
                store_first(out, target + lane, load(sums, source + lane), outputs - n - lane)


@helper
def write_pooled(sums, start, row_step, place_step, b, n, lanes, out):
    """Write the largest of each 2 x 2 outputs; otherwise as :func:`write_outputs`."""
    _, out_height, out_width, outputs = out.shape
    for oy in range(out_height):
        for ox in range(out_width):
            source = start + 2 * (oy * row_step + ox * place_step)
            target = ((b * out_height + oy) * out_width + ox) * outputs + n
            for lane in range(0, min(lanes, outputs - n), 16):
                above, below = source + lane, source + lane + row_step
                best = maximum(load(sums, above), load(sums, above + place_step))
                best = maximum(maximum(load(sums, below), load(sums, below + place_step)), best)
                store_first(out, target + lane, best, outputs - n - lane)


def _blocks_active(fused):
    write = write_pooled if fused == POOLED else write_outputs

    def blocks_active(
        columns,
        values,
        width,
        channels,
        groups,
        members,
        offsets,
        weights,
        bias,
        stride_y,
        stride_x,
        row,
        first,
        lanes,
        ends,
        listed,
        sums,
        out,
    ):
        """Add, for each group of blocks of 16 weights, all active inputs of its channel to the outputs they lead to.

        columns  (B, R, K)       i32  R = H * width; 0 <= columns < channels; -1 ends a short row
        values   (B, R, K)       f32
        groups   (P, 6)          i32  groups of 6, 5, 4, 3, 2 and 1 blocks in each part of the outputs
        members  (G,)            i32  the channel of each group
        offsets  (Z,)            i32  how far from the place of its input a block is added
        weights  (Z, 16)         f32  zeros behind the last output
        bias     (N,)            f32
        row, first, lanes             places in a row of the sums, the place of the first output, numbers at a place
        ends     (C,)            i32  scratch: where each channel's list ends
        listed   (E,)            i32  scratch, E = 2 * C * R: where each channel is active, and its values' bits
        sums     (Q,)            f32  scratch: a part's outputs, see :class:`~sparsenet_kernels.formats.PaddedSums`
        out      (B, OH, OW, N)  f32  overwritten; for conv2d_pool2 half the convolution's size, rounded down

        Channel by channel, because blocks then stay in registers. The end of each loop costs as much as 40 additions
        of a block, so loops are few and long: groups of one size follow each other, and nothing is clipped. Position
        by position nothing need be sorted, but blocks are loaded for every input: 4.7 to 6.5 instead of 3.3 µs after
        sorting. 64 channels, 14 x 14, 5 x 5, 6 active, five blocks for each channel on average: 5.4 µs with pooling;
        with one block at a time and rows clipped it was 10.5, and 0.5 for pooling.

        Work    2 * R * K * 16 * Z / C flop per sample.
        """
        for b in range(columns.shape[0]):
            # first by channel: the loops over blocks are then long, and their weights stay in registers
            list_by_channel(columns, values, b, width, row * lanes, lanes, ends, listed)
            g = z = 0
            for part in range(groups.shape[0]):
                # the outputs of a part at all places, with a margin around: nothing need be clipped
                start_from_bias(bias, part * lanes, lanes, sums)
                g, z = add_part(groups, part, members, offsets, weights, ends, columns.shape[1], listed, sums, g, z)
                steps = stride_y * row * lanes, stride_x * lanes
                # places that are no outputs, beside rows and between strides, are dropped
                write(sums, first * lanes, steps[0], steps[1], b, part * lanes, lanes, out)

    blocks_active.__name__ = base_name("conv2d", "f32", "blocks", "active", fused)
    kernel("conv2d", fused=fused, weights="blocks", inputs="active", arguments=LISTS + BLOCKS)(blocks_active)


for _fused in (PLAIN, POOLED):
    _blocks_active(_fused)
