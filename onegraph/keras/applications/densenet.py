"""`keras.applications.densenet`: DenseNet121, DenseNet169, DenseNet201, and what goes with it. Read next: `networks.py`."""

from onegraph.keras.applications.networks import DenseNet121, DenseNet169, DenseNet201
from onegraph.keras.applications.shared import decode_predictions, preparation

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

preprocess_input = preparation("torch")
