"""`keras.mixed_precision`: names for dtype policies, and the optimizer that scales losses for float16.

Read next: `dtype_policies.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph.keras.dtype_policies import DTypePolicy, dtype_policy, set_dtype_policy

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy


def __getattr__(name: str) -> Any:
    """`LossScaleOptimizer`, which lives with the other optimizers."""
    if name == "LossScaleOptimizer":
        from onegraph.keras import optimizers

        return vars(optimizers)["LossScaleOptimizer"]
    raise AttributeError(f"keras.mixed_precision has no {name!r}")
