"""The list of networks, and the decorator that puts a function into it and gives it `weights=`.

To add a network: write a function that builds it, in a file of its own or beside its family, and decorate it.

    @network(doc="LeNet-5 (LeCun et al. 1998)", input_size=(32, 32), num_classes=10, in_channels=1)
    def lenet5(num_classes: int = 10, in_channels: int = 1) -> LeNet5: ...

Read next: `lenet.py`, the smallest network; `weights.py`, which reads the files that the world has.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from onegraph.errors import ArgumentError
from onegraph.nn import Module

P = ParamSpec("P")
M = TypeVar("M", bound=Module)

TASKS = ("classify", "language", "generate", "discriminate", "reconstruct")


@dataclass(frozen=True)
class Network:
    """A model that can be asked for by name.

    Attributes:
        name: what to type.
        doc: one line about it.
        make: the function that builds it; a classifier is called with `num_classes` and `in_channels`.
        input_size: (height, width) of the images that it was made for; (0, 0) if it takes no images.
        num_classes: outputs by default.
        in_channels: of the images, by default.
        task: "classify" (images to logits), "language" (token numbers to logits), "generate" (noise to images),
            "discriminate" (images to one number) or "reconstruct" (images to images).
        family: the networks of one family stand together in lists: "ResNet", "VGG", ...
        source: the paper.
        min_size: height and width of the smallest images that it takes.
        options_with_weights: options that published weights need, unless the caller says otherwise.
        forced_with_weights: options that published weights need, whatever the caller says; `after_weights` can undo it.
        after_weights: called with the model and the caller's options when published weights were loaded.
    """

    name: str
    doc: str
    make: Callable[..., Module]
    input_size: tuple[int, int] = (0, 0)
    num_classes: int = 1000
    in_channels: int = 3
    task: str = "classify"
    family: str = ""
    source: str = ""
    min_size: int = 32
    options_with_weights: Mapping[str, Any] = field(default_factory=dict)
    forced_with_weights: Mapping[str, Any] = field(default_factory=dict)
    after_weights: Callable[[Any, Mapping[str, Any]], None] | None = None


NETWORKS: dict[str, Network] = {}
"""Every network, by name."""


def network(name: str | None = None, **about: Any) -> Any:
    """Look up a network; or, called with keyword arguments alone, a decorator that registers one.

    The decorated function takes two more keyword arguments: `weights`, which is None, a path or the name of published
    weights such as "IMAGENET1K_V1" or "DEFAULT", and `progress`, whether a download shows a bar.

    Args:
        name: such as "lenet5"; capital letters do not matter.
        about: fields of `Network`, for the decorator; the name is that of the function.

    Raises:
        ArgumentError: there is none of this name; the message lists those that there are.

    >>> network("LeNet5").input_size
    (32, 32)
    """
    if name is None:
        return functools.partial(_register, about)
    found = NETWORKS.get(name.lower())
    if found is None:
        near = difflib.get_close_matches(name.lower(), NETWORKS, 1)
        raise ArgumentError(
            f"there is no network {name!r}; there are {', '.join(NETWORKS)}",
            hint=f"did you mean {near[0]}?" if near else None,
        )
    return found


def names(task: str | None = None, family: str | None = None) -> list[str]:
    """Names of the networks, in the order of the list.

    Args:
        task: only those that do this, such as "classify".
        family: only those of this family, such as "ResNet".

    >>> names(family="LeNet")
    ['lenet5']
    """
    return [n.name for n in NETWORKS.values() if task in (None, n.task) and family in (None, n.family)]


def _register(about: dict[str, Any], build: Callable[P, M]) -> Callable[..., M]:
    """Put a function into the list, and give it `weights` and `progress`."""
    name = build.__name__

    @functools.wraps(build)
    def make(*args: Any, weights: Any = None, progress: bool = True, **options: Any) -> M:
        if weights is None:
            return build(*args, **options)
        from onegraph.zoo.weights import load_into

        model = build(*args, **{**entry.options_with_weights, **options, **entry.forced_with_weights})
        load_into(model, name, weights, progress)
        if entry.after_weights is not None:
            entry.after_weights(model, options)
        return model

    make.__signature__ = _signature(build)  # type: ignore[attr-defined]
    entry = Network(name, make=make, **about)
    if entry.task not in TASKS:
        raise ArgumentError(f"{name}: a network's task is one of {', '.join(TASKS)}, got {entry.task!r}")
    NETWORKS[name] = entry
    return make


def _signature(build: Callable[..., Any]) -> inspect.Signature:
    """The function's own signature with `weights` and `progress` added, for help() and the docs."""
    signature = inspect.signature(build)
    kinds = inspect.Parameter
    added = [
        kinds("weights", kinds.KEYWORD_ONLY, default=None, annotation="str | Path | None"),
        kinds("progress", kinds.KEYWORD_ONLY, default=True, annotation="bool"),
    ]
    parameters = list(signature.parameters.values())
    at = next((i for i, p in enumerate(parameters) if p.kind is kinds.VAR_KEYWORD), len(parameters))
    return signature.replace(parameters=[*parameters[:at], *added, *parameters[at:]])
