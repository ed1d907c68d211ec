"""Which weights the world has for each network: where, with which checksum and accuracy, and how images are prepared.

Accuracies, sizes and preparation are those that torchvision 0.29 states for its weights and Keras for those of
`keras.applications`; the files hold trained numbers, no code. What papers report stands beside it, with the table it is
from. The facts themselves are in `data/published.tsv` and `data/reported.tsv`. Read next: `weights.py`.
"""

from __future__ import annotations

import difflib
import functools
import os
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np

from onegraph.data.images import load_image, pillow
from onegraph.data.transforms import InterpolationMode, functional
from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.tensor import Tensor

_TORCHVISION: Final = "https://download.pytorch.org/models/"
_KERAS: Final = "https://storage.googleapis.com/"

# How pixels of 0 to 1 become inputs: mean, standard deviation, order of the colours.
_NORMALIZE: Final[dict[str, tuple[tuple[float, float, float], tuple[float, float, float], str]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "RGB"),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "RGB"),
    "lite": ((127 / 255,) * 3, (128 / 255,) * 3, "RGB"),
    "caffe": ((103.939 / 255, 116.779 / 255, 123.68 / 255), (1 / 255,) * 3, "BGR"),
}


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a network.

    Attributes:
        resize: the shorter side is scaled to this many pixels.
        crop: the side of the square that is cut from the center.
        mean, std: of pixels of 0 to 1, in the order of `channels`: the input is (pixel - mean) / std.
        interpolation: "bilinear" or "bicubic".
        channels: "RGB", or "BGR" for weights that came from Caffe.
    """

    resize: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"
    channels: str = "RGB"

    def __call__(self, image: Any) -> Tensor:
        """An image as a batch of one, of shape (1, 3, crop, crop).

        Args:
            image: a file, a Pillow image, or an array of shape (height, width, 3) of uint8.

        Raises:
            DataError: the file cannot be read.
            ShapeError: an array of another shape or kind.
            UnsupportedError: Pillow is not installed.
        """
        picture = _picture(image)
        picture = functional.resize(picture, self.resize, InterpolationMode(self.interpolation))
        pixels = np.asarray(functional.center_crop(picture, self.crop)).astype(np.float32) / np.float32(255)
        if self.channels == "BGR":
            pixels = pixels[:, :, ::-1]
        prepared = (pixels - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return make_tensor(np.ascontiguousarray(prepared.transpose(2, 0, 1)[None]))


def _picture(image: Any) -> Any:
    """A Pillow image in colour."""
    if isinstance(image, (str, os.PathLike)):
        image = load_image(image, dtype=np.uint8, layout="HWC")
    if hasattr(image, "convert"):
        return image.convert("RGB")
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ShapeError(f"an image is an array of shape (height, width, 3) of uint8, got {array.shape} {array.dtype}")
    return pillow("Image").fromarray(array)


@dataclass(frozen=True)
class Published:
    """One file of published weights.

    Attributes:
        network: the network's name here.
        name: of the weights, such as "IMAGENET1K_V1".
        url: where the file is.
        checksum: "sha256:" and the first digits, or "md5:" and all of them.
        top1, top5: accuracy in percent on ImageNet's validation images, as stated by the source.
        parameters: how many numbers are learned.
        preprocessing: how images are prepared.
        source: who states it.
        layout: "torchvision" or "keras".
        default: whether "DEFAULT" means this one.
    """

    network: str
    name: str
    url: str
    checksum: str
    top1: float
    top5: float
    parameters: int
    preprocessing: Preprocessing
    source: str
    layout: str
    default: bool

    @property
    def file(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Reported:
    """An error that a paper reports.

    Attributes:
        network: the network's name here.
        dataset: such as "ImageNet validation".
        measure: "top1_error" or "top5_error".
        value: in percent.
        how: what was tested.
        source: paper and table.
    """

    network: str
    dataset: str
    measure: str
    value: float
    how: str
    source: str


def _table(name: str) -> list[list[str]]:
    text = files("onegraph.zoo").joinpath(f"data/{name}.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()[1:]]


@functools.cache
def _published() -> dict[str, list[Published]]:
    found: dict[str, list[Published]] = {}
    for network, name, file, checksum, top1, top5, parameters, resize, crop, interpolation, how, default in _table(
        "published"
    ):
        mean, std, channels = _NORMALIZE[how]
        keras = name.startswith("KERAS")
        entry = Published(
            network,
            name,
            (_KERAS if keras else _TORCHVISION) + file,
            checksum,
            float(top1),
            float(top5),
            int(parameters),
            Preprocessing(int(resize), int(crop), mean, std, interpolation, channels),
            "Keras applications" if keras else "torchvision",
            "keras" if keras else "torchvision",
            default == "default",
        )
        found.setdefault(network, []).append(entry)
    return found


@functools.cache
def _reported() -> dict[str, list[Reported]]:
    found: dict[str, list[Reported]] = {}
    for network, dataset, measure, value, how, source in _table("reported"):
        found.setdefault(network, []).append(Reported(network, dataset, measure, float(value), how, source))
    return found


def published(network: str) -> list[Published]:
    """The published weights of a network; none is an empty list.

    >>> [weights.name for weights in published("resnet50")]
    ['IMAGENET1K_V1', 'IMAGENET1K_V2', 'KERAS']
    """
    return list(_published().get(network, []))


def reported(network: str) -> list[Reported]:
    """What the paper reports about a network.

    >>> [f"{r.value} ({r.source})" for r in reported("resnet20")]
    ['8.75 (He et al. 2015, table 6)']
    """
    return list(_reported().get(network, []))


def networks_with_weights() -> list[str]:
    """Names of the networks that have published weights."""
    return list(_published())


def find_published(network: str, name: str = "DEFAULT") -> Published:
    """The published weights of that name; "DEFAULT" gives the best that torchvision has.

    Args:
        network: the network's name.
        name: such as "IMAGENET1K_V2"; capital letters do not matter, and torchvision's `ResNet50_Weights.` may precede it.

    Raises:
        ArgumentError: there are none of this name; the message lists those that there are.

    >>> find_published("resnet50").name, find_published("resnet50", "imagenet1k_v1").top1
    ('IMAGENET1K_V2', 76.13)
    """
    entries = published(network)
    wanted = name.rpartition(".")[2].upper()
    for entry in entries:
        if wanted == entry.name or (wanted == "DEFAULT" and entry.default):
            return entry
    if not entries:
        raise ArgumentError(
            f"no weights of {network} are published under a name here",
            hint="give weights= the path of a file, or None for first values",
        )
    near = difflib.get_close_matches(wanted, [entry.name for entry in entries], 1)
    raise ArgumentError(
        f"{network} has no published weights {name!r}; it has DEFAULT, {', '.join(entry.name for entry in entries)}",
        hint=f"did you mean {near[0]}?" if near else "to load a file, give the path of one that exists",
    )


LITE0: Final = Preprocessing(256, 224, *_NORMALIZE["lite"][:2], "bicubic")
"""For EfficientNet-Lite0: pixels of 0 to 255 become (x - 127) / 128."""


def preprocessing(network: str, name: str = "DEFAULT") -> Preprocessing:
    """How images are prepared for a network's weights.

    Raises:
        ArgumentError: it has no such weights.

    >>> preprocessing("resnet50", "IMAGENET1K_V1").crop
    224
    """
    return (
        LITE0
        if network == "efficientnet_lite0" and not published(network)
        else find_published(network, name).preprocessing
    )
