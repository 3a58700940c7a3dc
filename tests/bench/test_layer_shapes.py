import pytest

from sparsenet.bench.layer_shapes import SHIPPED, read_shapes, shapes_from
from sparsenet.errors import SparsenetError


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_shapes_can_be_read_and_differ(name):
    shapes = shapes_from(name)
    assert len(shapes) == len(set(shapes)) >= 3


def test_squares_go_from_1024_to_8192():
    assert [(shape.outputs, shape.inputs) for shape in shapes_from("linear")] == [
        (n, n) for n in (1024, 2048, 4096, 8192)
    ]


def test_resnet50_has_both_kinds_of_convolution():
    kernels = {shape.weight_shape[2:] for shape in shapes_from("resnet50") if shape.operation == "conv2d"}
    assert kernels == {(1, 1), (3, 3)}


def test_a_file_with_comments_and_blank_lines(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("# mine\n\n  linear 3 5  # small\nconv2d 8 4 7 6 3 2 2 1\r\n", encoding="utf-8")
    linear, conv = shapes_from(path)
    assert (linear.weight_shape, linear.sample_shape, linear.fan_in) == ((3, 5), (5,), 5)
    assert (conv.weight_shape, conv.sample_shape, conv.fan_in) == ((8, 4, 3, 2), (4, 7, 6), 24)
    assert (conv.stride, conv.padding) == (2, 1)


@pytest.mark.parametrize(
    "line",
    [
        "linear 3",
        "linear 3 4 5",
        "linear x 4",
        "linear -3 4",
        "linear 3.0 4",
        "linear 0 4",
        "linear ² 4",
        "conv2d 3 4",
        "dense 3 4",
        "conv2d 8 4 7 6 3 2 0 1",
        "conv2d 8 4 2 2 5 5 1 1",
        "linear 99999999 4",
        "linear 1000000 1000000",
        "conv2d 1 1000000 1000000 1 1 1 1 0",
    ],
)
def test_lines_that_cannot_be_read_are_named(line):
    with pytest.raises(SparsenetError, match="line 2: expected"):
        read_shapes(f"linear 1 1\n{line}\n")


def test_no_shape_at_all_is_an_error():
    with pytest.raises(SparsenetError, match="at least one shape"):
        read_shapes("# nothing\n")


def test_neither_a_name_nor_a_file():
    with pytest.raises(FileNotFoundError, match="linear, conv3x3, resnet50, bert"):
        shapes_from("nobody")
