"""Layers with several inputs: Add, Multiply, Concatenate and the like, and what operators on symbolic tensors record."""

from __future__ import annotations

import operator
from typing import Any, ClassVar

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.masking import broadcast_to_rank

_cat, _maximum, _minimum = EXPORTS["cat"], EXPORTS["maximum"], EXPORTS["minimum"]


class Merging(Layer):
    """Base of layers that combine a list of inputs."""

    supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where any of the inputs counts; none where one input has no mask."""
        if not previous_mask or any(m is None for m in previous_mask):
            return None
        result = previous_mask[0]
        for mask in previous_mask[1:]:
            result = result | mask
        return result

    def _check(self, inputs: Any, least: int = 2) -> list[Any]:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < least:
            raise ArgumentError(
                f"layer {self.name!r} ({type(self).__name__}) needs a list of at least {least} inputs",
                hint=f"{type(self).__name__}()([a, b])",
            )
        return list(inputs)

    def combine(self, a: Any, b: Any) -> Any:
        """Two inputs to one."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        items = self._check(inputs)
        result = items[0]
        for item in items[1:]:
            result = self.combine(result, item)
        return result


class Add(Merging):
    """The sum of a list of inputs.

    >>> import onegraph as og
    >>> Add()([og.ones(2), og.ones(2)])
    tensor([2., 2.])
    """

    def combine(self, a: Any, b: Any) -> Any:
        """Two inputs to one."""
        return a + b


class Multiply(Merging):
    """The product of a list of inputs."""

    def combine(self, a: Any, b: Any) -> Any:
        """Two inputs to one."""
        return a * b


class Subtract(Merging):
    """The first of two inputs without the second."""

    def combine(self, a: Any, b: Any) -> Any:
        """Two inputs to one."""
        return a - b

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        if len(self._check(inputs)) != 2:
            raise ArgumentError(f"layer {self.name!r} (Subtract) needs exactly two inputs, got {len(inputs)}")
        return inputs[0] - inputs[1]


class Maximum(Merging):
    """The largest of a list of inputs, element by element."""

    def combine(self, a: Any, b: Any) -> Any:
        """Two inputs to one."""
        return _maximum(a, b)


class Minimum(Merging):
    """The smallest of a list of inputs, element by element."""

    def combine(self, a: Any, b: Any) -> Any:
        """Two inputs to one."""
        return _minimum(a, b)


class Average(Add):
    """The mean of a list of inputs, element by element."""

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return super().call(inputs) / len(inputs)


class Concatenate(Merging):
    """Inputs put one behind the other.

    Args:
        axis: along which.
    """

    legacy_names: ClassVar = {"concat_axis": "axis"}

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return _cat(self._check(inputs, 1), self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The masks put one behind the other; along the features, where all of a step's inputs count."""
        if not previous_mask or all(m is None for m in previous_mask):
            return None
        masks = []
        for x, mask in zip(inputs, previous_mask, strict=True):
            whole = (x * 0 == 0) if mask is None else broadcast_to_rank(mask, x.ndim) & (x * 0 == 0)
            masks.append(whole)
        return _cat(masks, self.axis).all(-1)


class Dot(Merging):
    """Products of two inputs summed along an axis of each.

    Args:
        axes: one axis, or one for each input.
        normalize: scale to norm 1 first, which gives cosines.
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = (axes, axes) if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        a, b = self._check(inputs)
        first, second = (axis % t.ndim for axis, t in zip(self.axes, (a, b), strict=True))
        if a.shape[first] != b.shape[second]:
            raise ShapeError(f"Dot: axis {first} of {tuple(a.shape)} and axis {second} of {tuple(b.shape)} differ")
        if self.normalize:
            a, b = (t / (t * t).sum(d, keepdim=True).clamp(min=1e-12).sqrt() for t, d in ((a, first), (b, second)))
        left, right = a.movedim(first, -1), b.movedim(second, 1)
        rows, columns = left.shape[1:-1], right.shape[2:]
        product = left.reshape(a.shape[0], -1, a.shape[first]) @ right.reshape(b.shape[0], b.shape[second], -1)
        return product.reshape(a.shape[0], *(tuple(rows) + tuple(columns) or (1,)))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: there are no steps left to mask."""


_MODES: dict[str, Any] = {
    "sum": Add,
    "mul": Multiply,
    "ave": Average,
    "max": Maximum,
    "min": Minimum,
    "sub": Subtract,
    "concat": Concatenate,
    "dot": Dot,
    "cos": Dot,
}


class Merge(Merging):
    """Keras 1's `Merge`: several inputs put together, by a mode or a function.

    Args:
        layers: models whose outputs are put together, where it is the first layer of a Sequential model.
        mode: 'sum', 'mul', 'ave', 'max', 'min', 'sub', 'concat', 'dot', 'cos', or a function of the list of inputs.
        concat_axis: for 'concat'.
        dot_axes: for 'dot' and 'cos': one axis, or one for each input.
        output_shape: accepted; the shape is found by calling it.
        arguments: keyword arguments for the function.

    >>> import onegraph as og
    >>> Merge(mode="concat")([og.zeros(2, 3), og.zeros(2, 4)]).shape
    onegraph.Size([2, 7])
    """

    def __init__(
        self,
        layers: Any = None,
        mode: Any = "sum",
        concat_axis: int = -1,
        dot_axes: Any = -1,
        output_shape: Any = None,
        output_mask: Any = None,
        arguments: Any = None,
        node_indices: Any = None,
        tensor_indices: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not callable(mode) and mode not in _MODES:
            raise ArgumentError(f"Merge: mode must be one of {', '.join(_MODES)} or a function, got {mode!r}")
        self.mode, self.arguments = mode, dict(arguments or {})
        self.__dict__["branches"] = list(layers or ())
        options: dict[str, Any] = {}
        if mode == "concat":
            options["axis"] = concat_axis
        if mode in ("dot", "cos"):
            axes = (
                dot_axes[0]
                if isinstance(dot_axes, (list, tuple)) and isinstance(dot_axes[0], (list, tuple))
                else dot_axes
            )
            options.update(axes=axes, normalize=mode == "cos")
        self.inner = None if callable(mode) else _MODES[mode](**options)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return self.mode(self._check(inputs), **self.arguments) if self.inner is None else self.inner(inputs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without the models."""
        config = super().get_config()
        config.pop("layers", None)
        return config


class Arithmetic(Layer):
    """An operator on symbolic tensors, such as `a + b` or `x * 2`.

    Args:
        op: name in Python's `operator` module: add, sub, mul, truediv, pow or matmul.
        number: the other operand, when it is a number.
        reflected: whether the number stands on the left.
    """

    ALLOWED: ClassVar = ("add", "sub", "mul", "truediv", "pow", "matmul")

    def __init__(self, op: str, number: float | None = None, reflected: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if op not in self.ALLOWED:
            raise ArgumentError(f"Arithmetic: op must be one of {', '.join(self.ALLOWED)}, got {op!r}")
        self.op, self.number, self.reflected = op, number, reflected

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        a, b = inputs if self.number is None else (inputs, self.number)
        function = getattr(operator, self.op)
        return function(b, a) if self.reflected else function(a, b)


class GetItem(Layer):
    """An index on a symbolic tensor, such as `x[:, 0]`.

    Args:
        index: of ints, slices, None and Ellipsis; or what `get_config` made of one.
    """

    def __init__(self, index: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.index = _index_from(index)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        return inputs[self.index]

    def get_config(self) -> dict[str, Any]:
        """The index in a form that JSON holds."""
        items = self.index if isinstance(self.index, tuple) else (self.index,)
        return {"name": self.name, "index": [_index_config(i) for i in items]}


def _index_config(item: Any) -> Any:
    if isinstance(item, slice):
        return {"slice": [item.start, item.stop, item.step]}
    return "..." if item is Ellipsis else item


def _index_from(index: Any) -> Any:
    if isinstance(index, list):
        return tuple([_index_from(i) for i in index])
    if isinstance(index, dict):
        return slice(*index["slice"])
    return Ellipsis if index == "..." else index


def add(inputs: Any, **kwargs: Any) -> Any:
    """The sum of a list of inputs."""
    return Add(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """The product of a list of inputs."""
    return Multiply(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """The first of two inputs without the second."""
    return Subtract(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """The mean of a list of inputs."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """The largest of a list of inputs."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """The smallest of a list of inputs."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """Inputs put one behind the other."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any, normalize: bool = False, **kwargs: Any) -> Any:
    """Products of two inputs summed along an axis of each."""
    return Dot(axes, normalize, **kwargs)(inputs)


def merge(inputs: Any, mode: Any = "sum", **options: Any) -> Any:
    """Keras 1's `merge`: `Merge` called on a list of inputs.

    >>> import onegraph as og
    >>> merge([og.ones(2), og.ones(2)], mode="mul")
    tensor([1., 1.])
    """
    return Merge(mode=mode, **options)(inputs)
