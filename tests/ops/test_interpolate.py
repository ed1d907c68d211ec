"""Resizing, shuffling and sampling of images against PyTorch: values, gradients, every mode; and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32
from onegraph.ir.node import input_node
from onegraph.ops import grid_sample, interpolate, pooling
from onegraph.ops.promotion import as_node
from tests.ops.torch_oracle import compare, random, torch

functional = torch.nn.functional

SHAPES = {1: (2, 3, 7), 2: (2, 2, 5, 6), 3: (1, 2, 4, 3, 5)}
TARGETS: list[dict[str, Any]] = [
    {"size": 3},
    {"size": 11},
    {"size": 1},
    {"scale_factor": 2},
    {"scale_factor": 1.7},
    {"scale_factor": 0.6},
    {"scale_factor": 1.7, "recompute_scale_factor": True},
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_nearest_and_area(rank: int, mode: str, target: dict[str, Any]) -> None:
    compare(interpolate.interpolate, functional.interpolate, random(*SHAPES[rank]), **target, mode=mode)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("align_corners", [None, False, True])
@pytest.mark.parametrize("mode", ["linear", "bilinear", "bicubic", "trilinear"])
def test_linear_and_cubic(mode: str, align_corners: bool | None, target: dict[str, Any]) -> None:
    x = random(*SHAPES[interpolate.RANKS[mode]])
    arguments = {**target, "mode": mode, "align_corners": align_corners}
    compare(interpolate.interpolate, functional.interpolate, x, **arguments, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("target", [{"size": (3, 9)}, {"scale_factor": (0.4, 1.5)}, {"size": (2, 2)}], ids=str)
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialias(mode: str, align_corners: bool, target: dict[str, Any]) -> None:
    arguments = {**target, "mode": mode, "align_corners": align_corners, "antialias": True}
    compare(interpolate.interpolate, functional.interpolate, random(2, 2, 8, 7), **arguments, rtol=1e-5, atol=1e-8)


def test_older_names() -> None:
    x = random(1, 2, 3, 4)
    y, z = interpolate.upsample_bilinear(as_node(x), 5), interpolate.upsample_nearest(as_node(x), scale_factor=2)
    expected = functional.interpolate(torch.tensor(x), 5, mode="bilinear", align_corners=True)
    np.testing.assert_allclose(evaluate([y])[0], expected)
    np.testing.assert_array_equal(evaluate([z])[0], x.repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize("shape", [(2, 12, 4, 6), (12, 4, 2), (2, 3, 4, 2, 2)])
def test_shuffles(shape: tuple[int, ...]) -> None:
    x = random(*shape)
    compare(interpolate.pixel_shuffle, functional.pixel_shuffle, x, 2)
    compare(interpolate.pixel_unshuffle, functional.pixel_unshuffle, x, 2)
    if len(shape) == 4:
        compare(interpolate.channel_shuffle, functional.channel_shuffle, x, 3)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("mode", "rank"), [("bilinear", 2), ("nearest", 2), ("bicubic", 2), ("bilinear", 3), ("nearest", 3)]
)
def test_grid_sample(mode: str, rank: int, padding_mode: str, align_corners: bool) -> None:
    x = random(2, 3, *(4, 5, 3)[:rank])
    grid = random(2, *(3, 4, 2)[:rank], rank, seed=1) * 1.2
    compare(
        grid_sample.grid_sample,
        functional.grid_sample,
        x,
        grid,
        mode,
        padding_mode,
        align_corners,
        rtol=1e-6,
        atol=1e-8,
    )


@pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid")
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 1, 3), (2, 3, 2, 3, 4)])
def test_affine_grid(size: tuple[int, ...], align_corners: bool) -> None:
    rank = len(size) - 2
    compare(grid_sample.affine_grid, functional.affine_grid, random(2, rank, rank + 1), size, align_corners)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_unpool(rank: int) -> None:
    name = f"max_unpool{rank}d"
    ours, theirs = getattr(grid_sample, name), getattr(functional, name)
    for size, output_size in (((6, 4, 8), None), ((7, 5, 6), (7, 5, 6)[:rank])):
        x = torch.tensor(random(2, 3, *size[:rank]))
        values, indices = getattr(functional, f"max_pool{rank}d")(x, 2, return_indices=True)
        compare(ours, theirs, values.numpy(), indices.numpy(), 2, output_size=output_size)
        compare(ours, theirs, values[0].numpy(), indices[0].numpy(), 2, output_size=output_size)


def test_max_unpool_undoes_max_pool() -> None:
    x = as_node(random(1, 1, 4, 4))
    pooled, indices = pooling.max_pool2d(x, 2, return_indices=True)
    again = pooling.max_pool2d(grid_sample.max_unpool2d(pooled, indices, 2), 2)
    assert (evaluate([again])[0] >= evaluate([pooled])[0]).all()


def test_unknown_batch_size() -> None:
    x = input_node((Dim.unknown("n"), 3, 4, 4), float32)
    assert interpolate.interpolate(x, scale_factor=2).shape == (x.shape[0], 3, 8, 8)
    assert interpolate.interpolate(x, 7, mode="bicubic").shape == (x.shape[0], 3, 7, 7)
    assert interpolate.pixel_unshuffle(x, 2).shape == (x.shape[0], 12, 2, 2)


def test_errors() -> None:
    x = as_node(np.zeros((1, 3, 4, 4), np.float32))
    with pytest.raises(ArgumentError, match="either size or scale_factor"):
        interpolate.interpolate(x)
    with pytest.raises(ArgumentError, match="mode must be"):
        interpolate.interpolate(x, 2, mode="cubic")
    with pytest.raises(ShapeError, match=r"'linear' needs 3 dimensions, the input is \(1, 3, 4, 4\)"):
        interpolate.interpolate(x, 2, mode="linear")
    with pytest.raises(ArgumentError, match="align_corners"):
        interpolate.interpolate(x, 2, align_corners=True)
    with pytest.raises(ArgumentError, match="antialias"):
        interpolate.interpolate(x, 2, antialias=True)
    with pytest.raises(ShapeError, match="at least 1"):
        interpolate.interpolate(x, scale_factor=0.1)
    with pytest.raises(ShapeError, match="must be known"):
        interpolate.interpolate(input_node((1, 3, Dim.unknown("h"), 4), float32), 2)
    with pytest.raises(ShapeError, match="not a multiple of 2"):
        interpolate.pixel_shuffle(x, 2)
    with pytest.raises(ShapeError, match="grid_sample: input"):
        grid_sample.grid_sample(x, as_node(np.zeros((1, 4, 4, 3), np.float32)))
    with pytest.raises(ShapeError, match="within a stride"):
        grid_sample.max_unpool2d(x, as_node(np.zeros((1, 3, 4, 4), np.int64)), 2, output_size=(12, 8))
    bad = grid_sample.max_unpool2d(x, as_node(np.full((1, 3, 4, 4), 64)), 2)
    with pytest.raises(OutOfRangeError, match="index 64"):
        evaluate([bad])
