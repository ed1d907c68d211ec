"""Keras 1's name of `keras.losses`."""

from onegraph.keras.losses import *  # noqa: F403
from onegraph.keras.losses import get

__all__ = ["get"]
