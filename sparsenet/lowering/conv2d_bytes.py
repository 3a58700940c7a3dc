"""A convolution of bytes that is being lowered: its windows, and the arguments that all its kernels take."""

from dataclasses import dataclass
from functools import partial

from sparsenet.layers import QuantizedConv2d, as_pair
from sparsenet.lowering.bytes import byte_buffer
from sparsenet.lowering.draft import Arguments, Draft, View, emit
from sparsenet.lowering.implementation import Implementation
from sparsenet.lowering.task import Task
from sparsenet.lowering.tensor import Tensor
from sparsenet_kernels.formats import Lookup, Tiles, window_arrays
from sparsenet_kernels.formats.tiles_conv2d import check_window, pack_bias

__all__ = [
    "SKIPS_TILES",
    "ByteConv2d",
    "after_sums",
    "fits_pixels",
    "in_steps",
    "of_bytes",
    "packed_arrays",
    "padded_bytes",
]

of_bytes = partial(Implementation, "conv2d", "i8", fuses=("pool2",))
"""An implementation of convolutions of bytes; all of them can pool, too."""

SKIPS_TILES = "leaves out tiles without a weight"

LARGEST_PIXELS_FILTER = 8
"""Filters up to this height and width are computed on the pixels of an image of one channel."""


@dataclass(frozen=True, eq=False)
class ByteConv2d:
    """A convolution of bytes; see :class:`~sparsenet.lowering.implementation.WeightedTask`."""

    task: Task
    fused: str = ""

    alike = None
    """Its candidates are packed before one of them is chosen."""

    @property
    def layer(self) -> QuantizedConv2d:
        """The convolution."""
        layer: QuantizedConv2d = self.task.layer
        return layer

    @property
    def outputs(self) -> int:
        """How many outputs there are."""
        return len(self.layer.weight)

    @property
    def stride(self) -> int:
        """Bytes from one pixel to the next."""
        return self.task.x.layout.stride

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the filters."""
        height, width = self.layer.weight.shape[2:]
        return height, width

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of what the kernel gives: pooled already, where it pools."""
        epilogue = self.task.epilogue
        _, height, width = epilogue.shape if self.fused and epilogue is not None else self.task.shape
        return height, width

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the image with the padding."""
        (_, height, width), (top, left) = self.task.x.shape, as_pair(self.layer.padding)
        return height + 2 * top, width + 2 * left

    @property
    def on_pixels(self) -> bool:
        """Whether its image has one channel, and pixels without padding between them."""
        return self.stride == 1 and fits_pixels(self.layer)

    def check_offsets(self) -> None:
        """Raise IndexRangeError unless every offset in `packed_arrays` fits int32."""
        check_window(self.kernel, self.stride, self.padded[1], as_pair(self.layer.dilation))


def fits_pixels(layer: QuantizedConv2d) -> bool:
    """Tell whether there are kernels that compute a layer on the pixels of an image of one channel."""
    plain = as_pair(layer.dilation) == (1, 1) and layer.groups == 1
    return plain and max(layer.weight.shape[2:]) <= LARGEST_PIXELS_FILTER


def packed_arrays(problem: ByteConv2d, packed: Tiles | Lookup) -> Arguments:
    """Give the arrays of packed weights by name; offsets count bytes from the corner of a window to its inputs."""
    dilation = as_pair(problem.layer.dilation)
    return {**window_arrays(packed, problem.stride, problem.kernel[1], problem.padded[1], dilation)}


def after_sums(layer: QuantizedConv2d) -> Arguments:
    """Return the arguments that turn sums into bytes."""
    return {"bias": pack_bias(layer.bias, layer.weight, layer.shift), "shift": layer.shift}


def in_steps(layer: QuantizedConv2d) -> Arguments:
    """Return the distances between windows."""
    stride_y, stride_x = as_pair(layer.stride)
    return {"stride_y": stride_y, "stride_x": stride_x}


def padded_bytes(draft: Draft, layer: QuantizedConv2d, x: Tensor) -> View:
    """Return the image with its padding around it, copied only where it has one."""
    (_, height, width), (top, left), stride = x.shape, as_pair(layer.padding), x.layout.stride
    shape = (height + 2 * top, width + 2 * left, stride)
    seen = shape if stride > 1 else shape[:2]  # pixels have no axis of channels
    if (top, left) == (0, 0):
        return View(x.view.buffer, seen)
    padded = byte_buffer(draft, *shape)
    source = View(x.view.buffer, (height, width, stride))
    given: Arguments = {"x": source, "top": top, "left": left, "value": layer.zero, "out": View(padded, shape)}
    emit(draft, "pad2d_i8", given)
    return View(padded, seen)
