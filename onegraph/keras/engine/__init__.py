"""Keras 1's place of what trains models. Read next: `training.py`."""

from onegraph.keras.engine import training

__all__ = ["training"]
