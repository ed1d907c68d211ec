"""`torchvision.transforms.functional`. Read next: `onegraph/data/transforms/functional.py`."""

from onegraph.data.transforms.functional import *  # noqa: F403
from onegraph.data.transforms.functional import __all__ as __all__
