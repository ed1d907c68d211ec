"""What is trained to the end by `python -m bench accuracy`: network, data, optimizer and schedule, for either framework.

Batches are NumPy arrays drawn by seed, so both frameworks see the same images, changed in the same way, in the same
order. Read next: `accuracy.py`.
"""

from __future__ import annotations

import functools
import pydoc_data.topics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Batch = tuple[Array, Array]
CONTEXT = 128  # characters that the language models see at once


@dataclass(frozen=True)
class Data:
    """What a recipe trains and tests on.

    Attributes:
        train: the batches of an epoch, by its number.
        test: the batches that are measured after each epoch.
        steps: batches in an epoch.
    """

    train: Callable[[int], Iterator[Batch]]
    test: Callable[[], Iterator[Batch]]
    steps: int


@dataclass(frozen=True)
class Recipe:
    """One network, trained from random weights to a result worth recording.

    Attributes:
        name: what to type.
        title: what is trained on what.
        network: a function of the zoo, by name.
        options: what it is called with.
        load: the data, from a path, a batch size and a limit on examples (None: all).
        optimizer: makes one from the framework and the parameters.
        peak: highest learning rate of the one-cycle schedule.
        epochs, batch: as usual.
        text: predicts characters: the result is a loss; else classifies images: the result is an accuracy.
    """

    name: str
    title: str
    network: str
    options: dict[str, Any]
    load: Callable[[Path, int, int | None], Data]
    optimizer: Callable[[Any, Any, float], Any]
    peak: float
    epochs: int
    batch: int
    text: bool = False


# ---- images


def _moved(images: Array, by: int, flip: bool, rng: np.random.Generator) -> Array:
    """Each image moved by up to so many pixels in both directions, and flipped half of the time if asked."""
    count, _, height, width = images.shape
    wide = np.pad(images, ((0, 0), (0, 0), (by, by), (by, by)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (height, width), axis=(2, 3))
    y, x = rng.integers(0, 2 * by + 1, (2, count))
    moved = windows[np.arange(count), :, y, x]
    flipped = rng.random(count) < 0.5
    return np.ascontiguousarray(np.where(flipped[:, None, None, None], moved[..., ::-1], moved) if flip else moved)


def _batches_of_images(parts: dict[str, Batch], batch: int, flip: bool, by: int) -> Data:
    images, labels = parts["train"]
    mean, deviation = images.mean((0, 2, 3), keepdims=True), images.std((0, 2, 3), keepdims=True)

    def scaled(values: Array) -> Array:
        return np.asarray((values - mean) / deviation, np.float32)

    def train(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng((epoch, 1))
        order = rng.permutation(len(images))
        for first in range(0, len(order) - batch + 1, batch):
            chosen = order[first : first + batch]
            yield scaled(_moved(images[chosen], by, flip, rng)), labels[chosen]

    def test() -> Iterator[Batch]:
        pictures, truth = parts["test"]
        for first in range(0, len(pictures), batch):
            yield scaled(pictures[first : first + batch]), truth[first : first + batch]

    return Data(train, test, len(images) // batch)


@functools.cache
def _arrays(path: Path, size: int, limit: int | None) -> dict[str, Batch]:
    from onegraph.data import Subset, arrays_from

    data = arrays_from(path, size=size)
    parts = {}
    for name in ("train", "test"):
        part = getattr(data, name)
        if limit is not None:
            part = Subset(part, np.linspace(0, len(part) - 1, min(limit, len(part))).astype(int).tolist())
        batch = part.take_batch(range(len(part))) if hasattr(part, "take_batch") else None
        if batch is None:
            found = [part[i] for i in range(len(part))]
            batch = [np.stack([image for image, _ in found]), np.array([label for _, label in found], np.int64)]
        parts[name] = (batch[0], batch[1])
    return parts


def _mnist(path: Path, batch: int, limit: int | None) -> Data:
    parts = {n: (np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2))), y) for n, (x, y) in _arrays(path, 28, limit).items()}
    return _batches_of_images(parts, batch, flip=False, by=1)


def _cifar(path: Path, batch: int, limit: int | None) -> Data:
    return _batches_of_images(_arrays(path, 32, limit), batch, flip=True, by=4)


# ---- text


def text_of_python() -> str:
    """The language reference that every Python carries for `help()`: real text, 465,000 characters in Python 3.11."""
    topics: dict[str, str] = pydoc_data.topics.topics
    return "\n\n".join(topics[name] for name in sorted(topics))


def _text(path: Path, batch: int, limit: int | None) -> Data:
    """Pieces of the text; its last tenth is for testing. (There is no path: the text comes with Python.)"""
    text = text_of_python()[: None if limit is None else limit * CONTEXT]
    letters = {letter: number for number, letter in enumerate(sorted(set(text_of_python())))}
    numbers = np.array([letters[letter] for letter in text], np.int64)
    cut = len(numbers) * 9 // 10
    steps = max(1, cut // (batch * CONTEXT))

    def pieces(values: Array, starts: Array) -> Batch:
        places = starts[:, None] + np.arange(CONTEXT)
        return values[places], values[places + 1]

    def train(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng((epoch, 2))
        for _ in range(steps):
            yield pieces(numbers[:cut], rng.integers(0, cut - CONTEXT - 1, batch))

    def test() -> Iterator[Batch]:
        rest = numbers[cut:]
        starts = np.arange(0, len(rest) - CONTEXT - 1, CONTEXT)
        for first in range(0, max(1, len(starts) - batch + 1), batch):
            yield pieces(rest, starts[first : first + batch])

    return Data(train, test, steps)


def letters_of_python() -> int:
    """How many different characters the text has."""
    return len(set(text_of_python()))


# ---- recipes


def _adam(framework: Any, parameters: Any, lr: float) -> Any:
    return framework.optim.Adam(parameters, lr=lr)


def _adamw(framework: Any, parameters: Any, lr: float) -> Any:
    return framework.optim.AdamW(parameters, lr=lr, weight_decay=0.1, betas=(0.9, 0.99))


def _sgd(framework: Any, parameters: Any, lr: float) -> Any:
    return framework.optim.SGD(parameters, lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True)


_GPT = {"vocabulary": letters_of_python(), "width": 128, "layers": 4, "heads": 4, "context": CONTEXT}
_LSTM = {"vocabulary": letters_of_python(), "width": 256, "layers": 1, "dropout": 0.0}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("lenet5", "LeNet-5 on MNIST", "lenet5", {}, _mnist, _adam, 3e-3, 10, 64),
        Recipe("resnet20", "ResNet-20 on CIFAR-10", "resnet20", {}, _cifar, _sgd, 0.2, 8, 128),
        Recipe("lstm", "LSTM on Python's language reference", "lstm", _LSTM, _text, _adam, 4e-3, 8, 32, text=True),
        Recipe("gpt", "GPT on Python's language reference", "gpt", _GPT, _text, _adamw, 2e-3, 8, 32, text=True),
    )
}
"""Every recipe, by name."""
