"""The version, and what it was built with, under PyTorch's names."""

from importlib.metadata import PackageNotFoundError as _NotFound
from importlib.metadata import version as _version

try:
    __version__ = _version("onegraph")
except _NotFound:  # from a folder that was not installed
    __version__ = "0.1.0"
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
debug = False
