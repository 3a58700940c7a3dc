"""The geometry of a float convolution: where its windows lie on the image."""

from dataclasses import dataclass

from sparsenet.layers import Conv2d, as_pair
from sparsenet_kernels.forks import kept_property
from sparsenet_kernels.formats import PaddedSums, Planes

__all__ = ["Geometry"]


@dataclass(frozen=True)
class Geometry:
    """How the windows of a convolution lie over its image; ``out`` is what is computed, before any pooling."""

    layer: Conv2d
    channels: int
    height: int
    width: int
    out: tuple[int, int]

    @property
    def stride(self) -> tuple[int, int]:
        """Vertical and horizontal step of the windows: 1 where there is one row of them, or one column.

        Whatever step the layer names there is never taken, and planes for each phase of it would take its square.
        """
        steps = as_pair(self.layer.stride)
        return (1 if self.out[0] == 1 else steps[0], 1 if self.out[1] == 1 else steps[1])

    @property
    def padding(self) -> tuple[int, int]:
        """Rows above and below the image, columns left and right of it."""
        return as_pair(self.layer.padding)

    @kept_property
    def planes(self) -> Planes:
        """How the image lies as planes, for kernels that walk their weights."""
        dilation = as_pair(self.layer.dilation)
        return Planes(self.channels, (self.height, self.width), self.stride, self.padding, dilation)

    @kept_property
    def padded_sums(self) -> PaddedSums:
        """Where kernels add up that send inputs to outputs."""
        size, kernel = (self.height, self.width), (self.layer.weight.shape[2], self.layer.weight.shape[3])
        windows = kernel, self.stride, self.padding, as_pair(self.layer.dilation)
        return PaddedSums(len(self.layer.weight), size, self.out, *windows)

    def settings(self, pad: tuple[int, int] | None = None) -> dict[str, int]:
        """Return the integers that convolution kernels take: filter, stride, padding, dilation."""
        names = "kernel_height", "kernel_width", "stride_y", "stride_x", "pad_y", "pad_x", "dilation_y", "dilation_x"
        kernel, dilation = self.layer.weight.shape[2:], as_pair(self.layer.dilation)
        return dict(zip(names, (*kernel, *self.stride, *(pad or self.padding), *dilation), strict=True))
