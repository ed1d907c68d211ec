"""From a path to training and test data for image classification, whatever the path holds.

What `onegraph train NETWORK --data PATH` reads with. Read next: `idx.py`, `cifar.py`, `numpy_files.py`, `tables.py`,
`folder.py`, `archive.py`, `digits.py`, one for each kind of source.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onegraph.data.archive import TarFiles, TarImageFolder, classes_in, is_archive
from onegraph.data.cifar import find_cifar, load_cifar
from onegraph.data.dataset import Dataset, Subset
from onegraph.data.digits import CLASSES, PIXEL_MAX, digits_split, stratified_split
from onegraph.data.folder import ImageFolder, check_same_classes, find_classes
from onegraph.data.idx import is_idx_folder, load_idx_folder
from onegraph.data.images import image_header
from onegraph.data.numpy_files import channels_first, is_npy_folder, load_npy_folder, load_npz, split_arrays
from onegraph.data.resize import resize_bilinear
from onegraph.data.tables import read_table
from onegraph.errors import DataError

_TRAIN_NAMES = ("train", "training")
_TEST_NAMES = ("test", "val", "valid", "validation")


class ImageArrays(Dataset):
    """Images in one array, kept as small integers and given out as float32 from 0 to 1.

    Args:
        images: uint8 (or floats with `white` 1), shape (N, C, H, W); may be mapped from a file.
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
        return np.array(self.images[index], np.float32, order="C") / self._white, int(self.labels[index])

    def take_batch(self, indices: Sequence[int]) -> list[np.ndarray]:
        places = np.asarray(indices, dtype=np.int64)
        return [np.array(self.images[places], np.float32, order="C") / self._white, self.labels[places]]


@dataclass(frozen=True)
class ImageClassificationData:
    """Data sets of (float32 image of shape `image_shape` with values 0 to 1, int64 class number)."""

    train: Any
    test: Any
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    skipped: tuple[tuple[str, str], ...] = ()
    """(path, reason) of each image file that was left out."""

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


@dataclass(frozen=True)
class _Options:
    """The arguments of `arrays_from` besides the path."""

    size: Any
    channels: int | None
    test_fraction: float
    seed: int
    on_error: str


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
    - a folder with the files of CIFAR-10 or CIFAR-100, binary or Python version;
    - a folder with `train/` and `test/` (or `val/`), each with a folder of images for each class;
    - a folder with a folder of images for each class;
    - a tar archive, also compressed, of one of the last two;
    - an `.npz` file, or a folder of `.npy` files, with x_train, y_train, x_test and y_test, or images and labels;
    - a CSV or Parquet file with a column `label` (or `class`, `target`, or else the first) and one column a pixel.

    Where the data is not split into parts, a fixed share of each class is held out.

    Args:
        path: see above.
        size: (height, width) or one number; by default the size of the data, for image files that of the
            first one.
        channels: 1 or 3; by default what the data, or the first image file, has.
        test_fraction, seed: which part to hold out where the data is not split already.
        on_error: see `ImageFolder`; what was left out is listed in `skipped`.

    Raises:
        DataError: nothing of the above, or something wrong in it.

    >>> data = arrays_from("digits", size=28)
    >>> len(data.train), len(data.test), data.image_shape
    (1438, 359, (1, 28, 28))
    """
    path, options = os.fspath(path), _Options(size, channels, test_fraction, seed, on_error)
    if path == "digits" and not os.path.isdir(path):
        return _of_parts(*digits_split(test_fraction, seed), PIXEL_MAX, options, CLASSES)
    if os.path.isfile(path):
        return _from_file(path, options)
    if not os.path.isdir(path):
        raise DataError(
            f"{path}: no such file or folder",
            hint="give a folder with IDX files or class folders, an .npz, .csv, .parquet or .tar file, or the word digits",
        )
    if is_idx_folder(path):
        return _from_idx(path, options)
    if find_cifar(path) is not None:
        found = load_cifar(path)
        parts = (found.train_images, found.train_labels), (found.test_images, found.test_labels)
        return _of_parts(*parts, 255, options, found.class_names)
    if is_npy_folder(path):
        return _from_named_arrays(path, load_npy_folder(path), options)
    train, test = _subfolder(path, _TRAIN_NAMES), _subfolder(path, _TEST_NAMES)
    if train and is_idx_folder(train):
        raise DataError(f"{path}: IDX files belong directly into the folder, not into train/ and test/")
    _check_both(path, train, test)
    return _from_images(
        lambda part, **arguments: ImageFolder(part, **arguments), path, train, test, find_classes, options
    )


def _from_file(path: str, options: _Options) -> ImageClassificationData:
    lower = path.lower()
    if is_archive(path):
        files = TarFiles(path)
        top, inside = "", classes_in(files)
        if len(inside) == 1 and any(name.count("/") > 1 for name in files.names()):
            top, inside = f"{inside[0]}/", classes_in(files, inside[0])  # one folder around everything
        train, test = (next((top + n for n in names if n in inside), None) for names in (_TRAIN_NAMES, _TEST_NAMES))
        _check_both(path, train, test)
        make = lambda part, **arguments: TarImageFolder(files, part, **arguments)  # noqa: E731
        return _from_images(make, top, train, test, lambda part: classes_in(files, part), options)
    if lower.endswith(".npz"):
        return _from_named_arrays(path, load_npz(path), options)
    if lower.endswith((".csv", ".tsv", ".parquet", ".pq")):
        return _from_table(path, options)
    raise DataError(
        f"{path}: this is a file, not a folder, and of no kind that is known",
        hint="files are .npz, .csv, .tsv, .parquet, .tar and compressed .tar",
    )


def _check_both(path: str, train: str | None, test: str | None) -> None:
    if bool(train) != bool(test):
        raise DataError(f"{path}: {os.path.basename(train or test or '')}/ is there, but not both parts")


def _from_idx(path: str, options: _Options) -> ImageClassificationData:
    files = load_idx_folder(path)
    classes = int(max(files.train_labels.max(), files.test_labels.max())) + 1
    train, test = (files.train_images, files.train_labels), (files.test_images, files.test_labels)
    return _of_parts(train, test, 255, options, classes)


def _from_named_arrays(path: str, arrays: dict[str, np.ndarray], options: _Options) -> ImageClassificationData:
    parts = split_arrays(path, arrays)
    checked = {
        name: (channels_first(path, images), _class_numbers(path, labels)) for name, (images, labels) in parts.items()
    }
    train, test = _halves(path, checked, options)
    if train[0].shape[1:] != test[0].shape[1:] and options.size is None:
        raise DataError(f"{path}: training images have shape {train[0].shape[1:]}, test images {test[0].shape[1:]}")
    classes = int(max(train[1].max(), test[1].max())) + 1
    return _of_parts(train, test, _white_of(path, train[0]), options, classes)


def _class_numbers(path: str, labels: np.ndarray) -> np.ndarray:
    """Labels (N,) or (N, 1) as int64."""
    flat = np.asarray(labels).reshape(-1)
    if flat.dtype.kind not in "biu" and not (flat.dtype.kind == "f" and np.all(flat == np.floor(flat))):
        raise DataError(f"{path}: labels of {flat.dtype}; whole numbers from 0 are needed")
    if len(flat) and flat.min() < 0:
        raise DataError(f"{path}: a label of {flat.min()}; classes are numbered from 0")
    return flat.astype(np.int64)


def _white_of(path: str, images: np.ndarray) -> int:
    """The value of white: 255 for bytes and for floats beyond 1, 1 for floats up to 1."""
    if images.dtype.kind != "f" and images.dtype != np.uint8:
        largest = int(images.max())
        if int(images.min()) < 0 or largest > 255:
            raise DataError(f"{path}: pixels from {images.min()} to {largest}; 0 to 255 are needed")
        return 255
    if images.dtype == np.uint8:
        return 255
    sample = np.asarray(images[: min(len(images), 1024)])
    if not np.all(np.isfinite(sample)) or sample.min() < 0 or sample.max() > 255:
        raise DataError(f"{path}: pixels from {sample.min():g} to {sample.max():g}; 0 to 1, or 0 to 255, are needed")
    return 255 if sample.max() > 1 else 1


def _halves(path: str, parts: dict[str, tuple[np.ndarray, np.ndarray]], options: _Options) -> list[Any]:
    """Training and test arrays; a share of each class is held out where there is one part only."""
    if "all" not in parts:
        return [parts["train"], parts["test"]]
    images, labels = parts["all"]
    places = stratified_split(labels, options.test_fraction, options.seed)
    if not len(places[1]):
        raise DataError(
            f"{path}: {len(labels)} images are too few to hold out {options.test_fraction:.0%} of each class"
        )
    return [(images[part], labels[part]) for part in places]


def _from_table(path: str, options: _Options) -> ImageClassificationData:
    table = read_table(path)
    label = next((name for name in ("label", "class", "target", "labels", "y") if name in table), next(iter(table)))
    pixels = [name for name in table if name != label]
    wrong = [name for name in pixels if table[name].dtype.kind not in "biuf"]
    channels = options.channels or (3 if len(pixels) % 3 == 0 and _root(len(pixels) // 3) else 1)
    side = _root(len(pixels) // channels) if len(pixels) % channels == 0 else 0
    if wrong or not side:
        raise DataError(
            f"{path}: besides {label!r} {len(pixels)} columns, "
            f"{', '.join(map(repr, wrong[:3])) + ' of text' if wrong else 'which make no square image'}",
            hint="rows of a table that are no images: onegraph.data.TableDataset",
        )
    images = np.stack([table[name] for name in pixels], axis=1).reshape(-1, channels, side, side)
    names: int | tuple[str, ...]
    if table[label].dtype.kind == "U":
        texts, numbers = np.unique(table[label], return_inverse=True)
        names, labels = tuple(str(text) for text in texts), numbers.astype(np.int64)
    else:
        labels = _class_numbers(path, table[label])
        names = int(labels.max()) + 1
    white = _white_of(path, images)
    if white == 255:
        images = images.astype(np.uint8)
    train, test = _halves(path, {"all": (images, labels)}, options)
    return _of_parts(train, test, white, options, names)


def _root(number: int) -> int:
    """The square root of a square number, otherwise 0."""
    root = round(number**0.5)
    return root if root * root == number else 0


def _of_parts(
    train: Any, test: Any, white: int, options: _Options, classes: int | tuple[str, ...]
) -> ImageClassificationData:
    """Data sets of arrays (N, H, W) or (N, C, H, W)."""
    size = options.size
    shape = (size, size) if isinstance(size, int) else size
    parts = []
    for images, labels in (train, test):
        part_white = white
        images = images[:, None] if images.ndim == 3 else images
        if shape is not None and tuple(shape) != images.shape[2:]:
            # Rounded to 256 levels, so that the enlarged images need no more memory than a byte a pixel.
            scale = np.float32(255 / white)
            blocks = [np.rint(resize_bilinear(images[i : i + 4096], shape) * scale).astype(np.uint8)
                      for i in range(0, len(images), 4096)]  # fmt: skip
            images, part_white = np.concatenate(blocks), 255
        parts.append(ImageArrays(_with_channels(images, options.channels), labels, part_white))
    names = classes if isinstance(classes, tuple) else tuple(str(number) for number in range(classes))
    return ImageClassificationData(parts[0], parts[1], names, parts[0].images.shape[1:])


def _with_channels(images: np.ndarray, channels: int | None) -> np.ndarray:
    """Gray repeated, or colors weighed to gray, where another number of channels is asked for."""
    own = images.shape[1]
    if channels in (None, own):
        return images
    if own == 1:
        return np.repeat(images, channels or 1, axis=1)
    gray = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), images, axes=(0, 1))[:, None]
    return np.rint(gray).astype(np.uint8) if images.dtype == np.uint8 else gray


def _from_images(
    make: Callable[..., ImageFolder],
    path: str,
    train: Any,
    test: Any,
    classes: Callable[[str], list[str]],
    options: _Options,
) -> ImageClassificationData:
    """Data sets of image files in one folder or in two."""
    if train is None:
        dataset, shape = _image_folder(make, path, options.size, options.channels, options.on_error)
        places = stratified_split(np.asarray(dataset.targets), options.test_fraction, options.seed)
        if not len(places[1]):
            raise DataError(
                f"{dataset.root}: {len(dataset)} images are too few to hold out {options.test_fraction:.0%} of each class"
            )
        parts = [Subset(dataset, part.tolist()) for part in places]
        return ImageClassificationData(parts[0], parts[1], tuple(dataset.classes), shape, tuple(dataset.skipped))
    check_same_classes(classes(train), classes(test))
    train_set, shape = _image_folder(make, train, options.size, options.channels, options.on_error)
    test_set, _ = _image_folder(make, test, shape[1:], shape[0], options.on_error)
    skipped = (*train_set.skipped, *test_set.skipped)
    return ImageClassificationData(train_set, test_set, tuple(train_set.classes), shape, skipped)


def _image_folder(
    make: Callable[..., ImageFolder], path: str, size: Any, channels: int | None, on_error: str
) -> tuple[ImageFolder, tuple[int, int, int]]:
    """An image folder whose images all get one shape, by default that of the first good file."""
    dataset = make(path, size=size, channels=channels or 3, on_error=on_error)
    first = dataset.samples[0][0]
    own_channels, height, width = image_header(first, content=dataset.source(first))
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
    dataset.size, dataset.channels = (height, width), channels or own_channels
    return dataset, (dataset.channels, height, width)


def _subfolder(path: str, names: tuple[str, ...]) -> str | None:
    found = [os.path.join(path, name) for name in names if os.path.isdir(os.path.join(path, name))]
    return found[0] if found else None
