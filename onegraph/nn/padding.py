"""Padding layers: the last one, two or three dimensions made larger, with a constant or with the input's own values."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.nn import functional
from onegraph.nn.module import Module


class _Pad(Module):
    """Base; the padding is an int for all sides, or (left, right, top, bottom, front, back) as far as there are."""

    _mode = "constant"
    _dimensions = 1

    def __init__(self, padding: Any) -> None:
        super().__init__()
        sides = 2 * self._dimensions
        self.padding = (padding,) * sides if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != sides:
            raise ArgumentError(f"{type(self).__name__}: padding must be an int or {sides} ints, got {padding}")

    def forward(self, input: Any) -> Any:
        """The padded input."""
        return functional.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """The padding."""
        return str(self.padding)


class ConstantPad(_Pad):
    """Base."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Any:
        """The padded input."""
        return functional.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Padding and value."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(ConstantPad):
    """The last dimension padded with a constant."""


class ConstantPad2d(ConstantPad):
    """The last two dimensions padded with a constant."""

    _dimensions = 2


class ConstantPad3d(ConstantPad):
    """The last three dimensions padded with a constant."""

    _dimensions = 3


class ZeroPad1d(ConstantPad1d):
    """The last dimension padded with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The padding."""
        return str(self.padding)


class ZeroPad2d(ConstantPad2d):
    """The last two dimensions padded with zeros.

    >>> import onegraph as og
    >>> og.nn.ZeroPad2d(1)(og.ones(1, 2, 2)).shape
    onegraph.Size([1, 4, 4])
    """

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The padding."""
        return str(self.padding)


class ZeroPad3d(ConstantPad3d):
    """The last three dimensions padded with zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The padding."""
        return str(self.padding)


class ReflectionPad(_Pad):
    """Base."""

    _mode = "reflect"


class ReflectionPad1d(ReflectionPad):
    """The last dimension padded with its mirror image."""


class ReflectionPad2d(ReflectionPad):
    """The last two dimensions padded with their mirror image."""

    _dimensions = 2


class ReflectionPad3d(ReflectionPad):
    """The last three dimensions padded with their mirror image."""

    _dimensions = 3


class ReplicationPad(_Pad):
    """Base."""

    _mode = "replicate"


class ReplicationPad1d(ReplicationPad):
    """The last dimension padded with its border."""


class ReplicationPad2d(ReplicationPad):
    """The last two dimensions padded with their border."""

    _dimensions = 2


class ReplicationPad3d(ReplicationPad):
    """The last three dimensions padded with their border."""

    _dimensions = 3


class CircularPad(_Pad):
    """Base."""

    _mode = "circular"


class CircularPad1d(CircularPad):
    """The last dimension continued from its other end."""


class CircularPad2d(CircularPad):
    """The last two dimensions continued from their other ends."""

    _dimensions = 2


class CircularPad3d(CircularPad):
    """The last three dimensions continued from their other ends."""

    _dimensions = 3
