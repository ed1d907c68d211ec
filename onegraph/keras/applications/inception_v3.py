"""`keras.applications.inception_v3`: InceptionV3, and what goes with it. Read next: `networks.py`."""

from onegraph.keras.applications.networks import InceptionV3
from onegraph.keras.applications.shared import decode_predictions, preparation

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("tf")
