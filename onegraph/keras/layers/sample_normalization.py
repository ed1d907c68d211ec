"""Normalization of each sample on its own: over its last axes, in groups of channels, by root mean squares, to norm 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.base import Layer
from onegraph.nn import functional as F


def options(wanted: bool, initializer: Any, regularizer: Any, constraint: Any) -> dict[str, Any] | None:
    """What to make a weight with; None when there is to be none."""
    return {"initializer": initializer, "regularizer": regularizer, "constraint": constraint} if wanted else None


def known_sizes(layer: Layer, input_shape: Any, axes: Sequence[int]) -> tuple[int, ...]:
    """The sizes of an input along axes.

    Raises:
        ArgumentError: it has no such axis.
        ShapeError: a size is not known.
    """
    label, rank = f"layer {layer.name!r} ({type(layer).__name__})", len(input_shape)
    if any(not -rank <= a < rank for a in axes):
        raise ArgumentError(f"{label}: axis {tuple(axes)} does not exist in an input of shape {input_shape}")
    sizes = tuple([input_shape[a] for a in axes])
    if None in sizes:
        raise ShapeError(f"{label}: sizes {tuple(axes)} of the input must be known, got {input_shape}")
    return sizes


def _axes(axis: int | Sequence[int]) -> tuple[int, ...]:
    return (axis,) if isinstance(axis, int) else tuple(axis)


class LayerNormalization(Layer):
    """Each sample shifted and scaled to mean 0 and variance 1, then by learned numbers. Source: Ba et al., arXiv 1607.06450.

    Args:
        axis: one or several axes, over which to normalize.
        epsilon: added to the variance.
        center, scale: whether to learn an offset and a factor.
        beta_initializer, gamma_initializer, and regularizers and constraints: as for other weights.
    """

    supports_masking = True

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(axis)
        self.epsilon = epsilon
        self._gamma_options = options(scale, gamma_initializer, gamma_regularizer, gamma_constraint)
        self._beta_options = options(center, beta_initializer, beta_regularizer, beta_constraint)

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta."""
        self._sizes = shape = known_sizes(self, input_shape, self.axis)
        rank = len(input_shape)
        self._dims = tuple([a % rank for a in self.axis])
        for name, settings in (("gamma", self._gamma_options), ("beta", self._beta_options)):
            weight = None if settings is None else self.add_weight(shape=shape, name=name, autocast=False, **settings)
            setattr(self, name, weight)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        for dim, size in zip(self.axis, self._sizes, strict=True):
            self._check_size(inputs.shape, dim, size)
        given, rank = inputs.dtype, inputs.ndim
        x = inputs.to(as_dtype("float32")) if given.is_floating_point and given.bits < 32 else inputs
        if self._dims == tuple(range(rank - len(self._dims), rank)):
            return F.layer_norm(x, self._sizes, self.gamma, self.beta, self.epsilon).to(given)
        mean = x.mean(self._dims, keepdim=True)
        variance = ((x - mean) ** 2).mean(self._dims, keepdim=True)
        result = (x - mean) * (variance + self.epsilon).rsqrt()
        result = result if self.gamma is None else result * self._spread(self.gamma, rank)
        return (result if self.beta is None else result + self._spread(self.beta, rank)).to(given)

    def _spread(self, weight: Any, rank: int) -> Any:
        """A weight with its sizes at the axes that it belongs to."""
        order = sorted(range(len(self._dims)), key=lambda i: self._dims[i])
        sizes = dict(zip(self._dims, self._sizes, strict=True))
        return weight.permute(*order).reshape(*[sizes.get(d, 1) for d in range(rank)])


class RMSNormalization(Layer):
    """Each sample divided by its root mean square, times learned factors. Source: Zhang and Sennrich, arXiv 1910.07467.

    Args:
        axis: the last axis, or several of the last.
        epsilon: added to the mean square.

    >>> import onegraph as og
    >>> RMSNormalization()(og.tensor([[3.0, 4.0]])).detach().numpy().round(3)
    array([[0.849, 1.131]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(axis)
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        """Make the factors."""
        self._sizes = known_sizes(self, input_shape, self.axis)
        self.scale = self.add_weight(shape=self._sizes, name="scale", initializer="ones", autocast=False)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        for dim, size in zip(self.axis, self._sizes, strict=True):
            self._check_size(inputs.shape, dim, size)
        given, rank = inputs.dtype, inputs.ndim
        x = inputs.to(as_dtype("float32")) if given.is_floating_point and given.bits < 32 else inputs
        dims = [a % rank for a in self.axis]
        result = x * ((x * x).mean(tuple(dims), keepdim=True) + self.epsilon).rsqrt()
        sizes = dict(zip(dims, self._sizes, strict=True))
        return (result * self.scale.reshape(*[sizes.get(d, 1) for d in range(rank)])).to(given)


class GroupNormalization(Layer):
    """Groups of channels of each sample shifted and scaled to mean 0 and variance 1. Source: Wu and He, ECCV 2018.

    Args:
        groups: how many; -1 for one channel each, as in instance normalization.
        axis: of the channels.
        epsilon: added to the variance.
        center, scale: whether to learn an offset and a factor for each channel.
        beta_initializer, gamma_initializer, and regularizers and constraints: as for other weights.
    """

    min_rank = 2
    supports_masking = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups, self.axis, self.epsilon = groups, axis, epsilon
        self._gamma_options = options(scale, gamma_initializer, gamma_regularizer, gamma_constraint)
        self._beta_options = options(center, beta_initializer, beta_regularizer, beta_constraint)

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta."""
        (size,) = known_sizes(self, input_shape, (self.axis,))
        if self.groups == -1:
            self.groups = size
        if self.groups < 1 or size % self.groups:
            raise ArgumentError(
                f"layer {self.name!r} (GroupNormalization): {size} channels of an input of shape {input_shape} do not "
                f"divide into {self.groups} groups",
                hint="groups must divide the number of channels",
            )
        for name, settings in (("gamma", self._gamma_options), ("beta", self._beta_options)):
            weight = None if settings is None else self.add_weight(shape=(size,), name=name, autocast=False, **settings)
            setattr(self, name, weight)
        self._size = size

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        self._check_size(inputs.shape, self.axis, self._size)
        given = inputs.dtype
        x = inputs.to(as_dtype("float32")) if given.is_floating_point and given.bits < 32 else inputs
        axis = self.axis % x.ndim
        x = x if axis == 1 else x.movedim(axis, 1)
        result = F.group_norm(x, self.groups, self.gamma, self.beta, self.epsilon)
        return (result if axis == 1 else result.movedim(1, axis)).to(given)


class UnitNormalization(Layer):
    """Each sample scaled to norm 1 along an axis.

    Args:
        axis: one or several.

    >>> import onegraph as og
    >>> UnitNormalization()(og.tensor([[3.0, 4.0]])).numpy().round(3)
    array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)

    def build(self, input_shape: Any) -> None:
        """Check the axes."""
        rank = len(input_shape)
        if any(not -rank <= a < rank for a in _axes(self.axis)):
            raise ArgumentError(
                f"layer {self.name!r} (UnitNormalization): axis {self.axis} does not exist in an input of shape {input_shape}"
            )

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs * (inputs * inputs).sum(_axes(self.axis), keepdim=True).clamp(min=1e-12).rsqrt()
