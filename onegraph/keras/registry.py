"""How a name in a call or in a saved model becomes an object: "relu", "mse", {"class_name": "Dense", "config": {...}}.

Only what is listed here, registered with `register_keras_serializable`, or passed as `custom_objects` can come out of a
saved model, so loading one never runs code from the file.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from onegraph.errors import ArgumentError, ArgumentTypeError, UnsupportedError

T = TypeVar("T")

_custom: dict[str, Any] = {}


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Let saved models name a class or a function of yours.

    Args:
        package: a prefix that keeps names apart; the plain name is found too.
        name: what to call it, by default its own name.
    """

    def register(found: T) -> T:
        own = name or found.__name__  # type: ignore[attr-defined]
        _custom[f"{package}>{own}"] = _custom[own] = found
        return found

    return register


@contextlib.contextmanager
def custom_object_scope(objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Within this context, names in `objects` are known."""
    before = dict(_custom)
    _custom.update(objects or {})
    try:
        yield
    finally:
        _custom.clear()
        _custom.update(before)


class Registry:
    """Objects of one kind by name.

    Args:
        kind: what they are, for messages: 'loss', 'optimizer', 'layer'.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.known: dict[str, Any] = {}

    def add(self, *names: str) -> Callable[[T], T]:
        """Register under the object's own name and the ones given."""

        def register(found: T) -> T:
            for name in (found.__name__, *names):  # type: ignore[attr-defined]
                self.known[name] = found
            return found

        return register

    def find(self, name: str) -> Any:
        """The object with a name.

        Raises:
            ArgumentError: lists the known names.
        """
        for table in (_custom, self.known):
            if name in table:
                return table[name]
        lower = {k.lower(): v for k, v in self.known.items()}
        if name.lower() in lower:
            return lower[name.lower()]
        close = difflib.get_close_matches(name.lower(), list(lower), 1)
        guess = f"did you mean {lower[close[0]].__name__!r}, or is it" if close else "is it"
        raise ArgumentError(
            f"there is no {self.kind} called {name!r}; known are {', '.join(sorted(self.known))}",
            hint=f"{guess} one of your own? Those are registered with register_keras_serializable, or passed as custom_objects",
        )

    def get(self, identifier: Any, default: Any = None) -> Any:
        """An object for a name, a serialized object, a class, a callable, or None (gives the default)."""
        if identifier is None:
            return default
        if isinstance(identifier, str):
            identifier = self.find(identifier)
        elif isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        if isinstance(identifier, type):
            return identifier()
        if not callable(identifier) and not hasattr(identifier, "get_config"):
            raise ArgumentTypeError(
                f"expected a name, a function or an object for the {self.kind}, got {type(identifier).__name__}"
            )
        return identifier

    def deserialize(self, config: Mapping[str, Any]) -> Any:
        """The object that `serialize` described."""
        found = self.find(config["class_name"])
        if not isinstance(found, type):
            return found
        from_config = getattr(found, "from_config", None)
        return from_config(dict(config["config"])) if from_config else found(**config["config"])


def serialize(value: Any) -> Any:
    """A name for a function, class name and configuration for an object, None for None; what JSON can hold.

    Raises:
        UnsupportedError: for a lambda, or a function that is not registered.
    """
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    name = getattr(value, "__name__", None)
    if name is None or name == "<lambda>":
        raise UnsupportedError(
            f"{value!r} cannot be saved, since a saved model holds no code",
            hint="use a named function and register it with @keras.utils.register_keras_serializable()",
        )
    return name


class Configured:
    """Base of small objects that their constructor's arguments describe."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An object from the constructor's arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"
