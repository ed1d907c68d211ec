"""torchvision's names: `import onegraph.vision as torchvision`. Start with README.md.

Read next: `transforms/`, `datasets/`, `ops/`, `utils.py`, `io.py`.
"""

import importlib as _importlib
from typing import Any as _Any

from onegraph.errors import ArgumentError as _ArgumentError
from onegraph.vision import datasets, io, ops, transforms, utils

__version__ = "0.29.1"
"""The version of torchvision whose names and defaults these are."""

__all__ = ["datasets", "get_image_backend", "io", "ops", "set_image_backend", "transforms", "utils"]


def get_image_backend() -> str:
    """The library that reads images: always "PIL".

    >>> get_image_backend()
    'PIL'
    """
    return "PIL"


def set_image_backend(backend: str) -> None:
    """Accepted for "PIL", the only one.

    Raises:
        ArgumentError: another one.
    """
    if backend != "PIL":
        raise _ArgumentError(f"set_image_backend: {backend!r}: images are read with Pillow ('PIL') only")


def __getattr__(name: str) -> _Any:
    """`models`, imported when it is first used: the networks are many."""
    if name == "models":
        return _importlib.import_module("onegraph.vision.models")
    raise AttributeError(f"module 'onegraph.vision' has no attribute {name!r}")
