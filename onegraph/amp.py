"""Mixed precision under PyTorch's names: `autocast`, `GradScaler`, `custom_fwd`, `custom_bwd`.

Read next: `frontend/autocast.py`, `optim/grad_scaler.py`.
"""

from onegraph.frontend.autocast import autocast, is_autocast_available
from onegraph.frontend.custom_autocast import custom_bwd, custom_fwd
from onegraph.optim.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
