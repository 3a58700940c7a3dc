"""The image that a convolution of floats reads, in each form that its kernels take."""

from sparsenet.lowering.conv2d_geometry import Geometry
from sparsenet.lowering.draft import Argument, Draft, View, emit
from sparsenet.lowering.tensor import Tensor, active_lists, dense_buffer, listed

__all__ = ["dense_image", "image_lists", "padded_image", "split_image"]


def dense_image(draft: Draft, geometry: Geometry, x: Tensor) -> View:
    """Return the image with all its channels."""
    return View(dense_buffer(draft, x), (geometry.height, geometry.width, geometry.channels))


def image_lists(draft: Draft, geometry: Geometry, x: Tensor) -> dict[str, Argument]:
    """Return the lists of active channels, one for each position, and how the positions lie."""
    lists = listed(active_lists(draft, x), x.rows)
    return {**lists, "width": geometry.width, "channels": geometry.channels}


def padded_image(draft: Draft, geometry: Geometry, x: Tensor) -> View:
    """Return the image with its padding around it, copied only where it has one."""
    image = dense_image(draft, geometry, x)
    top, left = geometry.padding
    if top == left == 0:
        return image
    shape = (geometry.height + 2 * top, geometry.width + 2 * left, geometry.channels)
    padded = View(draft.buffer(*shape), shape)
    emit(draft, "pad2d_f32", {"x": image, "top": top, "left": left, "out": padded})
    return padded


def split_image(draft: Draft, geometry: Geometry, x: Tensor) -> View:
    """Return the image as planes; written from its lists where nobody has needed it in dense form."""
    planes = geometry.planes
    size = planes.total_size(geometry.out)
    (stride_y, stride_x), (pad_y, pad_x) = geometry.stride, geometry.padding
    steps = {"stride_y": stride_y, "stride_x": stride_x, "pad_y": pad_y, "pad_x": pad_x}
    places = {"rows": planes.rows, "row": planes.row}
    split = View(draft.buffer(size), (size,))
    if x.dense is None and x.lists is not None:
        emit(draft, "expand_phases_f32", {**image_lists(draft, geometry, x), **steps, **places, "planes": split})
    else:
        emit(draft, "split_phases_f32", {"x": dense_image(draft, geometry, x), **steps, **places, "planes": split})
    return split
