"""`keras.Variable`: a tensor that can be written to, as the weights of layers are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.state import no_grad, tracing
from onegraph.frontend.tensor import Tensor
from onegraph.keras import backend
from onegraph.nn.parameter import Buffer, Parameter
from onegraph.ops.shapes import show


def _convert(value: Any, dtype: Any = None) -> Any:
    from onegraph.keras.ops.dispatch import convert  # operations are built on layers, whose weights these are

    return convert(value, dtype)


class Assignable:
    """The methods of a variable, for tensors that hold weights."""

    _trainable_flag = True

    @property
    def value(self: Any) -> Any:
        """The tensor itself."""
        return self

    def numpy(self: Any, *, force: bool = False) -> Any:
        """The values, as an array."""
        return Tensor.numpy(self, force=True)

    def assign(self: Any, value: Any) -> Any:
        """Overwrite all elements with others of the same shape.

        Raises:
            ShapeError: the shapes differ.
        """
        value = _convert(value, self.dtype)
        if tuple(value.shape) != tuple(self.shape):
            raise ShapeError(f"assign: the variable has shape {show(self.shape)}, the value {show(value.shape)}")
        with no_grad():
            self.copy_(value.detach())
        return self

    def assign_add(self: Any, value: Any) -> Any:
        """Add a tensor."""
        with no_grad():
            return self.assign(self.detach() + _convert(value, self.dtype))

    def assign_sub(self: Any, value: Any) -> Any:
        """Take a tensor off."""
        with no_grad():
            return self.assign(self.detach() - _convert(value, self.dtype))

    @property
    def trainable(self: Any) -> bool:
        """Whether it is learned."""
        return bool(self._trainable_flag)

    @trainable.setter
    def trainable(self: Any, value: bool) -> None:
        self._trainable_flag = bool(value)
        if self.dtype.is_floating_point:
            self.requires_grad_(bool(value))

    @property
    def path(self: Any) -> str:
        """The name, with that of its layer."""
        return self.name or "variable"


class Weight(Assignable, Parameter):
    """A weight of a layer that is learned."""


class State(Assignable, Buffer):
    """A weight of a layer that is not learned, such as a running mean."""

    _trainable_flag = False


class Variable(Assignable, Parameter):
    """A tensor that can be written to.

    Args:
        initializer: its first value: an array, a number, a tensor; or an initializer's name or object, with `shape`.
        shape: needed with an initializer.
        dtype: its element type.
        trainable: whether gradients are wanted.
        name: of the variable.
        autocast, aggregation, synchronization, layout: accepted, without effect.

    >>> v = Variable([1.0, 2.0])
    >>> v.assign_add([1.0, 1.0]).numpy()
    array([2., 3.], dtype=float32)
    """

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = None,
        synchronization: str = "auto",
        layout: Any = None,
        name: str | None = None,
    ) -> None:
        from onegraph.keras import initializers

        with no_grad(), tracing(None):
            if isinstance(initializer, str) or callable(initializer):
                if shape is None:
                    raise ArgumentError("Variable: an initializer needs a shape")
                value = initializers.get(initializer)(tuple(shape), dtype or backend.floatx())
                value = _convert(value, dtype)
            else:
                value = _convert(initializer, dtype)
                if shape is not None and tuple(shape) != tuple(value.shape):
                    raise ShapeError(f"Variable: shape {tuple(shape)} was wanted, the value has {show(value.shape)}")
            super().__init__(value.clone(), requires_grad=trainable and value.dtype.is_floating_point)
        self._trainable_flag = trainable
        self.name = name or backend.unique_name("variable")

    def __repr__(self) -> str:
        return f"<Variable name={self.name}, shape={tuple(self.shape)}, dtype={self.dtype.name}, value={Tensor.__repr__(self)}>"
