"""Mixed precision under PyTorch's name: `og.amp.autocast` is `og.autocast`. Read next: `frontend/autocast.py`."""

from onegraph.frontend.autocast import autocast, is_autocast_available

__all__ = ["autocast", "is_autocast_available"]
