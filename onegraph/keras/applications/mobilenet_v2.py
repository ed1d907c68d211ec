"""`keras.applications.mobilenet_v2`: MobileNetV2, and what goes with it. Read next: `networks.py`."""

from onegraph.keras.applications.networks import MobileNetV2
from onegraph.keras.applications.shared import decode_predictions, preparation

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("tf")
