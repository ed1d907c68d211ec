"""What is done with the models: sizes of batches, loss, optimizer; the same for both frameworks.

Read next: `contest.py`, which makes contestants of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import models

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Work:
    """A model and a batch.

    Attributes:
        make: the model, from a framework.
        batch: inputs and int64 labels, from a random generator.
        optimizer: "sgd" (momentum 0.9) or "adamw".
        image: whether inputs are images, for which PyTorch also tries channels-last.
        rate: the learning rate, small enough for losses to fall smoothly.
    """

    make: Callable[[Any], Any]
    batch: Callable[[np.random.Generator], tuple[Array, Array]]
    optimizer: str = "sgd"
    image: bool = True
    rate: float = 1e-2

    def loss(self, framework: Any, model: Any, x: Any, y: Any) -> Any:
        """Cross entropy over the last dimension."""
        logits = model(x)
        return framework.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))

    def optimize(self, framework: Any, parameters: Any, **options: Any) -> Any:
        """The optimizer."""
        if self.optimizer == "adamw":
            return framework.optim.AdamW(parameters, lr=self.rate, **options)
        return framework.optim.SGD(parameters, lr=self.rate, momentum=0.9, **options)


def _images(
    number: int, size: int, classes: int, channels: int = 3
) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    def batch(rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.standard_normal((number, channels, size, size), np.float32)
        return x, rng.integers(0, classes, number)

    return batch


def _tokens(number: int, length: int, vocabulary: int) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    def batch(rng: np.random.Generator) -> tuple[Array, Array]:
        text = rng.integers(0, vocabulary, (number, length + 1))
        return np.ascontiguousarray(text[:, :-1]), np.ascontiguousarray(text[:, 1:])

    return batch


def _signals(
    number: int, length: int, inputs: int, classes: int
) -> Callable[[np.random.Generator], tuple[Array, Array]]:
    def batch(rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.standard_normal((length, number, inputs), np.float32)
        return x, rng.integers(0, classes, (length, number))

    return batch


def image_work(name: str, number: int, size: int, classes: int = 1000, width: float = 1.0) -> Work:
    """A convolutional network on a batch of colour images."""
    options: dict[str, Any] = {"classes": classes, "width": width}
    return Work(
        lambda framework: getattr(models, name)(framework, **options), _images(number, size, classes), rate=1e-5
    )


def find_work(name: str, number: int = 8, quick: bool = False) -> Work:
    """The work of a name, in full size or tiny.

    Args:
        name: of the model.
        number: images in a batch.
        quick: sizes for which the result means nothing, but everything runs.
    """
    if name == "lenet5":
        return Work(models.lenet5, _images(8 if quick else number, 32, 10, 1))
    if name == "resnet18":
        return image_work(name, 2 if quick else number, 16 if quick else 32, 10, 0.125 if quick else 1.0)
    if name == "gpt":
        size = {"layers": 2, "width": 16, "heads": 2, "context": 12} if quick else {}
        batch = _tokens(2, 12, 65) if quick else _tokens(number, 256, 65)
        return Work(lambda framework: models.gpt(framework, **size), batch, "adamw", image=False, rate=3e-4)
    if name == "lstm":
        inputs, hidden, length = (6, 8, 7) if quick else (128, 256, 100)
        batch = _signals(3 if quick else number, length, inputs, 64)
        return Work(lambda framework: models.lstm(framework, inputs, hidden), batch, image=False)
    size = 299 if name == "inception" else 224
    if quick:  # not so small that batch normalization sees two values, whose variance is badly conditioned
        return image_work(name, 4, 107 if name == "inception" else 64, 10, 0.125)
    return image_work(name, number, size)
