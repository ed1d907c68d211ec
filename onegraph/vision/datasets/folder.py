"""`ImageFolder` and `DatasetFolder` as torchvision has them: images are Pillow's. Read next: `onegraph/data/folder.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from onegraph.data import folder as _folder
from onegraph.data.images import EXTENSIONS as IMG_EXTENSIONS
from onegraph.data.images import load_pillow, open_lazily
from onegraph.vision.datasets.vision import StandardTransform, VisionDataset

__all__ = ["IMG_EXTENSIONS", "DatasetFolder", "ImageFolder", "default_loader", "fast_loader", "pil_loader"]


def pil_loader(path: str) -> Any:
    """An image file as a Pillow image in RGB.

    Raises:
        DataError: missing, no image, truncated, or too large.
    """
    return load_pillow(path)


def fast_loader(path: str) -> Any:
    """As `pil_loader`, but a JPEG is decoded when its pixels are needed, and then as small as `RandomResizedCrop` allows.

    Large photographs load several times faster; pixels differ a little from those of `pil_loader`, as the first step of
    shrinking happens inside the decoder.
    """
    return open_lazily(path)


default_loader = pil_loader


class DatasetFolder(_folder.DatasetFolder, VisionDataset):
    """Files found as `root/class/.../name`; see `onegraph.data.DatasetFolder`, whose arguments it has."""

    __repr__ = VisionDataset.__repr__

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        both = self.transform is not None or self.target_transform is not None
        self.transforms = StandardTransform(self.transform, self.target_transform) if both else None


class ImageFolder(DatasetFolder):
    """Images found as `root/class/.../name.jpg`; a sample is (Pillow image in RGB, class number).

    Args:
        root, transform, target_transform, is_valid_file, allow_empty, on_error: see `onegraph.data.ImageFolder`; the
            transform gets a Pillow image.
        loader: reads a file.

    Attributes:
        imgs: `samples` under another name.
        skipped: (path, reason) of each file left out, with `on_error="skip"`.

    Raises:
        DataError: no such folder, no classes, a class without images, or a bad image.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        *,
        on_error: str = "raise",
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, extensions, transform, target_transform, is_valid_file, allow_empty, on_error=on_error
        )
        self.imgs = self.samples

    def check(self, path: str) -> None:
        if self.loader in (default_loader, fast_loader):
            _folder.check_image(path)
        else:
            super().check(path)
