"""Layers that change images: in training only, each image in its own way, labels and masks along; mixing and erasing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, ShapeError, UnsupportedError
from onegraph.keras import layers as L
from tests.keras.cases import given

IMAGES = np.asarray(given(("image", (4, 6, 8, 3))))


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    with og.config.using(backend="reference", shape_change_warning=10_000):
        yield


RANDOM: list[Any] = [
    lambda **k: L.RandomFlip(**k), lambda **k: L.RandomRotation(0.2, **k), lambda **k: L.RandomTranslation(0.3, 0.3, **k),
    lambda **k: L.RandomZoom(0.3, **k), lambda **k: L.RandomShear(0.3, 0.3, **k), lambda **k: L.RandomPerspective(**k),
    lambda **k: L.RandomElasticTransform(**k), lambda **k: L.RandomBrightness(0.3, **k), lambda **k: L.RandomContrast(0.5, **k),
    lambda **k: L.RandomHue(0.5, **k), lambda **k: L.RandomSaturation((0.6, 0.9), **k), lambda **k: L.RandomGrayscale(**k),
    lambda **k: L.RandomColorDegeneration(0.8, **k), lambda **k: L.RandomColorJitter((0, 255), 0.2, 0.2, 0.7, 0.2, **k),
    lambda **k: L.RandomSharpness(0.9, **k), lambda **k: L.RandomPosterization((1, 4), **k), lambda **k: L.RandomInvert(**k),
    lambda **k: L.Solarization(0.2, 0.5, **k), lambda **k: L.RandomGaussianBlur(**k), lambda **k: L.RandomErasing(**k),
    pytest.param(lambda **k: L.RandAugment(**k), marks=pytest.mark.slow),
    pytest.param(lambda **k: L.AugMix(num_chains=2, chain_depth=1, **k), marks=pytest.mark.slow),
    lambda **k: L.MixUp(**k), lambda **k: L.CutMix(**k),
]  # fmt: skip


@pytest.mark.parametrize("make", RANDOM)
def test_random_layers_act_in_training_follow_their_seed_and_know_both_formats(make: Any) -> None:
    layer = make(seed=5)
    assert layer(keras.Input((6, 8, 3))).shape == (None, 6, 8, 3)
    first = layer(IMAGES).numpy()
    assert first.shape == IMAGES.shape and np.isfinite(first).all()
    assert np.abs(first - IMAGES).max() > 1e-3
    np.testing.assert_array_equal(layer(IMAGES, training=False).numpy(), IMAGES)
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(IMAGES).numpy(), first)
    turned = make(seed=5, data_format="channels_first")(IMAGES.transpose(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(turned.transpose(0, 2, 3, 1), first, atol=1e-3)


def test_each_image_is_changed_in_its_own_way_and_masks_go_along() -> None:
    same = np.repeat(IMAGES[:1], 4, 0)
    moved = L.RandomTranslation(0.5, 0.5, seed=1)(same).numpy()
    assert len({m.tobytes() for m in moved}) == 4
    data = {"images": IMAGES, "labels": np.arange(4), "segmentation_masks": IMAGES[..., :1]}
    flipped = L.RandomFlip(seed=2)(data)
    np.testing.assert_array_equal(flipped["segmentation_masks"].numpy(), flipped["images"].numpy()[..., :1])
    assert flipped["labels"].tolist() == [0, 1, 2, 3]
    untouched = L.RandomBrightness(0.5, seed=2)(data)["segmentation_masks"].numpy()
    np.testing.assert_array_equal(untouched, IMAGES[..., :1])
    nearest = L.RandomRotation(0.3, seed=1)({"images": IMAGES, "segmentation_masks": (IMAGES[..., :1] > 99)})
    assert set(np.unique(nearest["segmentation_masks"].numpy())) == {0.0, 1.0}
    with pytest.raises(UnsupportedError, match="bounding boxes"):
        L.RandomFlip()({"images": IMAGES, "bounding_boxes": {}})


def test_mixing_mixes_labels_as_images() -> None:
    images = np.stack([np.full((8, 8, 1), float(i), np.float32) for i in range(4)])
    mixed = L.MixUp(alpha=0.4, seed=3)({"images": images, "labels": np.eye(4, dtype=np.float32)})
    np.testing.assert_allclose(mixed["images"].numpy()[:, 0, 0, 0], mixed["labels"].numpy() @ np.arange(4), atol=1e-4)
    cut = L.CutMix(seed=3)({"images": images, "labels": np.eye(4, dtype=np.float32)})
    np.testing.assert_allclose(cut["images"].numpy().mean((1, 2, 3)), cut["labels"].numpy() @ np.arange(4), atol=1e-4)
    with pytest.raises(ShapeError, match="needs a batch"):
        L.MixUp()(images[0])


def test_the_beta_distribution_has_its_moments() -> None:
    from onegraph.keras.layers.image_mixing import beta

    for alpha in (0.2, 1.0, 3.0):
        drawn = beta(L.MixUp(seed=7), 4000, alpha).numpy()
        assert drawn.mean() == pytest.approx(0.5, abs=0.03)
        assert drawn.var() == pytest.approx(0.25 / (2 * alpha + 1), rel=0.1)


def test_erasing_fills_boxes() -> None:
    erased = L.RandomErasing(factor=(1, 1), scale=(0.2, 0.2), fill_value=[1.0, 2.0, 3.0], seed=1)(IMAGES).numpy()
    share = (erased == np.array([1.0, 2.0, 3.0])).all(-1).mean()
    assert 0.1 < share < 0.3


def test_sizes() -> None:
    assert L.Resizing(3, 5)(IMAGES[0]).shape == (3, 5, 3)
    crop = L.RandomCrop(3, 4, seed=1)
    part = crop(IMAGES, training=True).numpy()
    places = [(r, c) for r in range(4) for c in range(5) if (IMAGES[:, r : r + 3, c : c + 4] == part).all()]
    assert len(places) == 1
    assert crop(IMAGES, training=False).shape == (4, 3, 4, 3)
    assert L.CenterCrop(2, 2)(IMAGES)[0, 0, 0].tolist() == IMAGES[0, 2, 3].tolist()


def test_in_a_model_they_act_in_fit_only() -> None:
    model = keras.Sequential([
        keras.Input((6, 8, 3)), L.RandomFlip("horizontal"), L.RandomBrightness(0.2), L.Rescaling(1 / 255), L.Flatten(), L.Dense(1)
    ])  # fmt: skip
    model.compile("sgd", "mse")
    once = model.predict(IMAGES)
    np.testing.assert_array_equal(model.predict(IMAGES), once)
    model.fit(IMAGES, np.zeros((4, 1), np.float32), epochs=1, verbose=0)


def test_brightness_and_contrast() -> None:
    brighter = L.RandomBrightness((0.2, 0.2))(IMAGES).numpy()
    np.testing.assert_allclose(brighter, np.clip(IMAGES + 51, 0, 255), rtol=1e-5)
    mean = IMAGES.mean((1, 2), keepdims=True)
    spread = L.RandomContrast((0.5, 0.5), seed=1)(IMAGES).numpy()
    factor = ((spread - mean) / (IMAGES - mean))[(spread > 0) & (spread < 255)]
    assert factor.min() >= 0.5 and factor.max() <= 1.5
    with pytest.raises(ArgumentError, match="factor must be a number or two of them, from -1 to 1"):
        L.RandomBrightness(2.0)
    with pytest.raises(ArgumentError, match="mode must be"):
        L.RandomFlip("diagonal")
