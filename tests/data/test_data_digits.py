"""The digits in the package, resizing, augmentation."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from onegraph.data import (
    Augmented,
    Compose,
    Normalize,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShift,
    RandomStream,
    arrays_from,
    digits_split,
    load_digits,
    resize_bilinear,
    upscale,
)
from onegraph.data.philox import PURPOSE_AUGMENT
from onegraph.errors import ArgumentError, ShapeError


def stream(index: int = 0, seed: int = 0) -> RandomStream:
    return RandomStream(seed, PURPOSE_AUGMENT, index=index)


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


@pytest.mark.parametrize(
    "transform",
    [
        RandomShift(2),
        RandomCrop((3, 4)),
        RandomCrop(4, padding=2, fill=-1),
        RandomHorizontalFlip(),
        RandomRotation(30),
        RandomAffine(10, translate=(0.2, 0.2), scale=(0.8, 1.2), shear=5),
    ],
)
def test_transforms_depend_on_the_stream_alone(transform: Any) -> None:
    before = IMAGE.copy()
    results = [transform(IMAGE, stream(index)) for index in range(12)]
    assert all(np.array_equal(r, transform(IMAGE, stream(i))) for i, r in enumerate(results))
    assert len({result.tobytes() for result in results}) > 1
    assert {(result.shape, result.dtype) for result in results} == {(results[0].shape, np.dtype(np.float32))}
    assert np.array_equal(IMAGE, before)


def test_shift_moves_whole_pixels() -> None:
    padded = np.pad(IMAGE, ((0, 0), (1, 1), (1, 1)))
    windows = [padded[:, y : y + 4, x : x + 5] for y in range(3) for x in range(3)]
    seen = set()
    for index in range(100):
        shifted = RandomShift(1)(IMAGE, stream(index))
        matches = [place for place, window in enumerate(windows) if np.array_equal(window, shifted)]
        assert len(matches) == 1
        seen.add(matches[0])
    assert seen == set(range(9))


def test_crop_is_a_window_of_the_padded_image() -> None:
    padded = np.pad(IMAGE, ((0, 0), (2, 2), (2, 2)), constant_values=-1)
    for index in range(40):
        crop = RandomCrop((3, 2), padding=2, fill=-1)(IMAGE, stream(index))
        assert any(np.array_equal(padded[:, y : y + 3, x : x + 2], crop) for y in range(6) for x in range(8))
    with pytest.raises(ShapeError, match=r"\(9, 9\) does not fit into \(8, 9\)"):
        RandomCrop(9, padding=2)(IMAGE, stream())


def test_flip_probability() -> None:
    assert np.array_equal(RandomHorizontalFlip(0)(IMAGE, stream()), IMAGE)
    flips = sum(not np.array_equal(RandomHorizontalFlip(0.25)(IMAGE, stream(i)), IMAGE) for i in range(400))
    assert 60 < flips < 140


def test_affine_without_change_is_the_identity() -> None:
    np.testing.assert_allclose(RandomAffine(0)(IMAGE, stream()), IMAGE, rtol=1e-6)


def test_rotation_as_pytorch() -> None:
    torch = pytest.importorskip("torch")
    image = load_digits()[0][7:8].astype(np.float32)
    for index in range(5):
        angle = np.radians(40 * (stream(index).uniforms(5)[0] * 2 - 1))
        cos, sin = np.cos(angle), np.sin(angle)
        theta = torch.tensor([[[cos, sin, 0], [-sin, cos, 0]]], dtype=torch.float32)
        grid = torch.nn.functional.affine_grid(theta, (1, 1, 8, 8), align_corners=False)
        theirs = torch.nn.functional.grid_sample(torch.from_numpy(image)[None], grid, align_corners=False)
        np.testing.assert_allclose(RandomRotation(40)(image, stream(index)), theirs[0].numpy(), atol=1e-4)


def test_normalize() -> None:
    result = Normalize([1, 2, 3], [2, 2, 4])(IMAGE)
    np.testing.assert_allclose(result[2], (IMAGE[2] - 3) / 4)
    with pytest.raises(ShapeError, match=r"\(3, H, W\) is needed"):
        Normalize([0] * 3, [1] * 3)(IMAGE[:1])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Normalize([0, 1], [1]),
        lambda: Normalize([0], [0]),
        lambda: RandomHorizontalFlip(2),
        lambda: RandomShift(-1),
        lambda: RandomCrop(0),
        lambda: RandomCrop(2, padding=-1),
        lambda: RandomAffine(-1),
        lambda: RandomAffine(0, scale=(0, 1)),
        lambda: RandomAffine(0, shear=90),
    ],
)
def test_wrong_arguments(make: Any) -> None:
    with pytest.raises(ArgumentError):
        make()


def test_augmented_depends_on_seed_epoch_and_index() -> None:
    samples = [(IMAGE, label) for label in range(30)]
    transform = Compose([RandomShift(1), RandomRotation(5)])
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
