"""Data sets from folders of files, and from series: `image_dataset_from_directory` and its relatives.

Each class is a folder; the classes are numbered in the order of their names. Read next: `pipeline.py`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from onegraph.data.philox import PURPOSE_SHUFFLE, RandomStream, seed_from
from onegraph.errors import ArgumentError, DataError
from onegraph.keras.utils.images import img_to_array, load_img
from onegraph.keras.utils.pipeline import Pipeline, tensor_of

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}


def index_directory(
    directory: Any, labels: Any, endings: tuple[str, ...], class_names: Any, follow_links: bool = False
) -> tuple[list[str], np.ndarray | None, list[str]]:
    """Files, their class numbers, and the classes' names.

    Raises:
        DataError: no such folder, or no files in it.
    """
    root = Path(directory)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    folders = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if labels == "inferred":
        names = folders if class_names is None else list(class_names)
        if set(names) - set(folders):
            raise ArgumentError(f"class_names has {sorted(set(names) - set(folders))[0]!r}, the folders are {folders}")
    else:
        names = [] if class_names is None else list(class_names)
    files, numbers = [], []
    for number, name in enumerate(names) if labels == "inferred" else [(0, "")]:
        for path in sorted((root / name).rglob("*")):
            if path.suffix.lower() in endings and path.is_file():
                files.append(str(path))
                numbers.append(number)
    if not files:
        raise DataError(f"{root}: there are no files ending in {', '.join(endings)}")
    if labels == "inferred":
        return files, np.array(numbers, np.int32), names
    if labels is None:
        return files, None, []
    given = np.asarray(labels)
    if len(given) != len(files):
        raise ArgumentError(f"{len(given)} labels were given for {len(files)} files")
    return files, given, names or [str(v) for v in sorted(set(given.tolist()))]


def _targets(numbers: np.ndarray | None, mode: str | None, count: int) -> np.ndarray | None:
    if numbers is None or mode is None:
        return None
    if mode == "binary":
        if count != 2:
            raise ArgumentError(f"label_mode='binary' needs two classes, there are {count}")
        return numbers.astype(np.float32).reshape(-1, 1)
    if mode == "categorical":
        return np.eye(count, dtype=np.float32)[numbers]
    if mode != "int":
        raise ArgumentError(f"label_mode must be 'int', 'binary', 'categorical' or None, got {mode!r}")
    return numbers.astype(np.int32)


def _subset(count: int, share: float | None, subset: str | None, shuffle: bool, seed: int | None) -> list[np.ndarray]:
    """The places of the files of each wanted part, in the order in which they are split."""
    order = np.arange(count)
    if share is None:
        return [order]
    if subset not in ("training", "validation", "both") or not 0 < share < 1:
        raise ArgumentError(
            f"validation_split must be between 0 and 1 and subset 'training', 'validation' or 'both', got {share}, {subset!r}"
        )
    if shuffle:
        if seed is None:
            raise ArgumentError("validation_split with shuffle=True needs a seed, so that the parts do not overlap")
        order = RandomStream(seed, PURPOSE_SHUFFLE).permutation(count)
    at = count - int(share * count)
    parts = {"training": [order[:at]], "validation": [order[at:]], "both": [order[:at], order[at:]]}
    return parts[subset]


def dataset_of_files(
    files: list[str],
    targets: np.ndarray | None,
    read: Callable[[str], Any],
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    class_names: list[str],
) -> Pipeline:
    """A data set that reads files when they are asked for."""
    rounds = itertools.count()

    def make() -> Iterator[Any]:
        order = np.arange(len(files))
        if shuffle:
            own = seed_from(None, None) if seed is None else seed + next(rounds)
            order = RandomStream(own, PURPOSE_SHUFFLE).permutation(len(files))
        for i in order.tolist():
            value = read(files[i])
            yield value if targets is None else (value, targets[i])

    found = Pipeline(make, len(files), class_names=class_names, file_paths=files)
    if batch_size is not None:
        return found.batch(batch_size)
    if targets is None:
        return found.map(_element)
    return found.map(lambda value, target: (_element(value), tensor_of(target)))


def _element(value: Any) -> Any:
    return value if isinstance(value, str) else tensor_of(value)


def _build(
    directory: Any,
    labels: Any,
    label_mode: str | None,
    class_names: Any,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    split: tuple[float | None, str | None],
    endings: tuple[str, ...],
    read: Callable[[str], Any],
    verbose: bool,
) -> Any:
    wanted = None if label_mode is None and labels == "inferred" else labels
    files, numbers, names = index_directory(directory, wanted, endings, class_names)
    targets = _targets(numbers, label_mode, len(names))
    if verbose:
        print(f"Found {len(files)} files" + (f" belonging to {len(names)} classes." if names else "."))
    found = []
    for part in _subset(len(files), split[0], split[1], shuffle, seed):
        own = None if targets is None else targets[part]
        found.append(dataset_of_files([files[i] for i in part], own, read, batch_size, shuffle, seed, names))
    return found[0] if len(found) == 1 else tuple(found)


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
    smart_resize: bool = False,
) -> Any:
    """Images in a folder for each class, as batches (images, labels).

    Args:
        directory: the folder.
        labels: 'inferred' from the folders, None, or a number for each file in the order of names.
        label_mode: 'int', 'categorical', 'binary' or None.
        class_names: the folders, in the order of their numbers.
        color_mode: 'rgb', 'rgba' or 'grayscale'.
        batch_size: None for single images.
        image_size: (height, width).
        shuffle, seed: the order, another one each time.
        validation_split, subset: the share for validation, and which part is wanted: 'training', 'validation', 'both'.
        interpolation: how images are resized.
        crop_to_aspect_ratio: cut images to the right proportions first (Keras 2's `smart_resize`).
        pad_to_aspect_ratio: add black borders to the right proportions first.

    Returns:
        A `Pipeline` with `class_names` and `file_paths`; images are float32 from 0 to 255.
    """
    if color_mode not in CHANNELS:
        raise ArgumentError(f"color_mode must be one of {', '.join(CHANNELS)}, got {color_mode!r}")
    height, width = (int(s) for s in image_size)

    def read(path: str) -> np.ndarray:
        cut = crop_to_aspect_ratio or smart_resize
        if not pad_to_aspect_ratio:
            return img_to_array(load_img(path, color_mode, (height, width), interpolation, cut), data_format)
        image = load_img(path, color_mode)
        w, h = image.size
        scale = min(width / w, height / h)
        inner = max(round(h * scale), 1), max(round(w * scale), 1)
        small = img_to_array(load_img(path, color_mode, inner, interpolation), "channels_last")
        full = np.zeros((height, width, small.shape[2]), np.float32)
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        full[top : top + inner[0], left : left + inner[1]] = small
        return img_to_array(full, data_format)

    split = (validation_split, subset)
    return _build(directory, labels, label_mode, class_names, batch_size, shuffle, seed, split, IMAGES, read, verbose)


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Text files in a folder for each class, as batches (texts, labels); arguments as for images.

    Args:
        max_length: texts are cut to so many characters.
    """

    def read(path: str) -> str:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        return text if max_length is None else text[:max_length]

    split = (validation_split, subset)
    return _build(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, split, (".txt",), read, verbose
    )


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Pipeline:
    """Windows of a series, as batches (windows, targets).

    Args:
        data: (time, ...).
        targets: targets[i] belongs to the window that begins at i; None for windows alone.
        sequence_length: of a window.
        sequence_stride: how far apart windows begin.
        sampling_rate: how far apart the steps in a window are.
        start_index, end_index: only this part of the series.

    >>> data = timeseries_dataset_from_array(np.arange(5), np.arange(5) * 10, 3, batch_size=2)
    >>> [(x.tolist(), y.tolist()) for x, y in data]
    [([[0, 1, 2], [1, 2, 3]], [0, 10]), ([[2, 3, 4]], [20])]
    """
    numbers = {"sequence_length": sequence_length, "sequence_stride": sequence_stride, "sampling_rate": sampling_rate}
    for name, value in numbers.items():
        if value < 1:
            raise ArgumentError(f"timeseries_dataset_from_array: {name} must be positive, got {value}")
    series = np.asarray(data)
    first, last = start_index or 0, len(series) if end_index is None else end_index
    series = series[first:last]
    wanted = None if targets is None else np.asarray(targets)[first : last if len(targets) > last else None]
    span = (sequence_length - 1) * sampling_rate + 1
    starts = np.arange(0, max(len(series) - span + 1, 0), sequence_stride)
    if wanted is not None:
        starts = starts[starts < len(wanted)]
    if not len(starts):
        raise DataError(f"a series of {len(series)} steps has no window of {span}")
    steps = np.arange(sequence_length) * sampling_rate
    rounds = itertools.count()

    def make() -> Iterator[Any]:
        order = np.arange(len(starts))
        if shuffle:
            own = seed_from(None, None) if seed is None else seed + next(rounds)
            order = RandomStream(own, PURPOSE_SHUFFLE).permutation(len(starts))
        for i in order.tolist():
            window = series[starts[i] + steps]
            yield window if wanted is None else (window, wanted[starts[i]])

    found = Pipeline(make, len(starts))
    return found if batch_size is None else found.batch(batch_size)


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Pipeline, Pipeline]:
    """A data set (or arrays) in two: sizes are numbers of elements, or shares."""
    if not isinstance(dataset, Pipeline):
        iterable = hasattr(dataset, "__iter__") and not isinstance(dataset, (np.ndarray, list, tuple, dict))
        dataset = Pipeline(functools.partial(iter, dataset)) if iterable else Pipeline.from_tensor_slices(dataset)
    rows = list(dataset)
    if shuffle:
        order = RandomStream(seed_from(None, None) if seed is None else seed, PURPOSE_SHUFFLE).permutation(len(rows))
        rows = [rows[i] for i in order.tolist()]

    def size(value: Any) -> int | None:
        return None if value is None else round(value * len(rows)) if isinstance(value, float) else int(value)

    left, right = size(left_size), size(right_size)
    if left is None and right is None:
        raise ArgumentError("split_dataset: give left_size or right_size")
    left = len(rows) - right if left is None else left  # type: ignore[operator]
    stop = len(rows) if right is None else left + right
    if not 0 < left < stop <= len(rows):
        raise ArgumentError(f"split_dataset: sizes {left_size} and {right_size} do not fit {len(rows)} elements")
    return Pipeline(lambda: iter(rows[:left]), left), Pipeline(lambda: iter(rows[left:stop]), stop - left)
