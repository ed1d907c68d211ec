"""The digits in the package, resizing, augmentation."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from onegraph.data import (
    Augmented,
    Compose,
    RandomRotation,
    RandomShift,
    arrays_from,
    digits_split,
    load_digits,
    resize_bilinear,
    upscale,
)
from onegraph.errors import ArgumentError


def test_digits_are_the_published_ones() -> None:
    images, labels = load_digits()
    assert (images.shape, images.dtype, labels.dtype) == ((1797, 8, 8), np.uint8, np.int64)
    # Counts as documented by the UCI repository.
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    table = np.concatenate([images.reshape(1797, 64), labels[:, None].astype(np.uint8)], axis=1)
    assert (
        hashlib.sha256(table.tobytes()).hexdigest()
        == "68aea062d35a127749050fa0e52dca09d6569ac08092c925610e0954e172dde2"
    )


def test_split_is_fixed_and_stratified() -> None:
    (train_images, train_labels), (test_images, test_labels) = digits_split(0.25, seed=1)
    images, labels = load_digits()
    assert len(train_labels) + len(test_labels) == len(labels)
    share = np.bincount(test_labels) / np.bincount(labels)
    assert np.all(np.abs(share - 0.25) < 0.01)
    both = np.concatenate([train_images, test_images]).reshape(-1, 64)
    assert np.array_equal(np.sort(both, axis=0), np.sort(images.reshape(-1, 64), axis=0))
    assert np.array_equal(digits_split(0.25, seed=1)[1][0], test_images)
    assert not np.array_equal(digits_split(0.25, seed=2)[1][0], test_images)
    assert len(train_labels) == len(train_images)
    for wrong in (0, 1, -0.5):
        with pytest.raises(ArgumentError, match="test_fraction"):
            digits_split(wrong)


def test_digits_by_name() -> None:
    data = arrays_from("digits")
    assert data.image_shape == (1, 8, 8)
    assert data.class_names == tuple("0123456789")
    images, labels = data.arrays("train")
    assert (images.min(), images.max(), images.dtype) == (0, 1, np.float32)
    assert labels.tolist() == [data.train[index][1] for index in range(len(labels))]
    large = arrays_from("digits", size=(28, 32), channels=3)
    assert large.image_shape == (3, 28, 32)
    image = large.train[5][0]
    assert np.array_equal(image[0], image[2])
    expected = resize_bilinear(digits_split()[0][0][5] / 16, (28, 32))
    assert np.abs(image[0] - expected).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("size", [(28, 28), (32, 20), (8, 8), (5, 3), (1, 1)])
def test_resize_as_pytorch(size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    images = load_digits()[0][:3].astype(np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(images)[None], size=size, mode="bilinear")
    np.testing.assert_allclose(resize_bilinear(images, size), theirs[0].numpy(), atol=2e-5)


def test_upscale_keeps_the_range() -> None:
    images = load_digits()[0]
    large = upscale(images)
    assert (large.shape, large.dtype) == ((1797, 28, 28), np.float32)
    assert (large.min(), large.max()) == (0, 16)
    with pytest.raises(ArgumentError, match="resize"):
        upscale(images, 0)


IMAGE = np.arange(1, 61, dtype=np.float32).reshape(3, 4, 5)


def test_augmented_depends_on_seed_epoch_and_index() -> None:
    samples = [(IMAGE, label) for label in range(30)]
    transform = Compose([RandomShift(1), RandomRotation(5, interpolation="bilinear")])
    data, other = Augmented(samples, transform, seed=1), Augmented(samples, transform, seed=2)
    assert isinstance(data[0], tuple)
    assert data[4][1] == 4
    first = [data[index][0].tobytes() for index in range(30)]
    assert first == [data[index][0].tobytes() for index in range(30)]
    assert data[-1][0].tobytes() == first[-1]
    assert len(set(first)) == 30
    assert first != [other[index][0].tobytes() for index in range(30)]
    data.set_epoch(1)
    assert set(first).isdisjoint(data[index][0].tobytes() for index in range(30))
    data.set_epoch(0)
    assert first == [data[index][0].tobytes() for index in range(30)]
    assert Augmented([IMAGE], RandomShift(0), seed=0)[0].tolist() == IMAGE.tolist()
