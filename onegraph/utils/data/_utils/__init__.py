"""`torch.utils.data._utils`, which programs import `collate` from. Read next: `collate.py`."""

from onegraph.utils.data._utils import collate

__all__ = ["collate"]
