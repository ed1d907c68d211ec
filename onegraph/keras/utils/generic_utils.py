"""Keras 1's and 2's place of `Progbar` and of the table of names."""

from onegraph.keras.utils import CustomObjectScope, custom_object_scope, get_custom_objects
from onegraph.keras.utils.progbar import Progbar

__all__ = ["CustomObjectScope", "Progbar", "custom_object_scope", "get_custom_objects"]
