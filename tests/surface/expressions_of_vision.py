"""As `expressions.py`, for torchvision's names, which are those of `onegraph.vision`; `v` is the library.

Read first: `expressions.py`.
"""

from __future__ import annotations

VISION: dict[str, str] = {}
"""Names of torchvision."""
