"""MNIST and its relatives, in torchvision's folders: `root/MNIST/raw/train-images-idx3-ubyte` and so on, also with `.gz`.

Files that lie in `root` itself are found, too. Checksums of downloads are torchvision's.
Read next: `onegraph/data/idx.py`, which reads the files.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from onegraph.data.archive import extract_archive
from onegraph.data.idx import read_idx
from onegraph.errors import ArgumentError, DataError
from onegraph.vision.datasets.vision import ArrayDataset, fetch, missing


class MNIST(ArrayDataset):
    """60,000 training and 10,000 test images of handwritten digits, 28 x 28, gray. A sample is (Pillow image, digit).

    Args:
        root: the folder above `MNIST/raw`.
        train: training or test images.
        transform, target_transform: called with the image, the digit.
        download: fetch the files that are not there.

    Raises:
        DataError: files are missing, damaged, or cannot be downloaded.
    """

    mirrors: ClassVar[list[str]] = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    resources: ClassVar[list[tuple[str, str]]] = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    classes: Any = tuple(
        f"{digit} - {name}"
        for digit, name in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    )

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
        images, labels = self._files()
        lacking = [name for name in (images, labels) if self._find(name) is None]
        if lacking:
            raise missing(type(self).__name__, lacking, self.raw_folder)
        self._images, numbers = (read_idx(self._find(name) or "") for name in (images, labels))
        self._labels = numbers.astype(np.int64)
        if self._images.ndim != 3 or self._labels.shape != (len(self._images),):
            raise DataError(
                f"{self._find(images)}: images {self._images.shape}, labels {self._labels.shape}: they do not fit"
            )

    @property
    def raw_folder(self) -> str:
        """Where the files as published lie."""
        return os.path.join(os.fspath(self.root or ""), type(self).__name__, "raw")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Numbers of the classes by name."""
        return {name: number for number, name in enumerate(self.classes)}

    def _files(self) -> tuple[str, str]:
        """Names of the image and the label file, without `.gz`."""
        part = "train" if self.train else "t10k"
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"

    def _find(self, name: str) -> str | None:
        for folder in (self.raw_folder, os.fspath(self.root or "")):
            for end in ("", ".gz"):
                path = os.path.join(folder, name + end)
                if os.path.isfile(path):
                    return path
        return None

    def download(self) -> None:
        """Fetch the files that are not there."""
        for file, md5 in self.resources:
            if self._find(file.removesuffix(".gz")) is None:
                fetch(type(self).__name__, self.raw_folder, file, [mirror + file for mirror in self.mirrors], md5)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Pictures of clothes in MNIST's format (H. Xiao et al., 2017)."""

    mirrors: ClassVar[list[str]] = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources: ClassVar[list[tuple[str, str]]] = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes: Any = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )


class KMNIST(MNIST):
    """Handwritten Japanese characters in MNIST's format (T. Clanuwat et al., 2018)."""

    mirrors: ClassVar[list[str]] = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources: ClassVar[list[tuple[str, str]]] = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes: Any = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


_MERGED = set("cijklmopsuvwxyz")  # letters whose upper and lower case look alike
_LETTERS = sorted(string.digits + string.ascii_letters)


class EMNIST(MNIST):
    """Handwritten digits and letters in MNIST's format, stored with rows and columns exchanged (G. Cohen et al., 2017).

    Args:
        split: "byclass", "bymerge", "balanced", "letters", "digits" or "mnist".
        root, kwargs: those of `MNIST`.

    Raises:
        ArgumentError: another split.
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict: ClassVar[dict[str, list[str]]] = {
        "byclass": _LETTERS,
        "bymerge": [letter for letter in _LETTERS if letter not in _MERGED],
        "balanced": [letter for letter in _LETTERS if letter not in _MERGED],
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root: str | os.PathLike[str], split: str, **kwargs: Any) -> None:
        if split not in self.splits:
            raise ArgumentError(f"EMNIST: split={split!r}: one of {', '.join(self.splits)}")
        self.split = split
        super().__init__(root, **kwargs)
        self.classes = tuple(self.classes_split_dict[split])

    def _files(self) -> tuple[str, str]:
        start = f"emnist-{self.split}-{'train' if self.train else 'test'}"
        return f"{start}-images-idx3-ubyte", f"{start}-labels-idx1-ubyte"

    def download(self) -> None:
        """Fetch and unpack the archive of all splits, if the files are not there."""
        if all(self._find(name) for name in self._files()):
            return
        archive = fetch("EMNIST", self.raw_folder, "gzip.zip", [self.url], self.md5)
        for path in extract_archive(archive, self.raw_folder):
            path.replace(Path(self.raw_folder, path.name))  # out of the archive's own folder
