"""Names where PyTorch users look for them. Read next: `data.py`, `checkpoint.py`."""

from onegraph.utils import checkpoint, data, model_zoo

__all__ = ["checkpoint", "data", "model_zoo"]
