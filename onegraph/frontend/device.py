"""Where tensors are, and their sizes as PyTorch shows them."""

from __future__ import annotations

from typing import Any

from onegraph.errors import DeviceError


class Size(tuple[int, ...]):
    """A shape, as PyTorch's: a tuple with `numel`."""

    def numel(self) -> int:
        """Number of elements."""
        count = 1
        for s in self:
            count *= s
        return count

    def __repr__(self) -> str:
        return f"onegraph.Size({list(self)})"


class Device:
    """A place where tensors can be: only the host's processor, 'cpu', in this version."""

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        name = str(type)
        self.type, _, number = name.partition(":")
        self.index = int(number) if number else index
        if self.type != "cpu":
            raise DeviceError(
                f"there is no device {name!r} in this build", hint="use device='cpu', or leave the argument out"
            )

    def __str__(self) -> str:
        return self.type

    def __repr__(self) -> str:
        return f"device(type={self.type!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (Device, str)) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.type)
