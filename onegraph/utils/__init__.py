"""Names where PyTorch users look for them. Read next: `data.py`, `checkpoint.py`."""

from onegraph.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
