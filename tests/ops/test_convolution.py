"""Convolutions against PyTorch: values, gradients, every argument; and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32
from onegraph.ir.node import input_node
from onegraph.ops import convolution, convolution_functions
from onegraph.ops.elementwise import numpy_constant
from tests.ops.torch_oracle import compare, random, torch

CASES: list[tuple[int, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    (1, (2, 3, 9), (4, 3, 3), {}),
    (1, (2, 4, 9), (6, 2, 3), {"stride": 2, "padding": 1, "groups": 2}),
    (1, (3, 9), (4, 3, 2), {"padding": "same"}),
    (2, (2, 3, 8, 7), (4, 3, 3, 3), {"padding": 1}),
    (2, (2, 3, 8, 7), (4, 3, 3, 2), {"stride": (2, 3), "padding": (1, 0), "dilation": (1, 2)}),
    (2, (1, 4, 6, 6), (4, 1, 3, 3), {"padding": "same", "groups": 4}),
    (2, (3, 2, 5, 5), (4, 2, 1, 1), {"stride": 2}),
    (2, (2, 4, 6, 6), (6, 2, 4, 2), {"padding": "same", "dilation": (1, 2), "groups": 2}),
    (2, (3, 8, 7), (4, 3, 3, 3), {"padding": "valid"}),
    (3, (2, 2, 5, 4, 5), (3, 2, 2, 3, 2), {"stride": (1, 2, 1), "padding": 1}),
]

TRANSPOSED: list[tuple[int, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    (1, (2, 3, 5), (3, 4, 3), {}),
    (1, (3, 5), (3, 4, 3), {"stride": 2, "output_padding": 1}),
    (1, (2, 3, 5), (3, 4, 3), {"dilation": 3, "output_padding": 2, "padding": 1}),
    (1, (2, 3, 5), (3, 4, 2), {"dilation": 4, "output_padding": 3}),
    (2, (2, 4, 5, 4), (4, 3, 3, 2), {"stride": (2, 3), "padding": 1, "groups": 2, "output_padding": (1, 2)}),
    (2, (2, 4, 5, 4), (4, 3, 4, 4), {"stride": 2, "padding": 1, "dilation": 2}),
    (3, (1, 2, 3, 3, 2), (2, 3, 2, 2, 2), {"stride": 2}),
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, about even kernels
@pytest.mark.parametrize(("rank", "x", "w", "arguments"), CASES)
def test_convolution(rank: int, x: Any, w: Any, arguments: dict[str, Any]) -> None:
    ours, theirs = (
        getattr(convolution_functions, f"conv{rank}d"),
        getattr(torch.nn.functional, f"conv{rank}d"),
    )
    compare(ours, theirs, random(*x), random(*w), random(w[0]), **arguments)


@pytest.mark.parametrize(("rank", "x", "w", "arguments"), TRANSPOSED)
def test_transposed_convolution(rank: int, x: Any, w: Any, arguments: dict[str, Any]) -> None:
    name = f"conv_transpose{rank}d"
    ours, theirs = getattr(convolution_functions, name), getattr(torch.nn.functional, name)
    channels = w[1] * arguments.get("groups", 1)
    compare(ours, theirs, random(*x), random(*w), random(channels), **arguments)


def test_empty_batch() -> None:
    compare(convolution_functions.conv2d, torch.nn.functional.conv2d, random(0, 3, 5, 5), random(2, 3, 3, 3))


def test_large_batches_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unfolding a few samples at a time changes nothing but the memory that it takes."""
    monkeypatch.setattr(convolution, "CHUNK_ELEMENTS", 300)
    x, w = random(7, 2, 6, 6), random(3, 2, 3, 3)
    compare(convolution_functions.conv2d, torch.nn.functional.conv2d, x, w)


def test_unknown_batch_size() -> None:
    n = Dim.unknown("n")
    w = numpy_constant(random(4, 3, 3, 3, dtype=np.float32))
    y = convolution_functions.conv2d(input_node((n, 3, 8, 8), float32), w, stride=2)
    assert y.shape == (n, 4, 3, 3)
    y = convolution_functions.conv_transpose2d(input_node((n, 4, 8, 8), float32), w, stride=2)
    assert y.shape == (n, 3, 17, 17)


def test_integers() -> None:
    x, w = np.arange(2 * 9).reshape(1, 2, 9), np.arange(12).reshape(2, 2, 3)
    (y,) = evaluate([convolution_functions.conv1d(numpy_constant(x), numpy_constant(w))])
    expected = [np.sum(x[0, :, i : i + 3] * w[o]) for o in range(2) for i in range(7)]
    np.testing.assert_array_equal(y, np.reshape(expected, (1, 2, 7)))


def node(*shape: int, dtype: Any = np.float32) -> Any:
    return numpy_constant(np.zeros(shape, dtype))


def test_channel_mismatch_names_both_shapes_and_groups() -> None:
    message = r"weight \(4, 3, 3, 3\) with groups=2 needs 6 input channels, but the input \(1, 3, 8, 8\) has 3"
    with pytest.raises(ShapeError, match=message):
        convolution_functions.conv2d(node(1, 3, 8, 8), node(4, 3, 3, 3), groups=2)


def test_channels_last_input_gets_a_hint() -> None:
    with pytest.raises(ShapeError, match="movedim"):
        convolution_functions.conv2d(node(1, 8, 8, 3), node(4, 3, 3, 3))


def test_kernel_larger_than_input() -> None:
    with pytest.raises(ShapeError, match=r"conv1d: input size .* spans 5"):
        convolution_functions.conv1d(node(1, 3, 4), node(4, 3, 3), dilation=2)


@pytest.mark.parametrize(
    ("error", "match", "arguments"),
    [
        (ArgumentError, "stride", {"stride": 0}),
        (ArgumentError, "stride 1", {"stride": 2, "padding": "same"}),
        (ArgumentError, "'same', 'valid'", {"padding": "full"}),
        (ArgumentError, "negative", {"padding": -1}),
        (ArgumentTypeError, "stride must be an int", {"stride": 1.5}),
        (ArgumentError, "or 2 of them", {"dilation": (1, 1, 1)}),
        (ShapeError, r"bias \(3,\) must have the 4", {"bias": np.zeros(3, np.float32)}),
        (ShapeError, "3 groups", {"groups": 3}),
    ],
)
def test_wrong_arguments(error: type[Exception], match: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(error, match=match):
        convolution_functions.conv2d(node(1, 3, 8, 8), node(4, 3, 3, 3), **arguments)


def test_wrong_rank_and_dtype() -> None:
    with pytest.raises(ShapeError, match="needs an input of 4 dimensions"):
        convolution_functions.conv2d(node(3, 8), node(4, 3, 3, 3))
    with pytest.raises(DTypeError, match=r"float32 but weight .* float64"):
        convolution_functions.conv2d(node(1, 3, 8, 8), node(4, 3, 3, 3, dtype=np.float64))
    with pytest.raises(ArgumentError, match="output_padding"):
        convolution_functions.conv_transpose1d(node(1, 3, 8), node(3, 4, 3), output_padding=1)
    with pytest.raises(ShapeError, match="in channels, out channels / groups"):
        convolution_functions.conv_transpose1d(node(1, 3, 8), node(4, 3, 3))
