"""CIFAR-10 and CIFAR-100, in torchvision's folders: `root/cifar-10-batches-py` and `root/cifar-100-python`.

The binary version is read, too. Checksums of downloads are torchvision's; files that are there are checked for
what is in them. Read next: `onegraph/data/cifar.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.data.archive import extract_archive
from onegraph.data.cifar import FOLDERS, find_cifar, load_cifar
from onegraph.data.images import pillow
from onegraph.errors import DataError
from onegraph.vision.datasets.vision import VisionDataset, fetch, missing


class CIFAR10(VisionDataset):
    """50,000 training and 10,000 test photographs of ten classes, 32 x 32. A sample is (Pillow image, class number).

    Args:
        root: the folder above `cifar-10-batches-py`.
        train: training or test images.
        transform, target_transform: called with the image, the number.
        download: fetch and unpack the archive if the files are not there.

    Attributes:
        data: uint8 array (N, 32, 32, 3).
        targets: list of class numbers.
        classes, class_to_idx: names, numbers by name.

    Raises:
        DataError: files are missing, damaged, or cannot be downloaded.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    _count = 10

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        place = self._place()
        if place is None:
            raise missing(type(self).__name__, [f"{self.base_folder}/"], os.fspath(self.root or ""))
        found = load_cifar(place)
        if len(found.class_names) != self._count:
            raise DataError(f"{place}: {len(found.class_names)} classes; {type(self).__name__} has {self._count}")
        images, labels = (found.train_images, found.train_labels) if train else (found.test_images, found.test_labels)
        self.data = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        self.targets = labels.tolist()
        self.classes = list(found.class_names)
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}

    def _place(self) -> str | None:
        """The folder with the files, of this data set and not of its sibling."""
        root = os.fspath(self.root or "")
        own = [
            name
            for name in FOLDERS
            if name.startswith(self.base_folder.rsplit("-", 2 if self._count == 10 else 1)[0] + "-")
        ]
        for folder in (*(os.path.join(root, name) for name in own), root):
            found = find_cifar(folder)
            if found is not None and found[0] == folder and found[1].startswith(f"cifar{self._count}-"):
                return folder
        return None

    def download(self) -> None:
        """Fetch and unpack the archive, if the files are not there."""
        root = os.fspath(self.root or "")
        if self._place() is None:
            extract_archive(fetch(type(self).__name__, root, self.filename, [self.url], self.tgz_md5), root)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.changed(pillow("Image").fromarray(self.data[index]), self.targets[index])

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """As `CIFAR10`, with a hundred classes; the root is the folder above `cifar-100-python`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    _count = 100
