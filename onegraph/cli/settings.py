"""Everything that decides the result of `onegraph train`, as one record, and the options that it comes from.

Read next: `recipe.py`, which makes optimizers, schedules and losses of it; `train.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

import onegraph as og
from onegraph.data.pipelines import AUGMENTATIONS
from onegraph.errors import ArgumentError, StateError

EPOCHS = 22  # the fewest with which LeNet-5 gets at least 98.5 % of the digits right for each of the seeds 0 to 4
ALL_BUT_HEAD = "all-but-head"

OPTIMIZERS: dict[str, tuple[Any, float, dict[str, Any]]] = {
    "adam": (og.optim.Adam, 3e-3, {}),
    "adamw": (og.optim.AdamW, 3e-3, {}),
    "nadam": (og.optim.NAdam, 2e-3, {}),
    "radam": (og.optim.RAdam, 3e-3, {}),
    "adamax": (og.optim.Adamax, 4e-3, {}),
    "adagrad": (og.optim.Adagrad, 1e-2, {}),
    "adadelta": (og.optim.Adadelta, 1.0, {}),
    "adafactor": (og.optim.Adafactor, 1e-2, {}),
    "asgd": (og.optim.ASGD, 5e-2, {}),
    "rprop": (og.optim.Rprop, 1e-3, {}),
    "rmsprop": (og.optim.RMSprop, 1e-3, {}),
    "sgd": (og.optim.SGD, 0.05, {"momentum": 0.9}),
    "nesterov": (og.optim.SGD, 0.05, {"momentum": 0.9, "nesterov": True}),
}
"""For each optimizer its class, its default learning rate, and further arguments."""

SCHEDULES = {
    "cosine": "half a cosine down to 0",
    "step": "a tenth after a half, and after three quarters of the steps",
    "onecycle": "up from 1/25 during the first 30 %, then down to 1/10000",
    "constant": "always the same",
}
"""Courses of the learning rate, in words."""


@dataclass(frozen=True)
class Settings:
    """What decides the result of a training run; kept in every checkpoint.

    Attributes:
        network: a name for `find_network`.
        data: a path for `arrays_from`.
        epochs, batch_size, lr, optimizer, seed: as usual.
        weight_decay: of the optimizer; None for its own default.
        schedule, warmup: a name in `SCHEDULES`; epochs during which the learning rate rises from near 0.
        head_lr, lr_decay: learning rate of the last layer, or None; by what each stage below learns slower.
        augment: a name in `AUGMENTATIONS`, or "auto".
        mixup, cutmix: parameters of their beta distributions; 0 for none.
        label_smoothing: share of the target that is spread over all classes.
        ema: share of the old value in the running mean of the weights that is measured and saved; 0 for none.
        clip_grad: largest norm of all gradients together; 0 for any.
        amp: "none" or "bf16".
        image_size: height and width; 0 for what the weights or the network were made for.
        limit: use only so many training and test images, evenly spaced.
        on_bad_image: "stop" or "skip".
        weights: a file, folder or published name with first values, or "".
        freeze: "", "all-but-head", or how many stages from the input learn nothing.
        unfreeze_after: epochs after which they do learn; 0 for never.
    """

    network: str
    data: str = "digits"
    epochs: int = EPOCHS
    batch_size: int = 32
    lr: float = 3e-3
    optimizer: str = "adam"
    seed: int = 0
    weight_decay: float | None = None
    schedule: str = "cosine"
    warmup: float = 0.0
    head_lr: float | None = None
    lr_decay: float = 1.0
    augment: str = "auto"
    mixup: float = 0.0
    cutmix: float = 0.0
    label_smoothing: float = 0.0
    ema: float = 0.0
    clip_grad: float = 0.0
    amp: str = "none"
    image_size: int = 0
    limit: int | None = None
    on_bad_image: str = "stop"
    weights: str = ""
    freeze: str = ""
    unfreeze_after: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """Back from `dataclasses.asdict`.

        Raises:
            StateError: other settings than this version knows.
        """
        if values.keys() != {field.name for field in dataclasses.fields(cls)}:
            raise StateError(f"the checkpoint has settings of another version: {', '.join(sorted(values))}")
        return cls(**values)

    def check(self) -> Settings:
        """The settings themselves.

        Raises:
            ArgumentError: a number out of range, or options that do not go together.
        """
        for name in ("lr", "head_lr"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ArgumentError(f"--{name.replace('_', '-')} {value}: a learning rate is a positive number")
        for name, low, high in (
            ("mixup", 0, None), ("cutmix", 0, None), ("clip_grad", 0, None), ("warmup", 0, self.epochs),
            ("label_smoothing", 0, 1), ("ema", 0, 1), ("lr_decay", 1, None), ("weight_decay", 0, None),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not (
                low <= value <= (float("inf") if high is None else high) and value < float("inf")
            ):
                limits = f"at least {low}" if high is None else f"from {low} to {high}"
                raise ArgumentError(f"--{name.replace('_', '-')} {value}: {limits}")
        if self.ema == 1 or self.label_smoothing == 1:
            raise ArgumentError("--ema and --label-smoothing must be below 1: with 1 nothing is learned")
        if self.freeze not in ("", ALL_BUT_HEAD) and not self.freeze.isdecimal():
            raise ArgumentError(f"--freeze {self.freeze}: {ALL_BUT_HEAD}, or how many stages, counted from the input")
        if self.freeze and not self.weights:
            raise ArgumentError("--freeze without --weights would keep layers that have learned nothing")
        if self.unfreeze_after and not self.freeze:
            raise ArgumentError("--unfreeze-after says when --freeze ends, and nothing is frozen")
        return self


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that settings come from, for a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_FLOAT = click.FloatRange(0)
_OPTIONS = [
    click.option(
        "--data", default="digits", show_default=True, help="Images: class folders, IDX, CIFAR, .npz, .csv, .parquet, .tar, or `digits`."
    ),
    click.option(
        "--epochs", type=click.IntRange(1), default=EPOCHS, show_default=True, help="Passes over the training images."
    ),
    click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images a step."),
    click.option("--lr", type=float, help="Learning rate.  [default: by optimizer]"),
    click.option("--optimizer", type=click.Choice(list(OPTIMIZERS)), default="adam", show_default=True),
    click.option("--weight-decay", type=_FLOAT, help="Pull of weights to 0.  [default: by optimizer]"),
    click.option(
        "--schedule", type=click.Choice(list(SCHEDULES)), default="cosine", show_default=True,
        help="Course of the learning rate.",
    ),
    click.option("--warmup", type=_FLOAT, default=0.0, metavar="EPOCHS", help="Let the learning rate rise from 0 first."),
    click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Decides all random numbers."
    ),
    click.option(
        "--augment", type=click.Choice(["auto", *AUGMENTATIONS]), default="auto", show_default=True,
        help="Change training images at random. auto: light for gray images, standard for small colour ones, photo for "
        "large ones.",
    ),
    click.option("--no-augment", "augment", flag_value="none", help="The same as --augment none."),
    click.option("--mixup", type=_FLOAT, default=0.0, metavar="ALPHA", help="Mix pairs of images; 0.2 is usual."),
    click.option("--cutmix", type=_FLOAT, default=0.0, metavar="ALPHA", help="Paste parts of others; 1 is usual."),
    click.option("--label-smoothing", type=_FLOAT, default=0.0, metavar="SHARE", help="Of the target; 0.1 is usual."),
    click.option("--ema", type=_FLOAT, default=0.0, metavar="DECAY", help="Keep the mean of the weights, such as 0.999."),
    click.option("--clip-grad", type=_FLOAT, default=0.0, metavar="NORM", help="Shorten larger gradients to this norm."),
    click.option(
        "--amp", type=click.Choice(["none", "bf16"]), default="none", show_default=True,
        help="Multiply in half precision; half the memory for results.",
    ),
    click.option("--image-size", type=click.IntRange(1), help="Height and width.  [default: that of the weights or network]"),
    click.option("--limit", type=click.IntRange(2), help="Use only this many training and test images."),
    click.option(
        "--on-bad-image", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
        help="What to do about an image that cannot be read.",
    ),
    click.option(
        "--weights", default="",
        help="Start from these: a file, checkpoint, saved model, or the name of published weights. With other classes "
        "than the data has, the last layer is new.",
    ),
    click.option(
        "--freeze", default="", metavar=f"{ALL_BUT_HEAD}|N",
        help="Parts that learn nothing: all but the last layer, or the first N stages.",
    ),
    click.option("--unfreeze-after", type=click.IntRange(1), metavar="EPOCHS", help="Then they do learn."),
    click.option("--head-lr", type=float, help="Learning rate of the last layer.  [default: --lr]"),
    click.option(
        "--lr-decay", type=float, default=1.0, metavar="FACTOR",
        help="Each stage below learns so much slower; 2.6 is usual.",
    ),
]  # fmt: skip
"""In the order in which `--help` shows them. Those that a `Settings` field is named like fill it."""


def from_options(network: str, options: dict[str, Any]) -> Settings:
    """Settings from the options of the command line.

    Raises:
        ArgumentError: as `Settings.check`.
    """
    values = {field.name: options[field.name] for field in dataclasses.fields(Settings) if field.name in options}
    if values["lr"] is None:
        values["lr"] = OPTIMIZERS[values["optimizer"]][1]
    for name in ("image_size", "unfreeze_after"):
        values[name] = values[name] or 0
    return Settings(network=network, **values).check()
