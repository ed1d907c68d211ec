"""Weights as torchvision offers them: enumerations, and networks looked up by name.

Read next: `_build.py`, which makes them from the zoo.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.hub import load_state_dict_from_url
from onegraph.nn import Module

__all__ = ["Weights", "WeightsEnum", "get_model", "get_model_builder", "get_model_weights", "get_weight", "list_models"]

Builder = Callable[..., Module]
BUILTIN_MODELS: dict[str, Builder] = {}
"""The functions that build networks, by name."""


@dataclass(eq=False)
class Weights:
    """What is known of one file of weights.

    Attributes:
        url: where it is.
        transforms: called without arguments, gives what prepares images.
        meta: "categories", "num_params", "min_size", "_metrics" and more.
    """

    url: str
    transforms: Callable[..., Any]
    meta: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Weights):
            return NotImplemented
        return (self.url, self.meta, _parts(self.transforms)) == (other.url, other.meta, _parts(other.transforms))

    __hash__ = None  # type: ignore[assignment]


def _parts(function: Any) -> Any:
    """What makes two partial functions equal, which Python takes for different."""
    return (function.func, function.args, function.keywords) if isinstance(function, functools.partial) else function


class WeightsEnum(Enum):
    """The weights that there are for one network; each member's value is a `Weights`."""

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """A member: given as such, by its name (with or without that of the enumeration), or None.

        Raises:
            ArgumentError: there is no member of this name.
            ArgumentTypeError: something else.
        """
        if obj is None or isinstance(obj, cls):
            return obj
        if not isinstance(obj, str):
            raise ArgumentTypeError(f"weights must be a member of {cls.__name__} or its name, got {type(obj).__name__}")
        name = obj.removeprefix(cls.__name__ + ".")
        if name not in cls.__members__:
            raise ArgumentError(f"{cls.__name__} has no member {name!r}; it has {', '.join(cls.__members__)}")
        return cls[name]

    def get_state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The tensors of the file, fetched if need be; arguments are those of `hub.load_state_dict_from_url`."""
        return load_state_dict_from_url(self.url, *args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self._name_}"

    @property
    def url(self) -> str:
        """Where the file is."""
        return str(self.value.url)

    @property
    def transforms(self) -> Callable[..., Any]:
        """Called without arguments, gives what prepares images."""
        function: Callable[..., Any] = self.value.transforms
        return function

    @property
    def meta(self) -> dict[str, Any]:
        """Classes, numbers of parameters, accuracies."""
        found: dict[str, Any] = self.value.meta
        return found


ENUMERATIONS: dict[str, type[WeightsEnum]] = {}
"""The weights of each network, by the network's name."""


def register_model(name: str | None = None) -> Callable[[Builder], Builder]:
    """A decorator that puts a function into the list of networks.

    Args:
        name: of the network; that of the function by default.

    Raises:
        ArgumentError: the name is taken.
    """

    def register(builder: Builder) -> Builder:
        key = builder.__name__ if name is None else name
        if key in BUILTIN_MODELS:
            raise ArgumentError(f"register_model: there is a network {key!r} already")
        BUILTIN_MODELS[key] = builder
        return builder

    return register


def list_models(
    module: ModuleType | None = None,
    include: Iterable[str] | str | None = None,
    exclude: Iterable[str] | str | None = None,
) -> list[str]:
    """Names of networks.

    Args:
        module: only those of this module, e.g. `onegraph.vision.models`.
        include: patterns such as "resnet*", of which one must fit.
        exclude: patterns of which none may fit.

    >>> list_models(include="vgg1?")
    ['vgg11', 'vgg13', 'vgg16', 'vgg19']
    """
    found = {n for n, b in BUILTIN_MODELS.items() if module is None or _package(b) == module.__name__}
    if include:
        found = {n for pattern in _patterns(include) for n in fnmatch.filter(found, pattern)}
    dropped = {n for pattern in _patterns(exclude or ()) for n in fnmatch.filter(found, pattern)}
    return sorted(found - dropped)


def _package(builder: Builder) -> str:
    return builder.__module__.rpartition(".")[0]


def _patterns(value: Iterable[str] | str) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def get_model_builder(name: str) -> Builder:
    """The function that builds a network.

    Raises:
        ArgumentError: there is no such network.
    """
    if name.lower() not in BUILTIN_MODELS:
        raise ArgumentError(f"there is no model {name!r}", hint="list_models() lists those that there are")
    return BUILTIN_MODELS[name.lower()]


def get_model(name: str, **config: Any) -> Module:
    """Build a network.

    Args:
        name: of the network.
        config: arguments of the function that builds it.

    >>> get_model("squeezenet1_1", num_classes=10).num_classes
    10
    """
    return get_model_builder(name)(**config)


def get_model_weights(name: Builder | str) -> type[WeightsEnum]:
    """The weights that there are for a network.

    Args:
        name: of the network, or the function that builds it.

    Raises:
        ArgumentError: there is no such network, or there are no weights for it.

    >>> list(get_model_weights("resnet50"))
    [ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2]
    """
    key = name.lower() if isinstance(name, str) else getattr(name, "__name__", str(name))
    if key not in ENUMERATIONS:
        get_model_builder(key)
        raise ArgumentError(f"there are no weights for {key!r}")
    return ENUMERATIONS[key]


def get_weight(name: str) -> WeightsEnum:
    """One file of weights by its full name.

    Raises:
        ArgumentError: there are none of this name.

    >>> get_weight("ResNet50_Weights.IMAGENET1K_V2").meta["num_params"]
    25557032
    """
    enumeration, separator, member = name.partition(".")
    found = {e.__name__: e for e in ENUMERATIONS.values()}.get(enumeration)
    if not separator or found is None:
        raise ArgumentError(f"there are no weights {name!r}", hint='write e.g. "ResNet50_Weights.IMAGENET1K_V2"')
    member_found: WeightsEnum = found.verify(member)
    return member_found
