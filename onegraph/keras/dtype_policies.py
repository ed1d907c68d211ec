"""Which dtype a layer keeps its weights in and which one it computes in: `float32`, `mixed_bfloat16` and the like.

Read next: `layers/base.py`, which casts inputs and weights accordingly.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.ir.dtype import as_dtype
from onegraph.keras import backend
from onegraph.keras.registry import Configured

__all__ = ["DTypePolicy", "deserialize", "dtype_policy", "get", "serialize", "set_dtype_policy"]


class DTypePolicy(Configured):
    """A dtype for weights and one for computing.

    Args:
        name: a dtype, which is used for both, or 'mixed_float16' or 'mixed_bfloat16': half precision to compute in, and
            weights in float32. None is the global policy.

    Raises:
        ArgumentError: a name that is no policy.

    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None) -> None:
        name = name or dtype_policy().name
        mixed = isinstance(name, str) and name.startswith("mixed_")
        kind = name.removeprefix("mixed_") if mixed else name
        if mixed and kind not in ("float16", "bfloat16"):
            raise ArgumentError(
                f"there is no dtype policy {name!r}", hint="use a dtype, 'mixed_float16' or 'mixed_bfloat16'"
            )
        self._name = name
        self._compute_dtype = as_dtype(kind).name
        self._variable_dtype = "float32" if mixed else self._compute_dtype

    @property
    def name(self) -> str:
        """The name that made it."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """What a layer computes in."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """What its weights are kept in."""
        return self._variable_dtype

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self._name}


_global: list[DTypePolicy] = []


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are made without a dtype; `backend.floatx()` unless one was set."""
    return _global[-1] if _global else DTypePolicy(backend.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers that are made from now on; None goes back to `backend.floatx()`.

    >>> set_dtype_policy("mixed_bfloat16")
    >>> dtype_policy().compute_dtype
    'bfloat16'
    >>> set_dtype_policy(None)
    """
    _global.clear()
    if policy is not None:
        _global.append(get(policy))


def get(identifier: Any) -> DTypePolicy:
    """The policy for a name, a dtype, a serialized policy, or None."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return DTypePolicy(identifier if isinstance(identifier, str) else as_dtype(identifier).name)


def serialize(policy: DTypePolicy) -> dict[str, Any]:
    """A policy as JSON can hold it."""
    return {"class_name": "DTypePolicy", "config": policy.get_config()}


def deserialize(config: dict[str, Any]) -> DTypePolicy:
    """The policy that `serialize` described."""
    return DTypePolicy(**config["config"])
