"""`keras.applications.vgg16`: VGG16, and what goes with it. Read next: `vgg.py`."""

from onegraph.keras.applications.shared import decode_predictions, preparation
from onegraph.keras.applications.vgg import VGG16

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("caffe")
