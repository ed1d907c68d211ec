"""Copies of tensors for `copy.deepcopy` and `pickle`."""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import GradientError
from onegraph.frontend.tensor import Tensor, wrap_buffer
from onegraph.ir.dtype import as_dtype
from onegraph.ir.node import EMPTY, Node


def deep_copy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A tensor of its own with the same value, for `copy.deepcopy`."""
    if not self.is_leaf:
        raise GradientError(
            "only tensors made by the user can be deep-copied, not results of operations", hint="use x.detach()"
        )
    copied = type(self).__new__(type(self))
    memo[id(self)] = copied
    extra = {
        k: v
        for k, v in self.__dict__.items()
        if k not in ("_node", "_view", "_storage", "_requires_grad", "_grad", "_hooks")
    }
    copied.__dict__.update(extra)
    copied._node = Node("input", (), EMPTY, self.node.shape, self.dtype, None, self._realize())
    if self._requires_grad:
        copied.requires_grad_(True)
    if self.grad is not None:
        copied.grad = deep_copy(self.grad, memo)
    return copied


def reduce(self: Tensor) -> Any:
    """Class, value, dtype and whether gradients are collected, for `pickle`."""
    return (_unpickle, (type(self), np.array(self._realize().array), self.dtype.name, self._requires_grad))


def _unpickle(kind: type[Tensor], array: np.ndarray[Any, Any], dtype: str, requires_grad: bool) -> Tensor:
    tensor = kind.__new__(kind)
    tensor._node = wrap_buffer(Buffer(array, as_dtype(dtype)))._node
    if requires_grad:
        tensor.requires_grad_(True)
    return tensor


METHODS = {"__deepcopy__": deep_copy, "__reduce__": reduce}
