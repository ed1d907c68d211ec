"""What a layer class's `call` and `build` take, and the rules that `InputSpec` states about inputs.

Read next: `base.py`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.symbolic import flatten


@functools.cache
def argument_names(function: Any) -> tuple[str, ...]:
    """The names of a function's arguments without `self`, those that stars collect aside.

    >>> argument_names(lambda self, x, *args, training=None: x)
    ('x', 'training')
    """
    parameters = inspect.signature(function).parameters.values()
    return tuple(
        [
            p.name
            for p in parameters
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"
        ]
    )


def build_arguments(
    build: Callable[..., Any], call_names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any], shape: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What to call `build` with: the first argument's shape, or shapes by name where it wants several.

    Args:
        build: the method's function.
        call_names: the names of `call`'s arguments.
        args, kwargs: what the layer is called on.
        shape: gives the shape of an argument, or shapes nested as it is.
    """
    wanted = argument_names(build)
    first = args[0] if args else next(iter(kwargs.values()), None)
    if len(wanted) == 0:
        return (), {}
    given = {**dict(zip(call_names, args, strict=False)), **kwargs}
    stems = {name: name.removesuffix("_shape") for name in wanted if name.endswith("_shape")}
    if len(wanted) == 1 or not any(stem in given for stem in stems.values()):
        return (shape(first),), {}
    named = {name: shape(given[stem]) for name, stem in stems.items() if given.get(stem) is not None}
    return (), named


class InputSpec:
    """A rule about an input of a layer, checked at each call.

    Args:
        dtype: its element type.
        shape: its shape, None for sizes that may vary.
        ndim: its number of dimensions.
        max_ndim, min_ndim: bounds of it.
        axes: sizes of some dimensions, by number.
        allow_last_axis_squeeze: let a last dimension of 1 be missing or too much.
        name: of the input, for models that are given dicts.
        optional: whether it may be None.

    >>> InputSpec(ndim=4, axes={-1: 3})
    InputSpec(ndim=4, axes={-1: 3})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else as_dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name, self.optional = name, optional

    def __repr__(self) -> str:
        parts = {
            "dtype": self.dtype and self.dtype.name,
            "shape": self.shape,
            "ndim": None if self.shape else self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes or None,
        }
        return f"InputSpec({', '.join(f'{k}={v}' for k, v in parts.items() if v is not None)})"

    def _problem(self, shape: tuple[Any, ...]) -> str | None:
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim and not self.allow_last_axis_squeeze:
            return f"exactly {self.ndim} dimensions, batch included"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"at most {self.max_ndim} dimensions, batch included"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"at least {self.min_ndim} dimensions, batch included"
        sizes = dict(self.axes)
        if self.shape is not None and len(self.shape) == rank:
            sizes.update(enumerate(self.shape))
        for axis, size in sizes.items():
            if -rank <= axis < rank and size is not None and shape[axis] not in (size, None):
                return f"size {size} in dimension {axis}"
        return None

    def check(self, label: str, value: Any) -> None:
        """Check an input of the layer that `label` names.

        Raises:
            ShapeError: the shape breaks the rule.
            DTypeError: the element type does.
        """
        if value is None:
            if self.optional:
                return
            raise ArgumentError(f"{label} needs an input, got None")
        shape = tuple(value.shape)
        problem = self._problem(shape)
        if problem is not None:
            error = ShapeError(f"{label} needs an input of {problem}, got shape {shape}")
            error.layer = ""
            raise error
        if self.dtype is not None and value.dtype is not self.dtype:
            raise DTypeError(f"{label} needs an input of {self.dtype.name}, got {value.dtype.name}")


def check_specs(label: str, specs: Any, inputs: Any) -> None:
    """Check the inputs of a layer against one rule, or a list or dict of them."""
    if isinstance(specs, InputSpec):
        specs = [specs]
    if isinstance(specs, Mapping) and isinstance(inputs, Mapping):
        rows = [(rule, inputs.get(name)) for name, rule in specs.items()]
    else:
        rules = list(flatten(list(specs.values()) if isinstance(specs, Mapping) else specs))
        values = list(flatten(inputs))
        if len(rules) != len(values):
            raise ArgumentError(f"{label} needs {len(rules)} inputs, got {len(values)}")
        rows = list(zip(rules, values, strict=True))
    for rule, value in rows:
        if rule is not None and (value is None or hasattr(value, "shape")):
            rule.check(label, value)
