"""The 1000 classes of ImageNet (ILSVRC 2012): names, WordNet numbers, and what a network's logits say about an image.

The order is that of the WordNet numbers, in which all published weights were trained. The names are those that torchvision
shows. Read next: `published.py`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.tensor import Tensor


@dataclass(frozen=True)
class Guess:
    """One class that an image may show.

    Attributes:
        index: 0 to 999.
        label: its name.
        wordnet: its WordNet number, such as "n01440764".
        probability: 0 to 1.
    """

    index: int
    label: str
    wordnet: str
    probability: float


@functools.cache
def _rows() -> list[tuple[str, str]]:
    text = files("onegraph.zoo").joinpath("data/imagenet_classes.tsv").read_text(encoding="utf-8")
    return [(number, label) for number, _, label in (line.partition("\t") for line in text.splitlines())]


def labels() -> list[str]:
    """The names of the 1000 classes, in the order of a network's outputs.

    >>> labels()[207], len(labels())
    ('golden retriever', 1000)
    """
    return [label for _, label in _rows()]


def wordnet_numbers() -> list[str]:
    """The WordNet numbers of the 1000 classes, as the folders of the data set are called.

    >>> wordnet_numbers()[207]
    'n02099601'
    """
    return [number for number, _ in _rows()]


def index_of(name: str) -> int:
    """The index of a class, by its name or its WordNet number.

    Raises:
        ArgumentError: there is no such class, or several have this name.

    >>> index_of("golden retriever"), index_of("n02099601")
    (207, 207)
    """
    found = [i for i, (number, label) in enumerate(_rows()) if name in (number, label)]
    if len(found) != 1:
        raise ArgumentError(
            f"{len(found) or 'no'} classes of ImageNet are called {name!r}",
            hint="use a WordNet number such as n02099601",
        )
    return found[0]


def decode(logits: Any, top: int = 5) -> list[list[Guess]]:
    """The likeliest classes of each image.

    Args:
        logits: what a network gives, of shape (N, 1000) or (1000,); a tensor or an array.
        top: how many classes for each image.

    Returns:
        For each image its classes, the likeliest first; probabilities are the softmax of the logits.

    Raises:
        ShapeError: there are not 1000 outputs.
        ArgumentError: `top` is not 1 to 1000.

    >>> import onegraph as og
    >>> logits = og.zeros(1, 1000)
    >>> logits[0, 207] = 20.0
    >>> guess = decode(logits, top=1)[0][0]
    >>> guess.label, round(guess.probability, 3)
    ('golden retriever', 1.0)
    """
    values = np.asarray(logits.detach().numpy() if isinstance(logits, Tensor) else logits, np.float64)
    if values.ndim == 1:
        values = values[None]
    if values.ndim != 2 or values.shape[1] != 1000:
        raise ShapeError(f"decode: expected logits of shape (N, 1000), got {values.shape}")
    if not 1 <= top <= 1000:
        raise ArgumentError(f"decode: top={top}: from 1 to 1000")
    weights = np.exp(values - values.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    order = np.argsort(-weights, axis=1, kind="stable")[:, :top]
    return [[_guess(int(i), float(row[i])) for i in best] for row, best in zip(weights, order, strict=True)]


def _guess(index: int, probability: float) -> Guess:
    number, label = _rows()[index]
    return Guess(index, label, number, probability)
