"""Keras 1's and 2's place of `get_file` and `Sequence`."""

from onegraph.keras.utils import PyDataset as Sequence
from onegraph.keras.utils.files import get_file

__all__ = ["Sequence", "get_file"]
