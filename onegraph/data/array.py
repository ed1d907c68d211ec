"""From a path to training and test data for image classification, whatever the path holds.

What `onegraph train NETWORK --data PATH` reads with. Read next: `idx.py`, `folder.py`, `digits.py`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onegraph.data.dataset import Dataset, Subset
from onegraph.data.digits import CLASSES, PIXEL_MAX, digits_split, stratified_split
from onegraph.data.folder import ImageFolder, check_same_classes
from onegraph.data.idx import is_idx_folder, load_idx_folder
from onegraph.data.images import image_header
from onegraph.data.resize import resize_bilinear
from onegraph.errors import DataError

_TRAIN_NAMES = ("train", "training")
_TEST_NAMES = ("test", "val", "valid", "validation")


class ImageArrays(Dataset):
    """Images in one array, kept as small integers and given out as float32 from 0 to 1.

    Args:
        images: uint8, shape (N, C, H, W).
        labels: integers, shape (N,).
        white: the pixel value that becomes 1.

    Raises:
        DataError: shapes that do not fit.

    >>> data = ImageArrays(np.full((2, 1, 1, 1), 255, np.uint8), np.array([4, 7]))
    >>> data[1][0].ravel(), data[1][1]
    (array([1.], dtype=float32), 7)
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, white: int = 255) -> None:
        if images.ndim != 4 or labels.shape != (len(images),):
            raise DataError(f"ImageArrays: images {images.shape}, labels {labels.shape}: (N, C, H, W) and (N,)")
        self.images, self.labels = images, np.asarray(labels, dtype=np.int64)
        self._white = np.float32(white)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.images[index].astype(np.float32) / self._white, int(self.labels[index])

    def take_batch(self, indices: Sequence[int]) -> list[np.ndarray]:
        places = np.asarray(indices, dtype=np.int64)
        return [self.images[places].astype(np.float32) / self._white, self.labels[places]]


@dataclass(frozen=True)
class ImageClassificationData:
    """Data sets of (float32 image of shape `image_shape` with values 0 to 1, int64 class number)."""

    train: Any
    test: Any
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]

    def arrays(self, part: str = "train") -> tuple[np.ndarray, np.ndarray]:
        """All images and labels of "train" or "test", float32 (N, C, H, W) and int64 (N,)."""
        dataset = {"train": self.train, "test": self.test}[part]
        batch = dataset.take_batch(range(len(dataset)))
        if batch is not None:
            return batch[0], batch[1]
        images = np.empty((len(dataset), *self.image_shape), dtype=np.float32)
        labels = np.empty(len(dataset), dtype=np.int64)
        for index in range(len(dataset)):
            images[index], labels[index] = dataset[index]
        return images, labels


def arrays_from(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    on_error: str = "raise",
) -> ImageClassificationData:
    """Find out what a path holds and make data sets of it.

    - `digits`: the handwritten digits that come with the package (if there is no such folder);
    - a folder with IDX files named as in MNIST;
    - a folder with `train/` and `test/` (or `val/`), each with a folder of images for each class;
    - a folder with a folder of images for each class: a fixed part of each class is held out.

    Args:
        path: see above.
        size: (height, width) or one number; by default the size of the data, for image files that of the
            first one.
        channels: 1 or 3; by default what the data, or the first image file, has.
        test_fraction, seed: which part to hold out where the data is not split already.
        on_error: see `ImageFolder`.

    Raises:
        DataError: nothing of the above, or something wrong in it.

    >>> data = arrays_from("digits", size=28)
    >>> len(data.train), len(data.test), data.image_shape
    (1438, 359, (1, 28, 28))
    """
    path = os.fspath(path)
    if path == "digits" and not os.path.isdir(path):
        return _from_digits(size, channels, test_fraction, seed)
    if not os.path.isdir(path):
        raise DataError(
            f"{path}: this is a file, not a folder" if os.path.exists(path) else f"{path}: no such folder",
            hint="give a folder with IDX files or class folders, or the word digits",
        )
    if is_idx_folder(path):
        return _from_idx(path, size, channels)
    train, test = _subfolder(path, _TRAIN_NAMES), _subfolder(path, _TEST_NAMES)
    if train and test:
        if is_idx_folder(train):
            raise DataError(f"{path}: IDX files belong directly into the folder, not into train/ and test/")
        return _from_folders(train, test, size, channels, on_error)
    if train or test:
        raise DataError(f"{path}: {os.path.basename(train or test or '')}/ is there, but not both parts")
    return _from_one_folder(path, size, channels, test_fraction, seed, on_error)


def _from_digits(size: Any, channels: int | None, test_fraction: float, seed: int) -> ImageClassificationData:
    train, test = digits_split(test_fraction, seed)
    return _of_arrays(train, test, PIXEL_MAX, size, channels, CLASSES)


def _from_idx(path: str, size: Any, channels: int | None) -> ImageClassificationData:
    files = load_idx_folder(path)
    classes = int(max(files.train_labels.max(), files.test_labels.max())) + 1
    train, test = (files.train_images, files.train_labels), (files.test_images, files.test_labels)
    return _of_arrays(train, test, 255, size, channels, classes)


def _of_arrays(
    train: Any, test: Any, white: int, size: Any, channels: int | None, classes: int
) -> ImageClassificationData:
    parts = []
    for images, labels in (train, test):
        shape, part_white = (size, size) if isinstance(size, int) else size, white
        if shape is not None and tuple(shape) != images.shape[1:]:
            # Rounded to 256 levels, so that the enlarged images need no more memory than a byte a pixel.
            scale = np.float32(255 / white)
            blocks = [np.rint(resize_bilinear(images[i : i + 4096], shape) * scale).astype(np.uint8)
                      for i in range(0, len(images), 4096)]  # fmt: skip
            images, part_white = np.concatenate(blocks), 255
        images = np.repeat(images[:, None], channels or 1, axis=1)
        parts.append(ImageArrays(images, labels, part_white))
    names = tuple(str(number) for number in range(classes))
    return ImageClassificationData(parts[0], parts[1], names, parts[0].images.shape[1:])


def _from_folders(train: str, test: str, size: Any, channels: int | None, on_error: str) -> ImageClassificationData:
    train_set, shape = _image_folder(train, size, channels, on_error)
    test_set, _ = _image_folder(test, shape[1:], shape[0], on_error)
    check_same_classes(train_set.classes, test_set.classes)
    return ImageClassificationData(train_set, test_set, tuple(train_set.classes), shape)


def _from_one_folder(
    path: str, size: Any, channels: int | None, test_fraction: float, seed: int, on_error: str
) -> ImageClassificationData:
    dataset, shape = _image_folder(path, size, channels, on_error)
    train, test = stratified_split(np.asarray(dataset.targets), test_fraction, seed)
    if not len(test):
        raise DataError(f"{path}: {len(dataset)} images are too few to hold out {test_fraction:.0%} of each class")
    parts = Subset(dataset, train.tolist()), Subset(dataset, test.tolist())
    return ImageClassificationData(*parts, tuple(dataset.classes), shape)


def _image_folder(
    path: str, size: Any, channels: int | None, on_error: str
) -> tuple[ImageFolder, tuple[int, int, int]]:
    """An image folder whose images all get one shape, by default that of the first good file."""
    dataset = ImageFolder(path, size=size, channels=channels or 3, on_error=on_error)
    own_channels, height, width = image_header(dataset.samples[0][0])
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
    dataset.size, dataset.channels = (height, width), channels or own_channels
    return dataset, (dataset.channels, height, width)


def _subfolder(path: str, names: tuple[str, ...]) -> str | None:
    found = [os.path.join(path, name) for name in names if os.path.isdir(os.path.join(path, name))]
    return found[0] if found else None
