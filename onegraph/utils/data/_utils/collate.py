"""`torch.utils.data._utils.collate`. Read next: `onegraph/data/collate.py`."""

from onegraph.data.collate import default_collate, default_convert

__all__ = ["default_collate", "default_convert"]
