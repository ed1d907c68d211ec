"""Images, sequences and volumes made larger or smaller at their rims, or enlarged: padding, cropping, upsampling."""

from __future__ import annotations

from typing import Any, ClassVar

from onegraph.errors import ArgumentError, ShapeError
from onegraph.keras.backend import data_format_of
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.spatial import channels_back, channels_first, sizes_of
from onegraph.nn import functional as F


def pairs_of(value: Any, rank: int, name: str) -> tuple[tuple[int, int], ...]:
    """A pair (before, after) for each dimension, from one number, one for each dimension, or pairs.

    >>> pairs_of((1, 2), 2, "padding"), pairs_of((1, 2), 1, "padding")
    (((1, 1), (2, 2)), ((1, 2),))
    """
    whole = not isinstance(value, int) and len(value) == 2 and all(isinstance(v, int) for v in value)
    if isinstance(value, int):
        pairs: tuple[Any, ...] = ((value, value),) * rank
    elif rank == 1 and whole:
        pairs = (tuple(value),)
    else:
        pairs = tuple([(p, p) if isinstance(p, int) else tuple(p) for p in value])
    if len(pairs) != rank or any(len(p) != 2 or any(not isinstance(n, int) or n < 0 for n in p) for p in pairs):
        raise ArgumentError(
            f"{name} must be a number, {rank} numbers or {rank} pairs of them, none negative, got {value!r}"
        )
    return pairs


class _Rim(Layer):
    """Base of padding and cropping."""

    rank = 2
    legacy_names: ClassVar = {"dim_ordering": "data_format"}

    def _set_up(self, pairs: Any, data_format: str | None, what: str) -> tuple[tuple[int, int], ...]:
        self.data_format = data_format_of(None, data_format)
        self.input_rank = self.rank + 2
        return pairs_of(pairs, self.rank, f"{type(self).__name__}: {what}")

    @property
    def _first(self) -> int:
        return 1 if self.data_format == "channels_last" else 2


class _ZeroPadding(_Rim):
    """Zeros at the rims."""

    padding: tuple[tuple[int, int], ...]

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        channels = [0, 0] if self.data_format == "channels_last" else []
        return F.pad(inputs, [*channels, *[n for pair in reversed(self.padding) for n in pair]])


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after sequences.

    Args:
        padding: one number, or (before, after).
        data_format: 'channels_last' or 'channels_first'.
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = self._set_up(padding, data_format, "padding")


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images.

    Args:
        padding: one number, (height, width), or ((top, bottom), (left, right)).
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = self._set_up(padding, data_format, "padding")


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes.

    Args:
        padding: one number, three, or three pairs.
        data_format: 'channels_last' or 'channels_first'.
    """

    rank = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = self._set_up(padding, data_format, "padding")


class _Cropping(_Rim):
    """The rims cut off."""

    cropping: tuple[tuple[int, int], ...]

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        for dim, (low, high) in enumerate(self.cropping, self._first):
            left = inputs.shape[dim] - low - high
            if left <= 0:
                raise ShapeError(
                    f"cropping {low} and {high} from dimension {dim} of {tuple(inputs.shape)} leaves nothing",
                    hint="crop less, or give larger inputs",
                )
            inputs = inputs.narrow(dim, low, left)
        return inputs


class Cropping1D(_Cropping):
    """Sequences without their ends.

    Args:
        cropping: one number, or (before, after).
        data_format: 'channels_last' or 'channels_first'.
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = self._set_up(cropping, data_format, "cropping")


class Cropping2D(_Cropping):
    """Images without their rims.

    Args:
        cropping: one number, (height, width), or ((top, bottom), (left, right)).
        data_format: 'channels_last' or 'channels_first'.
    """

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = self._set_up(cropping, data_format, "cropping")


class Cropping3D(_Cropping):
    """Volumes without their rims.

    Args:
        cropping: one number, three, or three pairs.
        data_format: 'channels_last' or 'channels_first'.
    """

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = self._set_up(cropping, data_format, "cropping")


def repeated(x: Any, sizes: tuple[int, ...]) -> Any:
    """(batch, channels, ...) with each place repeated along each dimension of space."""
    for dim, size in enumerate(sizes, 2):
        shape = list(x.shape)
        wide = x.unsqueeze(dim + 1).expand(*shape[: dim + 1], size, *shape[dim + 1 :])
        x = wide.reshape(*shape[:dim], shape[dim] * size, *shape[dim + 1 :])
    return x


class UpSampling1D(Layer):
    """Sequences with each step repeated.

    Args:
        size: how often.
    """

    input_rank = 3
    legacy_names: ClassVar = {"length": "size"}

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        (self.size,) = sizes_of(size, 1, "UpSampling1D: size")

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return repeated(inputs.movedim(-1, 1), (self.size,)).movedim(1, -1)


INTERPOLATIONS = {"nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"}


class UpSampling2D(Layer):
    """Images made larger by repeating rows and columns, or by interpolating between them.

    Args:
        size: factors of height and width.
        data_format: 'channels_last' or 'channels_first'.
        interpolation: 'nearest', 'bilinear' or 'bicubic'.
    """

    input_rank = 4
    legacy_names: ClassVar = {"dim_ordering": "data_format"}

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.size = sizes_of(size, 2, "UpSampling2D: size")
        self.data_format = data_format_of(None, data_format)
        if interpolation not in INTERPOLATIONS:
            raise ArgumentError(
                f"UpSampling2D: interpolation must be one of {', '.join(INTERPOLATIONS)}, got {interpolation!r}"
            )
        self.interpolation = interpolation

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        x = channels_first(inputs, self.data_format)
        if self.interpolation == "nearest":
            return channels_back(repeated(x, self.size), self.data_format)
        larger = (x.shape[2] * self.size[0], x.shape[3] * self.size[1])
        return channels_back(F.interpolate(x, size=larger, mode=self.interpolation), self.data_format)


class UpSampling3D(Layer):
    """Volumes made larger by repeating places.

    Args:
        size: factors of the three dimensions.
        data_format: 'channels_last' or 'channels_first'.
    """

    input_rank = 5
    legacy_names: ClassVar = {"dim_ordering": "data_format"}

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = sizes_of(size, 3, "UpSampling3D: size")
        self.data_format = data_format_of(None, data_format)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return channels_back(repeated(channels_first(inputs, self.data_format), self.size), self.data_format)
