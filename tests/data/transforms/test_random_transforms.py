"""Random transforms: what they draw, that they repeat, that wrong arguments are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.data import RandomStream
from onegraph.data.philox import PURPOSE_AUGMENT
from onegraph.data.randomness import drawing_from
from onegraph.data.transforms import (
    Normalize,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShift,
)
from onegraph.errors import ArgumentError, ShapeError


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
