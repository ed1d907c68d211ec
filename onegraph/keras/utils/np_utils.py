"""The module where Keras 1 had `to_categorical`."""

from onegraph.keras.utils import normalize, to_categorical

__all__ = ["normalize", "to_categorical"]
