"""`VisionDataset`, the base of data sets of images. Read next: `mnist.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from onegraph.data.collate import array_of, to_tensor
from onegraph.data.dataset import Dataset
from onegraph.data.images import pillow
from onegraph.errors import ArgumentError, DataError, DownloadError
from onegraph.interop.download import download


class VisionDataset(Dataset):
    """Base of data sets of images: define `__getitem__` and `__len__`.

    Args:
        root: the folder, `~` included.
        transforms: called with (image, target); or
        transform, target_transform: called with one of them each.

    Raises:
        ArgumentError: `transforms` together with one of the others.
    """

    root: Any
    transforms: Any

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ArgumentError(f"{type(self).__name__}: pass transforms, or transform and target_transform")
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.transform, self.target_transform = transform, target_transform
        both = transform is not None or target_transform is not None
        self.transforms = StandardTransform(transform, target_transform) if both else transforms

    def changed(self, image: Any, target: Any) -> tuple[Any, Any]:
        """A sample after its transforms."""
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        if self.transforms is not None and not isinstance(self.transforms, StandardTransform):
            image, target = self.transforms(image, target)
        return image, target

    def extra_repr(self) -> str:
        """More lines for `repr`."""
        return ""

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__")

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"Root location: {self.root}")
        lines += self.extra_repr().splitlines()
        if self.transforms is not None:
            lines += repr(self.transforms).splitlines()
        return "\n    ".join([f"Dataset {type(self).__name__}", *lines])


class StandardTransform:
    """Two transforms, one for the image and one for the target, as one."""

    def __init__(
        self, transform: Callable[[Any], Any] | None = None, target_transform: Callable[[Any], Any] | None = None
    ) -> None:
        self.transform, self.target_transform = transform, target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        input = input if self.transform is None else self.transform(input)
        return input, target if self.target_transform is None else self.target_transform(target)

    def __repr__(self) -> str:
        lines = ["StandardTransform"]
        for name, transform in (("Transform: ", self.transform), ("Target transform: ", self.target_transform)):
            if transform is not None:
                first, *rest = repr(transform).splitlines()
                lines += [name + first, *(" " * len(name) + line for line in rest)]
        return "\n".join(lines)


class ArrayDataset(VisionDataset):
    """Images and targets in memory; `data` and `targets` are Tensors to the user and arrays inside.

    Worker processes get arrays only. What is assigned to `data` or `targets` is used from then on.
    """

    _images: np.ndarray
    _labels: np.ndarray

    @property
    def data(self) -> Any:
        """All images, a uint8 Tensor."""
        return to_tensor(self._images)

    @data.setter
    def data(self, value: Any) -> None:
        self._images = array_of(value)

    @property
    def targets(self) -> Any:
        """All targets, an int64 Tensor."""
        return to_tensor(self._labels)

    @targets.setter
    def targets(self, value: Any) -> None:
        self._labels = array_of(value)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.changed(pillow("Image").fromarray(self._images[index]), int(self._labels[index]))


def fetch(name: str, folder: str | os.PathLike[str], file: str, addresses: list[str], md5: str) -> Path:
    """Download one file of a data set from the first address that gives it.

    Raises:
        DataError: none does; the message has all reasons.
    """
    reasons = []
    for address in addresses:
        try:
            return download(address, folder, md5=md5, name=file)
        except DownloadError as error:
            reasons.append(error.message)
    raise DataError(
        f"{name}: {file} cannot be downloaded: {'; '.join(reasons)}",
        hint=f"without a network, put the file into {folder} yourself",
    )


def missing(name: str, files: list[str], folder: str | os.PathLike[str]) -> DataError:
    """The error for a data set that is not there."""
    return DataError(
        f"{name}: {folder} lacks {', '.join(files)}", hint="pass download=True to fetch it, or copy the files there"
    )
