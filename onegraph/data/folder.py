"""`ImageFolder`: a folder with one folder of images for each class. Names follow torchvision's.

Read next: `images.py` (one file), `array.py` (training and test parts).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

from onegraph.data.dataset import Dataset
from onegraph.data.images import EXTENSIONS, load_image
from onegraph.errors import ArgumentError, DataError


class ImageFolder(Dataset):
    """Images found as `root/class/.../name.jpg`; a sample is (image, class number).

    Classes are numbered in the order of their names, files are in the order of theirs.

    Args:
        root: the folder.
        transform: called with an image (a NumPy array of shape (C, H, W)), gives what is used instead.
        target_transform: the same for the class number.
        loader: reads a file; `load_image` with the arguments below by default.
        is_valid_file: tells from a path whether to take a file; by its extension by default.
        allow_empty: accept classes without images.
        size, channels, dtype: see `load_image`.
        on_error: "raise" when an image cannot be decoded, or "skip": every file is decoded once when
            the data set is made, and `skipped` lists those left out.

    Attributes:
        classes, class_to_idx, samples, targets: names, numbers by name, (path, number) pairs, numbers.
        skipped: (path, reason) of each file left out.

    Raises:
        DataError: no such folder, no classes, a class without images, or a bad image.
        ArgumentError: `on_error` is neither "raise" nor "skip".
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        loader: Callable[[str], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        *,
        size: int | tuple[int, int] | None = None,
        channels: int = 3,
        dtype: Any = "float32",
        on_error: str = "raise",
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise ArgumentError(f"ImageFolder: on_error={on_error!r}: 'raise' or 'skip'")
        self.root = os.fspath(root)
        self.transform, self.target_transform = transform, target_transform
        self._load_file = loader
        self.size, self.channels, self.dtype = size, channels, dtype
        self.classes = find_classes(self.root)
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.samples = self._find_samples(is_valid_file or _has_image_extension, allow_empty)
        self.skipped: list[tuple[str, str]] = []
        if on_error == "skip":
            self._leave_out_bad_files()
        self.imgs = self.samples
        self.targets = [target for _, target in self.samples]

    def _find_samples(self, is_valid: Callable[[str], bool], allow_empty: bool) -> list[tuple[str, int]]:
        samples = []
        for name, number in self.class_to_idx.items():
            paths = [path for path in _files_below(os.path.join(self.root, name)) if is_valid(path)]
            if not paths and not allow_empty:
                raise DataError(
                    f"{os.path.join(self.root, name)}: a class without images ({', '.join(EXTENSIONS)})",
                    hint="remove the folder (or, in Python, pass allow_empty=True)",
                )
            samples += [(path, number) for path in paths]
        return samples

    def _leave_out_bad_files(self) -> None:
        kept = []
        for path, target in self.samples:
            try:
                self.load(path)
            except DataError as error:
                self.skipped.append((path, error.message))
            else:
                kept.append((path, target))
        if not kept and self.samples:
            raise DataError(f"{self.root}: none of {len(self.samples)} images can be read: {self.skipped[0][1]}")
        self.samples = kept
        if self.skipped:
            names = ", ".join(path for path, _ in self.skipped[:5])
            more = ", ..." if len(self.skipped) > 5 else ""
            warnings.warn(f"ImageFolder: {len(self.skipped)} files left out: {names}{more}", UserWarning, stacklevel=3)

    def load(self, path: str) -> Any:
        """One image, before `transform`."""
        if self._load_file is not None:
            return self._load_file(path)
        return load_image(path, self.size, self.channels, self.dtype)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        image = self.load(path)
        if self.transform is not None:
            image = self.transform(image)
        return image, target if self.target_transform is None else self.target_transform(target)


def find_classes(root: str) -> list[str]:
    """Names of the folders in `root`, hidden ones aside, sorted.

    Raises:
        DataError: no such folder, or none in it.
    """
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{root}: cannot be listed: {error.strerror}") from error
    if not names:
        raise DataError(f"{root}: no folders of classes in it; images belong into {root}/<class>/")
    return names


def check_same_classes(train: list[str], test: list[str]) -> None:
    """Numbers of classes mean the same in both parts only if the names are the same.

    Raises:
        DataError: they differ; the message lists the names on either side alone.

    >>> check_same_classes(["cat", "dog"], ["cat", "dog"])
    """
    if train != test:
        only_train = sorted(set(train) - set(test)) or ["nothing"]
        only_test = sorted(set(test) - set(train)) or ["nothing"]
        raise DataError(
            f"training and test classes differ: {', '.join(only_train)} only in training, "
            f"{', '.join(only_test)} only in test"
        )


def _files_below(folder: str) -> list[str]:
    """All files below a folder in sorted order; links are followed, each folder once."""
    found: list[str] = []
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found += [os.path.join(parent, name) for name in sorted(files)]
    return found


def _has_image_extension(path: str) -> bool:
    return path.lower().endswith(EXTENSIONS)
