"""Pictures of what a network sees: cases worked out by hand, and the same with PyTorch where it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.inspection import (
    class_image,
    deconvolution,
    feature_maps,
    filters,
    grad_cam,
    guided_backpropagation,
    integrated_gradients,
    occlusion,
    saliency,
    smooth_grad,
)
from onegraph.inspection import picture as pictures

SHAPE = (1, 8, 8)


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    with og.config.using(backend="reference"):
        yield


def image(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def network() -> nn.Sequential:
    og.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU6(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 3),
    )  # fmt: skip


def linear() -> nn.Sequential:
    og.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def row(model: nn.Sequential, target: int) -> np.ndarray:
    weight: np.ndarray = model[1].weight.detach().numpy()[target].reshape(SHAPE)
    return weight


# ---- gradients


def test_saliency_of_a_linear_model_is_its_weight() -> None:
    model = linear()
    for target in (0, 2):
        assert np.array_equal(saliency(model, image(), target).values, row(model, target))
    scores = model(og.tensor(image()[None])).detach().numpy()
    best = int(scores.argmax())
    assert np.array_equal(saliency(model, image()).values, row(model, best))


def test_smooth_grad_and_integrated_gradients_of_a_linear_model() -> None:
    model, x = linear(), image()
    assert np.allclose(smooth_grad(model, x, 1, samples=3).values, row(model, 1), atol=1e-7)
    assert np.allclose(integrated_gradients(model, x, 1, steps=4).values, row(model, 1) * x, atol=1e-6)
    started = integrated_gradients(model, x, 1, baseline=0.5, steps=1).values
    assert np.allclose(started, row(model, 1) * (x - 0.5), atol=1e-6)


def test_integrated_gradients_add_up_to_the_difference_of_scores() -> None:
    model, x = network(), image()
    parts = integrated_gradients(model, x, 2, steps=300).values
    at_image, at_zero = (float(model(og.tensor(v[None]))[0, 2].item()) for v in (x, np.zeros_like(x)))
    assert parts.sum() == pytest.approx(at_image - at_zero, rel=0.02)


def test_smooth_grad_differs_by_seed_alone() -> None:
    model, x = network(), image()
    same = [smooth_grad(model, x, 0, samples=4, seed=s).values for s in (1, 1, 2)]
    assert np.array_equal(same[0], same[1]) and not np.array_equal(same[0], same[2])


def test_guided_backpropagation_by_hand() -> None:
    """Two units: the gradient of one is negative, the input of the other is."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1, bias=False))
    with og.no_grad():
        model[1].weight.copy_(og.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        model[3].weight.copy_(og.tensor([[2.0, -3.0, 5.0]]))
    x = np.array([[[1.0, 4.0]]], np.float32)
    assert saliency(model, x, 0).values.tolist() == [[[2.0, -3.0]]]
    assert guided_backpropagation(model, x, 0).values.tolist() == [[[2.0, 0.0]]]


def test_occlusion_finds_the_only_pixel_that_counts() -> None:
    model = linear()
    with og.no_grad():
        model[1].weight.zero_()
        model[1].weight[1, 2 * 8 + 5] = 4.0
    found = occlusion(model, np.ones(SHAPE, np.float32), 1, patch=1, stride=1, batch_size=10).values
    assert np.argwhere(found > 1e-6).tolist() == [[2, 5]]
    before = float(model(og.ones(1, *SHAPE)).softmax(1)[0, 1].item())
    after = float(model(og.zeros(1, *SHAPE)).softmax(1)[0, 1].item())
    assert found[2, 5] == pytest.approx(before - after, abs=1e-6)
    whole = occlusion(model, np.ones(SHAPE, np.float32), 1, patch=(8, 8)).values
    assert np.allclose(whole, before - after, atol=1e-6)


# ---- Grad-CAM


def test_grad_cam_by_hand() -> None:
    """One convolution of 1 x 1, the mean of each map, a linear layer: weights of the maps are those of the layer."""
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    x = image()
    maps = model[0](og.tensor(x[None])).detach().numpy()[0]
    weight = model[3].weight.detach().numpy()
    for target in (0, 1):
        wanted = np.maximum((weight[target][:, None, None] * maps).sum(0) / 64, 0)
        picture = grad_cam(model, x, target)
        assert np.allclose(picture.values, wanted, atol=1e-6)
        assert picture.shape == (8, 8, 3)


# ---- the deconvolutional network


def test_deconvolution_of_a_single_filter_is_the_filter() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.ReLU())
    pattern = np.array([[0.0, 1, 0], [1, -2, 1], [0, 1, 0]], np.float32)
    with og.no_grad():
        model[0].weight[0, 0] = og.tensor(pattern)
    x = np.zeros(SHAPE, np.float32)
    x[0, 3:6, 2:5] = pattern
    found = deconvolution(model, x, channel=0).values[0]
    wanted = np.zeros((8, 8), np.float32)
    wanted[3:6, 2:5] = pattern * (pattern**2).sum()
    assert np.array_equal(found, wanted)
    assert deconvolution(model, x, channel=0, crop=True).shape == (3, 3, 3)


def test_deconvolution_shows_the_strongest_maps_first() -> None:
    picture = deconvolution(network(), image(), "0", most=3)
    assert picture.values.shape == (3, *SHAPE)
    maps = np.maximum(feature_maps(network(), image(), ["0"])["0"].values, 0)
    order = np.argsort(-maps.max((1, 2)))[:3]
    alone = deconvolution(network(), image(), "0", channel=int(order[0])).values
    assert np.array_equal(picture.values[0], alone)


def _torch_copy(torch: Any, model: nn.Sequential) -> Any:
    other = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 5, 3, padding=1), torch.nn.ReLU6(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(20, 3),
    )  # fmt: skip
    state = {name: torch.tensor(np.array(value.detach().numpy())) for name, value in model.state_dict().items()}
    other.load_state_dict(state)
    return other


def test_the_same_as_with_pytorch() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    model, x = network(), 3 * image(5)
    other = _torch_copy(torch, model)
    batch = torch.tensor(x[None], requires_grad=True)
    other(batch)[0, 1].backward()
    assert np.allclose(saliency(model, x, 1).values, batch.grad[0].numpy(), atol=1e-6)

    # Grad-CAM at the second convolution
    maps = other[3](other[2](other[1](other[0](batch)))).detach().requires_grad_()
    other[7](other[6](other[5](other[4](maps))))[0, 1].backward()
    cam = (maps.grad.mean((2, 3), keepdim=True) * maps.detach()).sum(1).relu()[0]
    assert np.allclose(grad_cam(model, x, 1).values, cam.numpy(), atol=1e-6)

    # guided backpropagation: hooks on the activations
    for activation in (other[1], other[4]):
        activation.register_full_backward_hook(lambda m, gi, go: (gi[0] * (go[0] > 0),))
    again = torch.tensor(x[None], requires_grad=True)
    other(again)[0, 1].backward()
    assert np.allclose(guided_backpropagation(model, x, 1).values, again.grad[0].numpy(), atol=1e-6)

    # the deconvolutional network, written as such: transposed filters, switches, and ReLU on the way back
    with torch.no_grad():
        first = functional.relu(other[0](batch))
        pooled, switches = functional.max_pool2d(first, 2, return_indices=True)
        second = functional.relu(other[3](pooled))
        alone = torch.zeros_like(second)
        channel = 2
        place = int(second[0, channel].argmax())
        alone[0, channel].view(-1)[place] = second[0, channel].view(-1)[place]
        down = functional.conv_transpose2d(alone, other[3].weight, padding=1)
        unpooled = functional.relu(functional.max_unpool2d(down, switches, 2))
        projected = functional.conv_transpose2d(unpooled, other[0].weight, padding=1)
    assert np.allclose(deconvolution(model, x, "3", channel).values, projected[0].numpy(), atol=1e-5)


# ---- maps, filters, class images


def test_feature_maps_and_filters() -> None:
    model, x = network(), image()
    found = feature_maps(model, x)
    assert list(found) == ["0", "3"]
    assert np.allclose(found["0"].values, model[0](og.tensor(x[None])).detach().numpy()[0], atol=1e-6)
    assert model.training
    sheet = filters(model)
    assert np.array_equal(sheet.values, model[0].weight.detach().numpy())
    tile = 3 * round(28 / 3)
    assert sheet.shape == (2 * (tile + 2) + 2, 2 * (tile + 2) + 2, 3)
    many = filters(model, model[3])
    assert many.values.shape == (5, 4, 3, 3)


def test_filters_over_three_channels_have_colours() -> None:
    model = nn.Sequential(nn.Conv2d(3, 1, 1))
    with og.no_grad():
        model[0].weight.copy_(og.tensor([1.0, -1.0, 0.0]).reshape(1, 3, 1, 1))
    assert [255, 0, 128] in filters(model).pixels.reshape(-1, 3).tolist()


def test_class_image_of_a_linear_model_points_along_its_weight() -> None:
    model = linear()
    made = class_image(model, 1, SHAPE, steps=30, lr=0.5, jitter=0).values.ravel()
    weight = row(model, 1).ravel()
    assert made @ weight / np.linalg.norm(made) / np.linalg.norm(weight) > 0.99
    moved = class_image(model, 1, SHAPE, steps=30, lr=0.5, jitter=1).values
    assert model(og.tensor(moved[None])).argmax().item() == 1


def test_parameters_that_are_frozen_and_models_in_training_mode() -> None:
    model, x = network(), image()
    wanted = grad_cam(model, x).values
    model.requires_grad_(False)
    assert np.array_equal(grad_cam(model.train(), x).values, wanted)
    assert model.training and all(p.grad is None for p in model.parameters())


# ---- pictures


def test_a_picture_is_written_and_read_back(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    picture = saliency(linear(), image(), 0).enlarged(3)
    picture.save(tmp_path / "saliency.png")
    with image_module.open(tmp_path / "saliency.png") as read:
        assert np.array_equal(np.asarray(read), picture.pixels)
    assert np.asarray(picture).shape == picture.shape == (24, 24, 3)
    assert picture._repr_png_() == picture.png() and "saliency for class 0" in repr(picture)


def test_overlay_and_tiles() -> None:
    gray = np.full((2, 2, 3), 100, np.uint8)
    assert np.array_equal(pictures.overlay(gray, np.zeros((2, 2)), 0.0), gray)
    assert np.array_equal(pictures.overlay(gray, np.ones((2, 2)), 1.0)[0, 0], pictures.heat(np.ones((1, 1)))[0, 0])
    sheet = pictures.tiled([np.zeros((2, 3, 3), np.uint8)] * 5, columns=3)
    assert sheet.shape == (7, 13, 3)


@pytest.mark.parametrize(
    ("call", "error", "part"),
    [
        (lambda m, x: saliency(m, x[None].repeat(2, 0)), ShapeError, "one image of the batch"),
        (lambda m, x: saliency(m, x, 3), ArgumentError, "3 classes"),
        (lambda m, x: saliency(m[:5], x), ShapeError, "row of scores"),
        (lambda m, x: grad_cam(m, x, layer="9"), ArgumentError, "no layer '9'; there are 0, 1"),
        (lambda m, x: grad_cam(m, x, layer=nn.ReLU()), ArgumentError, "no layer of this"),
        (lambda m, x: grad_cam(m, x, layer="7"), ShapeError, "layer 7 gives"),
        (lambda m, x: grad_cam(linear(), x), ArgumentError, "no convolution"),
        (lambda m, x: grad_cam(m, x, original=np.zeros((9, 9, 3), np.uint8)), ShapeError, "scale and crop it"),
        (lambda m, x: feature_maps(m, x, ["7"]), ShapeError, "not maps"),
        (lambda m, x: feature_maps(m, x, [5]), ArgumentTypeError, "dotted name"),
        (lambda m, x: filters(m, "7"), ShapeError, "no weight of shape"),
        (lambda m, x: deconvolution(m, x, channel=5), ArgumentError, "the layer has 5"),
        (lambda m, x: occlusion(m, x, patch=9), ArgumentError, "patch \\(9, 9\\)"),
        (lambda m, x: smooth_grad(m, x, samples=0), ArgumentError, "samples=0"),
        (lambda m, x: integrated_gradients(m, x, baseline=np.zeros(3)), ShapeError, "baseline"),
        (lambda m, x: class_image(m, 1, (8, 8)), ArgumentError, "size=\\(8, 8\\)"),
    ],
)
def test_bad_arguments(call: Any, error: type[Exception], part: str) -> None:
    with pytest.raises(error, match=part):
        call(network(), image())
