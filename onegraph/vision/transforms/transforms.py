"""`torchvision.transforms.transforms`: where older programs import transforms from. Read next: `__init__.py`."""

from onegraph.data.transforms import *  # noqa: F403
from onegraph.data.transforms import __all__ as __all__
