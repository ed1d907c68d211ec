"""Images as Keras 1 and 2 prepared them: files, arrays, and `ImageDataGenerator`. Read next: `affine.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.keras import backend
from onegraph.keras.preprocessing.affine import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)
from onegraph.keras.utils import PyDataset
from onegraph.keras.utils.directories import IMAGES, index_directory
from onegraph.keras.utils.images import array_to_img, img_to_array, load_img, save_img, smart_resize

__all__ = [
    "ImageDataGenerator",
    "Iterator",
    "apply_affine_transform",
    "apply_brightness_shift",
    "apply_channel_shift",
    "array_to_img",
    "img_to_array",
    "load_img",
    "random_brightness",
    "random_channel_shift",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "save_img",
    "smart_resize",
]

CLASS_MODES = ("binary", "categorical", "sparse", "input", "raw", "other", None)


class Iterator(PyDataset):
    """Batches of images without end, or by number; made by `ImageDataGenerator`.

    Attributes:
        n: how many images there are.
        class_indices: the numbers of classes by name, where images come from folders.
    """

    def __init__(
        self,
        read: Callable[[int], np.ndarray],
        targets: Any,
        count: int,
        generator: Any,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        save: tuple[Any, str, str] = (None, "", "png"),
    ) -> None:
        super().__init__()
        self.n = self.samples = count
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        self.image_data_generator = generator
        self.class_indices: dict[str, int] = {}
        self.filenames: list[str] = []
        self.classes: Any = None
        self._read, self._targets, self._save = read, targets, save
        self._round, self._batch = 0, 0
        self._order = self._new_order()

    def _new_order(self) -> np.ndarray:
        if not self.shuffle:
            return np.arange(self.n)
        rng = np.random if self.seed is None else np.random.RandomState(self.seed + self._round)
        return rng.permutation(self.n)

    def __len__(self) -> int:
        return (self.n + self.batch_size - 1) // self.batch_size

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"there are {len(self)} batches, number {index} is none of them")
        places = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        own = self.image_data_generator
        images = []
        for i in places:
            seed = None if self.seed is None else int(self.seed + self._round * self.n + i)
            images.append(own.standardize(own.random_transform(self._read(int(i)), seed)))
        batch = np.stack(images)
        folder, prefix, kind = self._save
        if folder:
            for i, image in zip(places, batch, strict=True):
                save_img(Path(folder) / f"{prefix}_{i}_{self._round}.{kind}", image)
        if isinstance(self._targets, str):  # 'input': the images themselves
            return batch, batch.copy()
        return batch if self._targets is None else (batch, np.asarray(self._targets)[places])

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self._batch >= len(self):
            self.on_epoch_end()
        self._batch += 1
        return self[self._batch - 1]

    next = __next__

    def on_epoch_end(self) -> None:
        """Begin again, in another order."""
        self._round += 1
        self._batch = 0
        self._order = self._new_order()

    def reset(self) -> None:
        """Begin again, in the same order."""
        self._batch = 0


class ImageDataGenerator:
    """Batches of images, changed at random and normalized.

    Args:
        featurewise_center, featurewise_std_normalization: subtract the mean of the data set, divide by its deviation;
            needs `fit`.
        samplewise_center, samplewise_std_normalization: the same with each image's own.
        zca_whitening, zca_epsilon: make pixels uncorrelated; needs `fit`.
        rotation_range: degrees.
        width_shift_range, height_shift_range: shares (below 1) or pixels.
        brightness_range: two factors.
        shear_range: degrees.
        zoom_range: a number z for 1 - z to 1 + z, or two factors.
        channel_shift_range: how much may be added.
        fill_mode, cval: what lies outside.
        horizontal_flip, vertical_flip: whether to mirror.
        rescale: a factor for values, applied last.
        preprocessing_function: of an image, applied first of the normalizations.
        data_format: 'channels_last' or 'channels_first'.
        validation_split: the share that `subset='validation'` gives.
        interpolation_order: 0 or 1.

    Random numbers come from NumPy's generator, or from the seed that `flow` is given.
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: float = 0.0,
        height_shift_range: float = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Any], Any] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
        dim_ordering: str | None = None,
    ) -> None:
        self.featurewise_center = featurewise_center or zca_whitening or featurewise_std_normalization
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.featurewise_std_normalization, self.samplewise_std_normalization = (
            featurewise_std_normalization,
            samplewise_std_normalization,
        )
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.brightness_range, self.shear_range = rotation_range, brightness_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        pair = (1 - zoom_range, 1 + zoom_range) if isinstance(zoom_range, (int, float)) else tuple(zoom_range)
        if len(pair) != 2:
            raise ArgumentError(f"zoom_range must be a number or two, got {zoom_range!r}")
        if not 0 <= validation_split < 1:
            raise ArgumentError(f"validation_split must be from 0 to below 1, got {validation_split}")
        self.zoom_range, self.channel_shift_range = pair, channel_shift_range
        self.fill_mode, self.cval, self.interpolation_order = fill_mode, cval, interpolation_order
        self.horizontal_flip, self.vertical_flip, self.rescale = horizontal_flip, vertical_flip, rescale
        self.preprocessing_function, self.validation_split = preprocessing_function, validation_split
        self.data_format = backend.data_format_of(data_format, dim_ordering)
        self.dtype = dtype or backend.floatx()
        self.mean: Any = None
        self.std: Any = None
        self.zca_whitening_matrix: Any = None

    @property
    def _last(self) -> bool:
        return self.data_format == "channels_last"

    # ---- one image

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> dict[str, Any]:
        """What a random change of an image of a shape would do."""
        rng: Any = np.random if seed is None else np.random.RandomState(seed)
        height, width = img_shape[:2] if self._last else img_shape[1:]

        def shift(reach: float, size: int) -> float:
            drawn = float(rng.uniform(-reach, reach)) if reach else 0.0
            return drawn * size if reach < 1 else drawn

        zooms = (1.0, 1.0) if self.zoom_range == (1, 1) else rng.uniform(*self.zoom_range, 2)
        bright = None if self.brightness_range is None else float(rng.uniform(*self.brightness_range))
        reach = self.channel_shift_range
        return {
            "theta": float(rng.uniform(-self.rotation_range, self.rotation_range)) if self.rotation_range else 0.0,
            "tx": shift(self.height_shift_range, height),
            "ty": shift(self.width_shift_range, width),
            "shear": float(rng.uniform(-self.shear_range, self.shear_range)) if self.shear_range else 0.0,
            "zx": float(zooms[0]),
            "zy": float(zooms[1]),
            "flip_horizontal": bool(self.horizontal_flip and rng.random_sample() < 0.5),
            "flip_vertical": bool(self.vertical_flip and rng.random_sample() < 0.5),
            "channel_shift_intensity": float(rng.uniform(-reach, reach)) if reach else None,
            "brightness": bright,
        }

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> Any:
        """An image changed as `get_random_transform` says."""
        p = transform_parameters
        axes = (0, 1, 2) if self._last else (1, 2, 0)
        moves = {k: p[k] for k in ("theta", "tx", "ty", "shear", "zx", "zy") if k in p}
        if any(moves.get(k, 0) for k in ("theta", "tx", "ty", "shear")) or any(
            moves.get(k, 1) != 1 for k in ("zx", "zy")
        ):
            x = apply_affine_transform(x, **moves, row_axis=axes[0], col_axis=axes[1], channel_axis=axes[2],
                                       fill_mode=self.fill_mode, cval=self.cval, order=self.interpolation_order)  # fmt: skip
        if p.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, p["channel_shift_intensity"], axes[2])
        if p.get("flip_horizontal"):
            x = np.flip(x, axes[1])
        if p.get("flip_vertical"):
            x = np.flip(x, axes[0])
        return x if p.get("brightness") is None else apply_brightness_shift(x, p["brightness"])

    def random_transform(self, x: Any, seed: int | None = None) -> Any:
        """An image changed at random."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: Any) -> Any:
        """An image normalized."""
        x = np.array(x, self.dtype)
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - x.mean(keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (x.std(keepdims=True) + 1e-6)
        if (self.featurewise_center or self.zca_whitening) and self.mean is None:
            raise ArgumentError("ImageDataGenerator: statistics of the data set are needed", hint="call fit(x) first")
        if self.featurewise_center:
            x = x - self.mean
        if self.featurewise_std_normalization:
            x = x / (self.std + 1e-6)
        if self.zca_whitening:
            x = (x.reshape(-1) @ self.zca_whitening_matrix).reshape(x.shape)
        return np.asarray(x, self.dtype)

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Learn mean, deviation and whitening from images (n, ...)."""
        x = np.array(x, self.dtype)
        if x.ndim != 4:
            raise ArgumentError(f"fit: images have 4 dimensions with the batch, got shape {x.shape}")
        if augment:
            seeds: Any = [None] * (rounds * len(x)) if seed is None else range(seed, seed + rounds * len(x))
            x = np.stack([self.random_transform(x[i % len(x)], s) for i, s in enumerate(seeds)])
        axes = (0, 1, 2) if self._last else (0, 2, 3)
        shape = (1, 1, -1) if self._last else (-1, 1, 1)
        self.mean = x.mean(axes).reshape(shape)
        x = x - self.mean
        self.std = x.std(axes).reshape(shape)
        if self.featurewise_std_normalization:
            x = x / (self.std + 1e-6)
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
            scale = 1 / np.sqrt(np.maximum(values, 0) + self.zca_epsilon)
            self.zca_whitening_matrix = (vectors * scale) @ vectors.T

    # ---- batches

    def _part(self, count: int, subset: str | None) -> slice:
        if subset is None:
            return slice(None)
        if subset not in ("training", "validation"):
            raise ArgumentError(f"subset must be 'training' or 'validation', got {subset!r}")
        at = int(self.validation_split * count)
        return slice(0, at) if subset == "validation" else slice(at, None)

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> Iterator:
        """Batches of images in memory, with their targets."""
        part = self._part(len(x), subset)
        images, targets = np.asarray(x)[part], None if y is None else np.asarray(y)[part]
        save = (save_to_dir, save_prefix, save_format)
        return Iterator(lambda i: images[i], targets, len(images), self, batch_size, shuffle, seed, save)

    def flow_from_directory(
        self,
        directory: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> Iterator:
        """Batches of images in a folder for each class."""
        files, numbers, names = index_directory(directory, "inferred", (*IMAGES, ".tif", ".tiff", ".ppm"), classes)
        part = self._part(len(files), subset)
        print(f"Found {len(files[part])} images belonging to {len(names)} classes.")
        targets: Any = None if numbers is None else numbers[part]
        found = self._of_files(
            files[part], targets, len(names), class_mode, batch_size, shuffle, seed,
            (save_to_dir, save_prefix, save_format), (target_size, color_mode, interpolation, keep_aspect_ratio),
        )  # fmt: skip
        found.class_indices = {name: i for i, name in enumerate(names)}
        found.filenames = [str(Path(f).relative_to(directory)) for f in files[part]]
        found.classes = targets
        return found

    def _of_files(
        self,
        files: list[str],
        numbers: Any,
        count: int,
        mode: Any,
        batch_size: int,
        shuffle: bool,
        seed: Any,
        save: Any,
        how: Any,
    ) -> Iterator:
        if mode not in CLASS_MODES:
            raise ArgumentError(f"class_mode must be one of {CLASS_MODES}, got {mode!r}")
        size, color_mode, interpolation, keep = how

        def read(i: int) -> np.ndarray:
            return img_to_array(load_img(files[i], color_mode, size, interpolation, keep), self.data_format)

        targets = {
            "categorical": lambda: np.eye(count, dtype=np.float32)[numbers],
            "binary": lambda: np.asarray(numbers, np.float32),
            "sparse": lambda: np.asarray(numbers, np.float32),
            "raw": lambda: np.asarray(numbers),
            "other": lambda: np.asarray(numbers),
            "input": lambda: "input",
            None: lambda: None,
        }[mode]()
        return Iterator(read, targets, len(files), self, batch_size, shuffle, seed, save)

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        subset: str | None = None,
        interpolation: str = "nearest",
        **accepted: Any,
    ) -> Iterator:
        """Batches of images that a table names: a pandas table, or a dict of columns."""
        names = [str(Path(directory or "") / str(v)) for v in dataframe[x_col]]
        part = self._part(len(names), subset)
        numbers: Any = None
        known: list[Any] = []
        if class_mode in ("raw", "other"):
            columns = [y_col] if isinstance(y_col, str) else list(y_col)
            numbers = np.stack([np.asarray(dataframe[c]) for c in columns], -1)[part].squeeze()
        elif class_mode not in ("input", None):
            given = list(dataframe[y_col])
            known = sorted(set(given)) if classes is None else list(classes)
            numbers = np.array([known.index(v) for v in given], np.int32)[part]
        how = (target_size, color_mode, interpolation, False)
        found = self._of_files(
            names[part], numbers, len(known), class_mode, batch_size, shuffle, seed, (None, "", "png"), how
        )
        found.class_indices = {name: i for i, name in enumerate(known)}
        found.filenames, found.classes = names[part], numbers
        return found
