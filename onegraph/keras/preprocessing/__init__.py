"""`keras.preprocessing`: images, texts and sequences as Keras 1 and 2 prepared them. Data sets from folders are in `utils`."""

from onegraph.keras.preprocessing import image, sequence, text
from onegraph.keras.utils.directories import (
    image_dataset_from_directory,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
