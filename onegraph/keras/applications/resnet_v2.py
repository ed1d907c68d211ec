"""`keras.applications.resnet_v2`: ResNet50V2, ResNet101V2, ResNet152V2, and what goes with it. Read next: `networks.py`."""

from onegraph.keras.applications.networks import ResNet50V2, ResNet101V2, ResNet152V2
from onegraph.keras.applications.shared import decode_predictions, preparation

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("tf")
