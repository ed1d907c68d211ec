"""`keras.applications.resnet`: ResNet50, ResNet101, ResNet152, and what goes with it. Read next: `networks.py`."""

from onegraph.keras.applications.networks import ResNet50, ResNet101, ResNet152
from onegraph.keras.applications.shared import decode_predictions, preparation

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("caffe")
