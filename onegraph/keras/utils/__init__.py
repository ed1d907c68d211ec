"""Helpers: seeds, one-hot targets, and data sets that give whole batches."""

from __future__ import annotations

import importlib
import random
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend.random import manual_seed
from onegraph.keras import registry
from onegraph.keras.registry import custom_object_scope, register_keras_serializable

_ELSEWHERE = {  # names that live in other files here, imported when they are first used
    "files": "get_file",
    "images": "array_to_img img_to_array load_img save_img smart_resize",
    "sequences": "pad_sequences",
    "directories": "image_dataset_from_directory text_dataset_from_directory timeseries_dataset_from_array split_dataset",
    "pipeline": "Pipeline AUTOTUNE",
    "plotting": "model_to_dot plot_model",
    "progbar": "Progbar",
}
_PLACES = {name: f"onegraph.keras.utils.{file}" for file, names in _ELSEWHERE.items() for name in names.split()}
_PLACES.update(
    clear_session="onegraph.keras.backend",
    get_source_inputs="onegraph.keras.backend",
    is_keras_tensor="onegraph.keras.backend",
    pack_x_y_sample_weight="onegraph.keras.steps",
    unpack_x_y_sample_weight="onegraph.keras.steps",
    enable_interactive_logging="onegraph.keras.config",
    disable_interactive_logging="onegraph.keras.config",
    is_interactive_logging_enabled="onegraph.keras.config",
    deserialize_keras_object="onegraph.keras.serialization",
    serialize_keras_object="onegraph.keras.serialization",
    data_utils="onegraph.keras.utils.data_utils",
    generic_utils="onegraph.keras.utils.generic_utils",
)
_MODULES = ("data_utils", "generic_utils")

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "normalize",
    "np_utils",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
]


def __getattr__(name: str) -> Any:
    """Names from other files."""
    if name in _PLACES:
        module = importlib.import_module(_PLACES[name])
        return module if name in _MODULES else getattr(module, name)
    raise AttributeError(f"keras.utils has no {name!r}")


CustomObjectScope = custom_object_scope


def get_custom_objects() -> dict[str, Any]:
    """The table of classes and functions that saved models may name; names may be put into it."""
    return registry._custom


def get_registered_name(obj: Any) -> str:
    """Under which name an object was registered; its own name if it was not."""
    return next((k for k, v in registry._custom.items() if v is obj and ">" in k), obj.__name__)


def get_registered_object(name: str, custom_objects: Any = None, module_objects: Any = None) -> Any:
    """What was registered under a name; None if nothing was."""
    for table in (custom_objects or {}, registry._custom, module_objects or {}):
        if name in table:
            return table[name]
    return None


def set_random_seed(seed: int) -> None:
    """Start all random numbers again from a seed: onegraph's (weights, dropout, shuffling), NumPy's and Python's."""
    manual_seed(seed)
    np.random.seed(seed % (1 << 32))
    random.seed(seed)


def to_categorical(x: Any, num_classes: int | None = None, nb_classes: int | None = None) -> np.ndarray[Any, Any]:
    """Class numbers as one-hot rows, float32.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    classes = np.asarray(x, np.int64)
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    count = num_classes or nb_classes or (int(classes.max()) + 1 if classes.size else 0)
    if classes.size and not 0 <= classes.min() <= classes.max() < count:
        raise ArgumentError(
            f"to_categorical: classes must be from 0 to {count - 1}, found {classes.min()} to {classes.max()}"
        )
    return np.eye(count, dtype=np.float32)[classes]


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray[Any, Any]:
    """An array scaled to norm 1 along an axis."""
    array = np.asarray(x)
    norms = np.linalg.norm(array, order, axis, keepdims=True)
    return np.asarray(array / np.where(norms == 0, 1, norms))


class PyDataset:
    """Base of data sets that give whole batches: define `__len__` and `__getitem__(index) -> (x, y)`."""

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = workers

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__: how many batches there are")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index): a batch (x, y)")

    def on_epoch_end(self) -> None:
        """Called after each pass."""


Sequence = PyDataset


from onegraph.keras.utils import np_utils  # noqa: E402  it takes the functions above
