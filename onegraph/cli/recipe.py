"""From settings to what a training step is made of: loss, optimizer, course of the learning rate, augmentation, averages.

Read next: `trainer.py`, which puts them together.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import onegraph as og
from onegraph import zoo
from onegraph.cli.settings import OPTIMIZERS, Settings
from onegraph.data.pipelines import Augmentation, augmentation
from onegraph.data.transforms import CutMix, MixUp, RandomChoice
from onegraph.nn import Module
from onegraph.nn.functional import cross_entropy

AUXILIARY_SHARE = 0.3
"""What a loss of auxiliary heads counts (Szegedy et al., "Going deeper with convolutions", 2015, section 5)."""
_SMALL_PHOTO = 64  # pixels; larger colour images are cropped rather than moved


def loss_of(result: Any, labels: og.Tensor, label_smoothing: float = 0.0) -> tuple[og.Tensor, og.Tensor]:
    """Loss and logits from what a network gives; heads beside the first one count less.

    >>> from onegraph import zeros
    >>> labels = og.tensor([1])
    >>> loss, logits = loss_of((zeros(1, 2), zeros(1, 2)), labels)
    >>> round(loss.item() / math.log(2), 6)
    1.3
    """
    heads = [head for head in result if head is not None] if isinstance(result, (tuple, list)) else [result]
    losses = [cross_entropy(head.float(), labels, label_smoothing=label_smoothing) for head in heads]
    total = losses[0]
    for other in losses[1:]:
        total = total + AUXILIARY_SHARE * other
    return total, heads[0]


def optimizer_for(settings: Settings, model: Module) -> Any:
    """The optimizer; with groups by depth where stages or the head have a learning rate of their own."""
    make, _, arguments = OPTIMIZERS[settings.optimizer]
    if settings.weight_decay is not None and settings.optimizer != "rprop":
        arguments = {**arguments, "weight_decay": settings.weight_decay}
    if settings.lr_decay == 1 and settings.head_lr is None:
        return make(model.parameters(), lr=settings.lr, **arguments)
    groups = zoo.parameter_groups(model, settings.lr, settings.lr_decay, settings.head_lr)
    return make(groups, lr=settings.lr, **arguments)


def rate_factor(schedule: str, done: float, warmup: float = 0.0) -> float:
    """The learning rate as a share of its largest value.

    Args:
        schedule: a name in `SCHEDULES`.
        done: share of all steps that are done, 0 to 1.
        warmup: share of all steps during which it rises along a line.

    >>> [round(rate_factor("cosine", done), 3) for done in (0, 0.5, 1)]
    [1.0, 0.5, 0.0]
    >>> [rate_factor("step", done) for done in (0.4, 0.5, 0.8)]
    [1.0, 0.1, 0.01]
    >>> rate_factor("constant", 0.05, warmup=0.1)
    0.5
    """
    if done < warmup:
        return done / warmup
    rest = (done - warmup) / (1 - warmup) if warmup < 1 else 1.0
    if schedule == "cosine":
        return (1 + math.cos(math.pi * rest)) / 2
    if schedule == "step":  # He et al., "Deep residual learning" (2016), section 4.2: at 32,000 and 48,000 of 64,000
        return 0.01 if rest >= 0.75 else 0.1 if rest >= 0.5 else 1.0
    if schedule == "onecycle":  # Smith, Topin, "Super-convergence" (2018), with cosines instead of lines
        if rest < 0.3:
            return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * rest / 0.3)) / 2
        return 1e-4 + (1 - 1e-4) * (1 + math.cos(math.pi * (rest - 0.3) / 0.7)) / 2
    return 1.0


def scheduler_for(settings: Settings, optimizer: Any, steps_an_epoch: int) -> Any:
    """The course of the learning rate over the whole run, of every group by the same factor."""
    steps = settings.epochs * steps_an_epoch
    warmup = settings.warmup / settings.epochs
    offset = 1 if warmup else 0  # the first step of a warm-up would learn nothing
    return og.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_factor(settings.schedule, min(step + offset, steps) / steps, warmup)
    )


def augmentation_for(settings: Settings, image_shape: tuple[int, int, int], classes: int) -> Augmentation:
    """Changes to training images and batches."""
    channels, height, width = image_shape
    name = settings.augment
    if name == "auto":
        small = max(height, width) <= _SMALL_PHOTO
        name = "light" if channels == 1 else "standard" if small else "photo"
    found = augmentation(name, (height, width), classes, channels)
    mixes: list[Any] = []
    if settings.mixup:
        mixes.append(MixUp(alpha=settings.mixup, num_classes=classes))
    if settings.cutmix:
        mixes.append(CutMix(alpha=settings.cutmix, num_classes=classes))
    if not mixes:
        return found
    return dataclasses.replace(found, mix=mixes[0] if len(mixes) == 1 else RandomChoice(mixes))


class Average:
    """The running mean of a model's weights and statistics, which is measured and saved instead of the last ones.

    Its speed grows with the number of updates: the share of the old value is the smaller one of `decay` and
    (1 + updates) / (10 + updates), as in TensorFlow's `ExponentialMovingAverage`; a short run is averaged too.

    Args:
        model: what is trained.
        decay: largest share of the old value.
    """

    def __init__(self, model: Module, decay: float) -> None:
        og.eval(model.state_dict())
        self.source, self.decay = model, decay
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.updates = og.tensor(0.0)

    def update(self) -> None:
        """Take the model's present values in; part of a traced step."""
        with og.no_grad():
            count = self.updates + 1
            share = og.minimum((1 + count) / (10 + count), og.tensor(self.decay))
            self.updates.copy_(count)
            new = {**dict(self.source.named_parameters()), **dict(self.source.named_buffers())}
            for name, old in [*self.model.named_parameters(), *self.model.named_buffers()]:
                value = new[name].detach()
                old.copy_(old * share + value * (1 - share) if old.dtype.is_floating_point else value)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back from it."""
        self.model.load_state_dict(state["model"])
        with og.no_grad():
            self.updates.copy_(state["updates"])
