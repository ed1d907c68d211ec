"""`keras.applications.vgg19`: VGG19, and what goes with it. Read next: `vgg.py`."""

from onegraph.keras.applications.shared import decode_predictions, preparation
from onegraph.keras.applications.vgg import VGG19

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("caffe")
