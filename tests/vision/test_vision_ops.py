"""torchvision's ops, utils and io: boxes, grids, image files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.data.collate import to_tensor
from onegraph.errors import ArgumentError, ArgumentTypeError, DataError, ShapeError
from onegraph.vision import io as vision_io
from onegraph.vision import ops, utils

Image = pytest.importorskip("PIL.Image")

BOXES = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 40], [0, 0, 9, 12]], np.float32)


def test_overlaps_as_counted_pixel_by_pixel() -> None:
    def pixels(box: Any) -> np.ndarray:
        canvas = np.zeros((50, 50), bool)
        x1, y1, x2, y2 = (int(v) for v in box)
        canvas[y1:y2, x1:x2] = True
        return canvas

    areas = [[(pixels(a) & pixels(b)).sum() / (pixels(a) | pixels(b)).sum() for b in BOXES] for a in BOXES]
    np.testing.assert_allclose(ops.box_iou(to_tensor(BOXES), to_tensor(BOXES)).numpy(), areas, rtol=1e-6)
    assert ops.box_area(to_tensor(BOXES)).tolist() == [100, 100, 200, 108]
    apart = ops.generalized_box_iou(to_tensor(BOXES[:1]), to_tensor(BOXES[2:3])).item()
    assert apart == pytest.approx(0 - (30 * 40 - 300) / (30 * 40))


def test_nms_keeps_the_best_of_each_group() -> None:
    scores = og.tensor([0.5, 0.9, 0.3, 0.8])
    assert ops.nms(to_tensor(BOXES), scores, 0.65).tolist() == [1, 3, 2]
    assert ops.nms(to_tensor(BOXES), scores, 0.3).tolist() == [1, 2]
    classes = og.tensor([0, 1, 0, 2])
    assert ops.batched_nms(to_tensor(BOXES), scores, classes, 0.3).tolist() == [1, 3, 0, 2]
    with pytest.raises(ShapeError, match=r"boxes \(4, 4\), scores \(2,\)"):
        ops.nms(to_tensor(BOXES), og.zeros(2), 0.5)


@pytest.mark.parametrize("form", ["xyxy", "xywh", "cxcywh"])
def test_boxes_convert_there_and_back(form: str) -> None:
    other = ops.box_convert(to_tensor(BOXES), "xyxy", form)
    assert ops.box_area(other, form).tolist() == [100, 100, 200, 108]
    assert np.array_equal(ops.box_convert(other, form, "xyxy").numpy(), BOXES)
    with pytest.raises(ArgumentError, match="xyz"):
        ops.box_convert(other, form, "xyz")


def test_boxes_are_cut_and_left_out() -> None:
    assert ops.clip_boxes_to_image(to_tensor(BOXES), (8, 25)).numpy()[2].tolist() == [20, 8, 25, 8]
    assert ops.remove_small_boxes(to_tensor(BOXES), 10).tolist() == [0, 1, 2]
    masks = np.zeros((1, 5, 6))
    masks[0, 1:3, 2:5] = 1
    assert ops.masks_to_boxes(to_tensor(masks)).tolist() == [[2, 1, 4, 2]]
    with pytest.raises(ArgumentError, match="mask 0 is empty"):
        ops.masks_to_boxes(og.zeros(1, 2, 2))


@pytest.mark.parametrize("shape", [(2, 3, 20, 20), (2, 3, 7, 7, 7)])
def test_dropped_blocks(shape: tuple[int, ...]) -> None:
    with og.config.using(backend="reference"):
        og.manual_seed(0)
        layer = (ops.DropBlock2d if len(shape) == 4 else ops.DropBlock3d)(0.2, 3)
        image = og.ones(*shape)
        result = layer(image).numpy()
        dropped = result == 0
        assert 0.05 < dropped.mean() < 0.35
        assert result.mean() == pytest.approx(1, abs=1e-3)
        # Whatever is dropped is dropped with a whole block around a center.
        first = np.argwhere(dropped)[0][2:]
        assert dropped[(0, 0, *(slice(p, p + 3) for p in first))].any()
        assert layer.eval()(image) is image
        with pytest.raises(ArgumentError, match="a block of 2"):
            ops.drop_block2d(og.ones(1, 1, 4, 4), 0.5, 2)


def test_focal_loss_looks_at_what_is_hard() -> None:
    logits, targets = np.array([2.0, -1.0, 0.5]), np.array([1.0, 1.0, 0.0])
    likely = 1 / (1 + np.exp(-logits))
    right = np.where(targets == 1, likely, 1 - likely)
    expected = np.where(targets == 1, 0.25, 0.75) * (1 - right) ** 2 * -np.log(right)
    result = ops.sigmoid_focal_loss(to_tensor(logits), to_tensor(targets), reduction="sum")
    assert result.item() == pytest.approx(expected.sum(), rel=1e-6)


def test_parts_of_networks() -> None:
    assert [type(layer).__name__ for layer in ops.MLP(4, [8, 2], norm_layer=og.nn.LayerNorm)] == [
        "Linear", "LayerNorm", "ReLU", "Dropout", "Linear", "Dropout",
    ]  # fmt: skip
    frozen = ops.FrozenBatchNorm2d(2)
    assert sorted(frozen.state_dict()) == ["bias", "running_mean", "running_var", "weight"]
    assert list(frozen.parameters()) == []
    for name in ("StochasticDepth", "SqueezeExcitation", "Conv2dNormActivation"):
        assert issubclass(getattr(ops, name), og.nn.Module)


def test_a_grid_of_images() -> None:
    images = np.arange(5, dtype=np.float32)[:, None, None, None] * np.ones((1, 1, 2, 3), np.float32)
    grid = utils.make_grid(to_tensor(images), nrow=2, padding=1, pad_value=9).numpy()
    assert grid.shape == (3, 10, 9)
    assert grid[0, 1:3, 1:4].tolist() == [[0] * 3] * 2
    assert grid[2, 4:6, 5:8].tolist() == [[3] * 3] * 2
    assert grid[0, 7:9, 5:8].max() == 9
    scaled = utils.make_grid(list(map(to_tensor, images)), normalize=True).numpy()
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert utils.make_grid(og.zeros(4, 5)).shape == (3, 4, 5)
    with pytest.raises(ArgumentTypeError, match="a int"):
        utils.make_grid(3)


def test_saved_images_come_back(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 6, 7), np.uint8)
    utils.save_image(to_tensor(pixels.astype(np.float32) / 255), tmp_path / "x.png")
    assert np.array_equal(vision_io.read_image(tmp_path / "x.png").numpy(), pixels)
    stream = io.BytesIO()
    utils.save_image(og.zeros(2, 3, 4, 4), stream, format="png")
    assert Image.open(stream).size == (14, 8)


def test_boxes_and_masks_are_drawn() -> None:
    image = to_tensor(np.zeros((3, 20, 20), np.uint8))
    drawn = utils.draw_bounding_boxes(image, og.tensor([[2.0, 3.0, 9.0, 12.0]]), labels=["a"], colors="blue").numpy()
    assert drawn[:, 3, 5].tolist() == [0, 0, 255]
    assert drawn[:, 15, 15].tolist() == [0, 0, 0]
    mask = np.zeros((1, 20, 20), bool)
    mask[0, :2] = True
    colored = utils.draw_segmentation_masks(image, to_tensor(mask), alpha=0.5, colors=[(200, 0, 100)]).numpy()
    assert colored[:, 0, 0].tolist() == [100, 0, 50]
    assert colored[:, 5].max() == 0
    with pytest.raises(ArgumentError, match="x1 <= x2"):
        utils.draw_bounding_boxes(image, og.tensor([[9.0, 3.0, 2.0, 12.0]]))


@pytest.mark.parametrize("channels", [1, 3])
def test_encoded_images_decode(channels: int, tmp_path: Path) -> None:
    pixels = np.tile(np.arange(0, 240, 8, dtype=np.uint8), (channels, 20, 1))
    image = to_tensor(pixels)
    assert np.array_equal(vision_io.decode_png(vision_io.encode_png(image)).numpy(), pixels)
    lossy = vision_io.decode_jpeg(vision_io.encode_jpeg(image, quality=95)).numpy().astype(int)
    assert np.abs(lossy - pixels).max() < 12
    vision_io.write_jpeg(image, tmp_path / "x.jpg")
    gray = vision_io.decode_image(vision_io.read_file(tmp_path / "x.jpg"), vision_io.ImageReadMode.GRAY)
    assert gray.shape == (1, 20, 30)
    assert vision_io.read_image(tmp_path / "x.jpg", mode="RGB").shape == (3, 20, 30)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="image in memory"):
        vision_io.decode_image(og.zeros(10, dtype=og.uint8))
    with pytest.raises(DataError, match=r"nothing\.png: no such file"):
        vision_io.read_image(tmp_path / "nothing.png")
    with pytest.raises(ShapeError, match="encode_png: float32"):
        vision_io.encode_png(og.zeros(3, 2, 2))
    with pytest.raises(ArgumentError, match="mode='PINK'"):
        vision_io.read_image(tmp_path / "nothing.png", mode="PINK")
