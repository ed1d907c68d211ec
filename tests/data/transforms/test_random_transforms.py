"""Random transforms: what they draw, that they repeat, that wrong arguments are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.data import AUGMENTATIONS, RandomStream, augmentation
from onegraph.data.philox import PURPOSE_AUGMENT
from onegraph.data.randomness import beta, drawing_from, normals
from onegraph.data.transforms import (
    AugMix,
    AutoAugment,
    AutoAugmentPolicy,
    ColorJitter,
    CutMix,
    ElasticTransform,
    GaussianBlur,
    MixUp,
    Normalize,
    RandAugment,
    RandomAdjustSharpness,
    RandomAffine,
    RandomApply,
    RandomAutocontrast,
    RandomChannelPermutation,
    RandomChoice,
    RandomCrop,
    RandomEqualize,
    RandomErasing,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomInvert,
    RandomOrder,
    RandomPerspective,
    RandomPhotometricDistort,
    RandomPosterize,
    RandomResize,
    RandomResizedCrop,
    RandomRotation,
    RandomShift,
    RandomShortestSize,
    RandomSolarize,
    RandomVerticalFlip,
    RandomZoomOut,
    ScaleJitter,
    TrivialAugmentWide,
)
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError


def stream(index: int = 0, seed: int = 0) -> RandomStream:
    return RandomStream(seed, PURPOSE_AUGMENT, index=index)


def drawn(transform: Any, image: Any, index: int = 0) -> Any:
    with drawing_from(stream(index)):
        return transform(image)


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
    results = [drawn(transform, IMAGE, index) for index in range(12)]
    assert all(np.array_equal(r, drawn(transform, IMAGE, i)) for i, r in enumerate(results))
    assert len({result.tobytes() for result in results}) > 1
    assert {(result.shape, result.dtype) for result in results} == {(results[0].shape, np.dtype(np.float32))}
    assert np.array_equal(IMAGE, before)


def test_shift_moves_whole_pixels() -> None:
    padded = np.pad(IMAGE, ((0, 0), (1, 1), (1, 1)))
    windows = [padded[:, y : y + 4, x : x + 5] for y in range(3) for x in range(3)]
    seen = set()
    for index in range(100):
        shifted = drawn(RandomShift(1), IMAGE, index)
        matches = [place for place, window in enumerate(windows) if np.array_equal(window, shifted)]
        assert len(matches) == 1
        seen.add(matches[0])
    assert seen == set(range(9))


def test_crop_is_a_window_of_the_padded_image() -> None:
    padded = np.pad(IMAGE, ((0, 0), (2, 2), (2, 2)), constant_values=-1)
    for index in range(40):
        crop = drawn(RandomCrop((3, 2), padding=2, fill=-1), IMAGE, index)
        assert any(np.array_equal(padded[:, y : y + 3, x : x + 2], crop) for y in range(6) for x in range(8))
    with pytest.raises(ShapeError, match=r"\(9, 9\) does not fit into \(8, 9\)"):
        drawn(RandomCrop(9, padding=2), IMAGE)


def test_flip_probability() -> None:
    assert np.array_equal(drawn(RandomHorizontalFlip(0), IMAGE), IMAGE)
    flips = sum(not np.array_equal(drawn(RandomHorizontalFlip(0.25), IMAGE, i), IMAGE) for i in range(400))
    assert 60 < flips < 140


def test_affine_without_change_is_the_identity() -> None:
    np.testing.assert_allclose(drawn(RandomAffine(0), IMAGE), IMAGE, rtol=1e-6)


def test_normalize() -> None:
    result = Normalize([1, 2, 3], [2, 2, 4])(IMAGE)
    np.testing.assert_allclose(result[2], (IMAGE[2] - 3) / 4)
    with pytest.raises(ShapeError, match=r"3 values for an image of shape \(1, 4, 5\)"):
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


PIXELS = np.random.default_rng(0).integers(20, 200, (3, 24, 32), np.uint8)
RANDOM = [
    ColorJitter(0.4, 0.4, 0.4, 0.1),
    RandomResizedCrop(16),
    RandomPerspective(p=1.0),
    ElasticTransform(alpha=20.0, sigma=3.0),
    RandomVerticalFlip(),
    RandomGrayscale(0.5),
    GaussianBlur(3),
    RandomErasing(p=1.0, value="random"),
    RandomInvert(),
    RandomPosterize(2),
    RandomSolarize(128),
    RandomAdjustSharpness(2.0),
    RandomAutocontrast(),
    RandomEqualize(),
    RandomChannelPermutation(),
    RandomPhotometricDistort(),
    RandomZoomOut(p=1.0, side_range=(1.0, 2.0)),
    RandomResize(10, 20),
    RandomShortestSize([8, 12, 16], max_size=20),
    ScaleJitter((16, 20)),
    AutoAugment(),
    AutoAugment(AutoAugmentPolicy.CIFAR10),
    AutoAugment(AutoAugmentPolicy.SVHN),
    RandAugment(),
    TrivialAugmentWide(),
    AugMix(),
    RandomApply([RandomInvert(1.0)], p=0.5),
    RandomChoice([RandomInvert(1.0), RandomVerticalFlip(1.0)]),
    RandomOrder([RandomInvert(1.0), RandomPosterize(3, p=1.0)]),
]


@pytest.mark.parametrize("transform", RANDOM, ids=lambda transform: type(transform).__name__)
def test_every_random_transform_depends_on_the_stream_alone(transform: Any) -> None:
    before = PIXELS.copy()
    results = [drawn(transform, PIXELS, index) for index in range(16)]
    assert all(np.array_equal(result, drawn(transform, PIXELS, index)) for index, result in enumerate(results))
    assert len({result.tobytes() for result in results}) > 1
    assert {result.dtype for result in results} == {np.dtype(np.uint8)}
    assert np.array_equal(PIXELS, before)


@pytest.mark.parametrize("transform", RANDOM, ids=lambda transform: type(transform).__name__)
def test_pillow_images_go_the_same_way(transform: Any) -> None:
    if isinstance(transform, RandomErasing):
        pytest.skip("for arrays and Tensors only")
    image = pytest.importorskip("PIL.Image").fromarray(np.ascontiguousarray(PIXELS.transpose(1, 2, 0)))
    result = drawn(transform, image, 3)
    size = drawn(transform, PIXELS, 3).shape[-2:]
    assert (result.mode, result.size) == ("RGB", size[::-1])


def test_the_default_generator_decides_outside_of_a_loader() -> None:
    jitter = RandomResizedCrop(8)

    def two(seed: int) -> list[bytes]:
        og.manual_seed(seed)
        return [jitter(PIXELS).tobytes(), jitter(PIXELS).tobytes()]

    assert two(1) == two(1)
    assert two(1) != two(2)
    assert len(set(two(1))) == 2


def test_random_resized_crops_have_the_areas_and_shapes_asked_for() -> None:
    """Areas are uniform over [0.08, 1], shapes uniform in their logarithm over [3/4, 4/3], as far as they fit."""
    image = np.zeros((1, 400, 400), np.uint8)
    boxes = []
    for index in range(2000):
        with drawing_from(stream(index)):
            boxes.append(RandomResizedCrop.get_params(image, (0.08, 0.5), (3 / 4, 4 / 3)))
    areas = np.array([height * width / 160_000 for _, _, height, width in boxes])
    shapes = np.log([width / height for _, _, height, width in boxes])
    assert areas.mean() == pytest.approx(0.29, abs=0.01)
    assert np.quantile(areas, 0.25) == pytest.approx(0.185, abs=0.02)
    assert abs(shapes.mean()) < 0.015
    assert np.abs(shapes).max() < 0.30
    assert shapes.std() == pytest.approx(2 * np.log(4 / 3) / np.sqrt(12), abs=0.01)
    assert all(
        min(top, left) >= 0 and top + height <= 400 and left + width <= 400 for top, left, height, width in boxes
    )


def test_an_image_that_is_too_flat_gives_its_middle() -> None:
    with drawing_from(stream()):
        box = RandomResizedCrop.get_params(np.zeros((1, 10, 1000)), (0.9, 1.0), (3 / 4, 4 / 3))
    assert box == (0, 493, 10, 13)


def test_jitter_draws_each_factor_evenly_in_any_order() -> None:
    draws = []
    for index in range(600):
        with drawing_from(stream(index)):
            draws.append(ColorJitter.get_params((0.6, 1.4), None, None, (-0.1, 0.1)))
    brightness = np.array([factor for _, factor, _, _, _ in draws])
    assert brightness.min() > 0.6 and brightness.max() < 1.4
    assert brightness.mean() == pytest.approx(1.0, abs=0.03)
    assert len({tuple(order) for order, *_ in draws}) == 24
    assert {contrast for _, _, contrast, _, _ in draws} == {None}


def test_mixtures_have_the_moments_of_beta() -> None:
    for alpha in (0.2, 1.0, 4.0):
        with drawing_from(stream(seed=int(alpha * 10))):
            draws = np.array([beta(alpha, alpha) for _ in range(600)])
        assert draws.mean() == pytest.approx(0.5, abs=0.04)
        assert draws.var() == pytest.approx(0.25 / (2 * alpha + 1), abs=0.02)
    with drawing_from(stream()):
        values = normals((2000,))
    assert abs(values.mean()) < 0.07
    assert values.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("mix", [MixUp(num_classes=3), CutMix(num_classes=3)])
def test_mixing_a_batch(mix: Any) -> None:
    images = np.arange(4, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 8, 8), np.float32)
    labels = np.array([0, 1, 2, 1])
    for index in range(10):
        with drawing_from(stream(index)):
            mixed, shares = mix(images, labels)
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
        # The share of its own label is what is left of each image in the batch's pixels.
        own = shares[2, 2]
        np.testing.assert_allclose(mixed[2].mean(), own * 2 + (1 - own) * 1, atol=1e-5)
        np.testing.assert_allclose(mixed[0].mean(), (1 - own) * 3, atol=1e-5)
    assert images[3].min() == 3
    with pytest.raises(ArgumentError, match="pass num_classes="):
        type(mix)()(images, labels)
    with pytest.raises(ArgumentTypeError, match="with a batch"):
        mix(images[0], 1)
    as_dict = mix({"image": og.from_numpy(images), "label": og.from_numpy(labels)})
    assert as_dict["label"].shape == (4, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ColorJitter(brightness=-1),
        lambda: ColorJitter(hue=0.6),
        lambda: RandomResizedCrop(8, scale=(0.5, 0.1)),
        lambda: GaussianBlur(4),
        lambda: GaussianBlur(3, sigma=0),
        lambda: RandomErasing(value="noise"),
        lambda: RandAugment(magnitude=31),
        lambda: AugMix(severity=11),
        lambda: RandomPerspective(distortion_scale=2),
        lambda: MixUp(alpha=0),
        lambda: RandomChoice([abs], p=[1, 2]),
        lambda: augmentation("nothing", 8, 2),
    ],
)
def test_more_wrong_arguments(make: Any) -> None:
    with pytest.raises(ArgumentError):
        make()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_by_name(name: str) -> None:
    chosen = augmentation(name, (12, 16), num_classes=3, channels=1)
    samples = [(np.random.default_rng(n).random((1, 12, 16), np.float32), n % 3) for n in range(6)]
    data = chosen.dataset(samples, seed=1)
    batch = []
    for _ in range(2):
        with drawing_from(stream()):
            batch.append(chosen.collate([data[index] for index in range(6)]))
    (images, labels), (again, same) = batch
    assert (images.shape, images.dtype) == ((6, 1, 12, 16), np.float32)
    assert np.array_equal(images, again) and np.array_equal(labels, same)
    assert labels.shape == ((6, 3) if chosen.mix is not None else (6,))
    changed = not np.array_equal(images, np.stack([image for image, _ in samples]))
    assert changed == (name != "none")
    if name not in ("erasing", "strong"):
        assert images.min() >= 0 and images.max() <= 1
