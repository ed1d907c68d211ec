"""Which dtypes layers compute in: policies such as 'mixed_bfloat16', global or for one layer.

Under a mixed policy weights stay float32, layers take and give the short dtype, and products are computed in it, through
`onegraph.autocast`. `float16` also needs its loss scaled, which `compile` arranges (`optimizers.LossScaleOptimizer`).
Read next: `layers/base.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.keras import backend

_MIXED = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_global: dict[str, Any] = {"policy": None}


class DTypePolicy:
    """The dtypes of a layer.

    Args:
        name: a float dtype, or 'mixed_bfloat16' or 'mixed_float16'.

    Attributes:
        compute_dtype: of inputs, outputs and products.
        variable_dtype: of weights.

    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None) -> None:
        name = backend.floatx() if name is None else name
        if name not in _MIXED and name not in _FLOATS:
            known = ", ".join((*_FLOATS, *_MIXED))
            raise ArgumentError(f"there is no dtype policy {name!r}; there are {known}")
        self.name = name
        self.compute_dtype = _MIXED.get(name, name)
        self.variable_dtype = "float32" if name in _MIXED else name

    @property
    def is_mixed(self) -> bool:
        """Whether weights have another dtype than computation."""
        return self.name in _MIXED

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """A policy from the constructor's arguments."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


Policy = DTypePolicy


def get(identifier: Any) -> DTypePolicy:
    """A policy from a name, a dtype, a configuration or a policy; the global one for None."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy(identifier.get("config", identifier)["name"])
    name = identifier if isinstance(identifier, str) else getattr(identifier, "name", str(identifier))
    if name not in _FLOATS and name not in _MIXED:  # a layer of whole numbers, say, computes as they are
        policy = DTypePolicy()
        policy.name = policy.compute_dtype = policy.variable_dtype = name
        return policy
    return DTypePolicy(name)


def dtype_policy() -> DTypePolicy:
    """The global policy; that of `floatx()` unless another was set."""
    return _global["policy"] or DTypePolicy()


def set_dtype_policy(policy: Any) -> None:
    """Change the global policy, for layers made from now on."""
    _global["policy"] = None if policy is None else get(policy)


global_policy = dtype_policy
set_global_policy = set_dtype_policy


def __getattr__(name: str) -> Any:
    """`LossScaleOptimizer`, which lives with the other optimizers."""
    if name == "LossScaleOptimizer":
        from onegraph.keras import optimizers

        return vars(optimizers)["LossScaleOptimizer"]
    raise AttributeError(f"keras.mixed_precision has no {name!r}")
