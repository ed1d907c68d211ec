"""Names and numbers that Keras keeps for a whole program: the float type, epsilon, and the names of layers.

Read next: `registry.py` (how "relu" or "mse" becomes an object).
"""

from __future__ import annotations

import re
from collections import Counter

from onegraph.errors import ArgumentError

_names: Counter[str] = Counter()
_numbers = {"epsilon": 1e-7}


def floatx() -> str:
    """The element type of weights and of floating inputs: 'float32'."""
    return "float32"


def epsilon() -> float:
    """The small number that keeps logarithms and divisions finite.

    >>> epsilon()
    1e-07
    """
    return _numbers["epsilon"]


def set_epsilon(value: float) -> None:
    """Change `epsilon()`."""
    _numbers["epsilon"] = float(value)


def image_data_format() -> str:
    """'channels_last': images are (batch, height, width, channels) unless a layer says otherwise."""
    return "channels_last"


def data_format_of(data_format: str | None, dim_ordering: str | None = None) -> str:
    """A layer's `data_format`, or Keras 1's `dim_ordering` ('tf' or 'th'), checked; 'channels_last' when neither is given."""
    given = {"tf": "channels_last", "th": "channels_first", "default": None}.get(
        dim_ordering or "default", dim_ordering
    ) or data_format
    if given is None:
        return image_data_format()
    if given not in ("channels_last", "channels_first"):
        raise ArgumentError(f"data_format must be 'channels_last' or 'channels_first', got {given!r}")
    return given


def snake_case(name: str) -> str:
    """`MaxPooling2D` as `max_pooling2d`, the way Keras names layers.

    >>> snake_case("MaxPooling2D"), snake_case("ReLU"), snake_case("Conv2D")
    ('max_pooling2d', 're_lu', 'conv2d')
    """
    text = re.sub(r"\W+", "", name)
    text = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", text)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", text).lower()


def unique_name(prefix: str) -> str:
    """The prefix, and from the second time on with a number: dense, dense_1, dense_2."""
    _names[prefix] += 1
    count = _names[prefix]
    return prefix if count == 1 else f"{prefix}_{count - 1}"


def clear_session() -> None:
    """Start naming layers anew."""
    _names.clear()
