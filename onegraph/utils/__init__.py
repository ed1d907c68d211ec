"""Names where PyTorch users look for them. Read next: `data.py`."""

from onegraph.utils import data

__all__ = ["data"]
