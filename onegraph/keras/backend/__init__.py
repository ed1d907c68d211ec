"""Names and numbers that Keras keeps for a whole program: the float type, epsilon, and the names of layers.

The functions of Keras 1's and 2's `keras.backend` are found here as well; they live in `functions.py` and `graph.py`,
which are imported when one of them is first used. Read next: `../registry.py` (how "relu" or "mse" becomes an object).
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from typing import Any

from onegraph.errors import ArgumentError

_names: Counter[str] = Counter()
_numbers = {"epsilon": 1e-7}
_formats = {"floatx": "float32", "image_data_format": "channels_last"}


def __getattr__(name: str) -> Any:
    """The functions of Keras 1's and 2's backend."""
    if not name.startswith("_"):
        for file in ("functions", "graph"):
            module = importlib.import_module(f"onegraph.keras.backend.{file}")
            if name == file:
                return module
            if name in vars(module):
                return vars(module)[name]
    raise AttributeError(f"keras.backend has no {name!r}")


def backend() -> str:
    """The name of what computes: 'onegraph'."""
    return "onegraph"


def floatx() -> str:
    """The element type of weights and of floating inputs, 'float32' unless changed."""
    return _formats["floatx"]


def set_floatx(value: str) -> None:
    """Change `floatx()`: 'float16', 'bfloat16', 'float32' or 'float64'."""
    if value not in ("float16", "bfloat16", "float32", "float64"):
        raise ArgumentError(f"set_floatx: must be 'float16', 'bfloat16', 'float32' or 'float64', got {value!r}")
    _formats["floatx"] = value


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
    """'channels_last' unless changed: images are (batch, height, width, channels) where a layer does not say otherwise."""
    return _formats["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Change `image_data_format()`: 'channels_last' or 'channels_first'."""
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(f"data_format must be 'channels_last' or 'channels_first', got {data_format!r}")
    _formats["image_data_format"] = data_format


def image_dim_ordering() -> str:
    """Keras 1's name of the image format: 'tf' for channels last, 'th' for channels first."""
    return "tf" if image_data_format() == "channels_last" else "th"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Change the image format by Keras 1's names, 'tf' or 'th'."""
    if dim_ordering not in ("tf", "th"):
        raise ArgumentError(f"dim_ordering must be 'tf' or 'th', got {dim_ordering!r}")
    set_image_data_format("channels_last" if dim_ordering == "tf" else "channels_first")


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


def get_uid(prefix: str = "") -> int:
    """A number that grows with each call for a prefix."""
    _names[prefix] += 1
    return _names[prefix]


def reset_uids() -> None:
    """Start naming layers anew."""
    _names.clear()


def clear_session(free_memory: bool = True) -> None:
    """Start naming layers anew."""
    _names.clear()
