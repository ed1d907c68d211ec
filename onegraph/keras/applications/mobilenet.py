"""`keras.applications.mobilenet`: MobileNet, and what goes with it. Read next: `networks.py`."""

from onegraph.keras.applications.networks import MobileNet
from onegraph.keras.applications.shared import decode_predictions, preparation

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("tf")
