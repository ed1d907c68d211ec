"""`keras.applications.xception`: Xception, and what goes with it. Read next: `networks.py`."""

from onegraph.keras.applications.networks import Xception
from onegraph.keras.applications.shared import decode_predictions, preparation

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("tf")
