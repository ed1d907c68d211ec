"""`ImageFolder` and `DatasetFolder`: a folder with one folder of files for each class. Names follow torchvision's.

Read next: `images.py` (one file), `array.py` (training and test parts).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from onegraph.config import settings
from onegraph.data.dataset import Dataset
from onegraph.data.images import EXTENSIONS, check_image, load_image
from onegraph.errors import ArgumentError, DataError, OneGraphError


class DatasetFolder(Dataset):
    """Files found as `root/class/.../name`, read by a function; a sample is (what it gives, class number).

    Classes are numbered in the order of their names, files are in the order of theirs; hidden folders are left out.

    Args:
        root: the folder.
        loader: reads a file, given its path.
        extensions: which files to take, by the end of their names; or `is_valid_file`, which tells from a path.
        transform: called with what the loader gives; its result is used instead.
        target_transform: the same for the class number.
        allow_empty: accept classes without files.
        on_error: "raise" when a file cannot be read, or "skip": every file is read once when the data set is
            made, and `skipped` lists those left out.

    Attributes:
        classes, class_to_idx, samples, targets: names, numbers by name, (path, number) pairs, numbers.
        skipped: (path, reason) of each file left out.

    Raises:
        DataError: no such folder, no classes, or a class without files.
        ArgumentError: `on_error` is neither "raise" nor "skip", or both or neither of `extensions` and `is_valid_file`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable[[str], Any] | None,
        extensions: tuple[str, ...] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        *,
        on_error: str = "raise",
    ) -> None:
        name = type(self).__name__
        if on_error not in ("raise", "skip"):
            raise ArgumentError(f"{name}: on_error={on_error!r}: 'raise' or 'skip'")
        if (extensions is None) == (is_valid_file is None):
            raise ArgumentError(f"{name}: pass either extensions or is_valid_file")
        self.root = os.fspath(root)
        self.transform, self.target_transform = transform, target_transform
        self.loader, self.extensions = loader, extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self._find_samples(is_valid_file or self._has_extension, allow_empty)
        self.skipped: list[tuple[str, str]] = []
        if on_error == "skip":
            self._leave_out_bad_files()
        self.targets = [target for _, target in self.samples]

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """The names of the classes, and their numbers; override it for another layout of folders."""
        classes = find_classes(os.fspath(directory))
        return classes, {name: number for number, name in enumerate(classes)}

    def paths_of(self, name: str) -> list[str]:
        """All files of a class."""
        return _files_below(os.path.join(self.root, name))

    def _has_extension(self, path: str) -> bool:
        return path.lower().endswith(self.extensions or ())

    def _find_samples(self, is_valid: Callable[[str], bool], allow_empty: bool) -> list[tuple[str, int]]:
        samples = []
        for name, number in self.class_to_idx.items():
            paths = [path for path in self.paths_of(name) if is_valid(path)]
            if not paths and not allow_empty:
                kinds = f" ({', '.join(self.extensions)})" if self.extensions else ""
                raise DataError(
                    f"{os.path.join(self.root, name)}: a class without images{kinds}",
                    hint="remove the folder (or, in Python, pass allow_empty=True)",
                )
            samples += [(path, number) for path in paths]
        return samples

    def check(self, path: str) -> None:
        """Raise if a file cannot be used."""
        self.load(path)

    def _reason(self, path: str) -> str | None:
        try:
            self.check(path)
        except Exception as error:
            return error.message if isinstance(error, DataError) else f"{path}: {error}"
        return None

    def _leave_out_bad_files(self) -> None:
        # Decoders hold no lock of Python's, so threads use all cores.
        with ThreadPoolExecutor(settings.threads) as threads:
            reasons = list(threads.map(self._reason, [path for path, _ in self.samples]))
        pairs = list(zip(self.samples, reasons, strict=True))
        self.skipped = [(path, reason) for (path, _), reason in pairs if reason is not None]
        kept = [sample for sample, reason in pairs if reason is None]
        if not kept and self.samples:
            raise DataError(f"{self.root}: none of {len(self.samples)} images can be read: {self.skipped[0][1]}")
        self.samples = kept
        if self.skipped:
            names = ", ".join(path for path, _ in self.skipped[:5])
            more = ", ..." if len(self.skipped) > 5 else ""
            warnings.warn(
                f"{type(self).__name__}: {len(self.skipped)} files left out: {names}{more}", UserWarning, stacklevel=4
            )

    def load(self, path: str) -> Any:
        """One file, before `transform`."""
        if self.loader is None:
            raise ArgumentError(f"{type(self).__name__}: no loader to read {path} with")
        return self.loader(path)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        sample = self.load(path)
        if self.transform is not None:
            sample = self._transformed(sample, path)
        return sample, target if self.target_transform is None else self.target_transform(target)

    def _transformed(self, sample: Any, path: str) -> Any:
        try:
            return self.transform(sample)  # type: ignore[misc]
        except (OSError, SyntaxError) as error:
            if isinstance(error, OneGraphError):
                raise
            # Pillow's words for a file that was opened and turns out to be damaged when its pixels are needed.
            raise DataError(f"{path}: the image is truncated or corrupt: {error}") from error
        except Exception as error:
            error.add_note(f"while transforming {path}")
            raise


class ImageFolder(DatasetFolder):
    """Images found as `root/class/.../name.jpg`; a sample is (image, class number).

    Files whose names end otherwise than images' do are left out.

    Args:
        root, transform, target_transform, is_valid_file, allow_empty, on_error: see `DatasetFolder`; the transform
            gets a NumPy array of shape (C, H, W).
        loader: reads a file; `load_image` with the arguments below by default.
        size, channels, dtype: see `load_image`.

    Attributes:
        imgs: `samples` under another name.
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
        self.size, self.channels, self.dtype = size, channels, dtype
        extensions = EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, extensions, transform, target_transform, is_valid_file, allow_empty, on_error=on_error
        )
        self.imgs = self.samples

    def source(self, path: str) -> bytes | None:
        """The content of a file that is no file of its own, otherwise None."""
        return None

    def check(self, path: str) -> None:
        if self.loader is not None:
            self.loader(path)
        else:
            check_image(path, content=self.source(path))

    def load(self, path: str) -> Any:
        """One image, before `transform`."""
        if self.loader is not None:
            return self.loader(path)
        return load_image(path, self.size, self.channels, self.dtype, content=self.source(path))


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
