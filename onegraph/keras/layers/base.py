"""`Layer`: a module that makes its weights when it first sees the shape of its input.

A Keras layer is an `onegraph.nn.Module` with `build`, `call` and `add_weight`, so parameters, buffers, hooks and
`state_dict` exist once. Read next: `core.py` (the simplest layers), `symbolic.py` (layers called before there is data).
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, OneGraphError, ShapeError, UninitializedError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import tracing
from onegraph.frontend.tensor import Tensor
from onegraph.ir.node import scopes
from onegraph.keras import backend, constraints, initializers, regularizers
from onegraph.keras.layers.symbolic import (
    KerasTensor,
    Shape,
    connect,
    flatten,
    infer,
    input_tensor,
    is_symbolic,
    map_structure,
)
from onegraph.keras.layers.weights import Weights
from onegraph.keras.registry import Registry, serialize
from onegraph.nn.module import Module
from onegraph.ops.shapes import show

layers = Registry("layer")
"""Layers by class name, for saved models."""


class _CallContext(threading.local):
    """What an outer layer's call tells the layers inside."""

    training: bool | None = None
    losses: list[Any] | None = None


context = _CallContext()


@contextlib.contextmanager
def calling(training: bool | None, losses: list[Any] | None = None) -> Iterator[None]:
    """Within this context layers are called for training or not, and penalties are collected in a list."""
    before = context.training, context.losses
    context.training = training
    if losses is not None:
        context.losses = losses
    try:
        yield
    finally:
        context.training, context.losses = before


class Layer(Weights):
    """Base of layers: subclass it, make weights in `build` with `add_weight`, and compute in `call`.

    Args:
        name: of the layer; by default its class's name with a number.
        trainable: whether its weights are learned.
        dtype: of its weights.
        input_shape: of one sample, without the batch; on the first layer of a Sequential model.
        batch_input_shape: the same, with the batch.
        input_dim: the same, for samples with one dimension.
        weights: arrays to start from.
        activity_regularizer: a penalty on what the layer gives.

    >>> import onegraph as og
    >>> from onegraph import keras
    >>> class Scale(keras.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()(og.ones(1, 2))
    tensor([[1., 1.]], grad_fn=<MulBackward>)
    """

    input_rank: int | None = None
    """How many dimensions the input must have, batch included; None for any."""
    min_rank: int | None = None
    legacy_names: ClassVar[dict[str, str]] = {}
    """Keras 1's names of arguments, and today's."""
    _takes_training = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = object.__new__(cls)
        instance.__dict__["_arguments"] = (args, kwargs)
        return instance

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("onegraph.keras.") and not cls.__name__.startswith("_"):
            layers.known.setdefault(cls.__name__, cls)
        cls._takes_training = "training" in inspect.signature(cls.call).parameters
        if "legacy_names" in cls.__dict__:
            cls.__init__ = _with_legacy_names(cls.__init__)  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Sequence[int | None] | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
        input_dim: int | None = None,
        input_length: int | None = None,
        weights: Sequence[Any] | None = None,
        activity_regularizer: Any = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        if unknown:
            raise ArgumentError(
                f"{type(self).__name__} does not take {', '.join(unknown)}",
                hint=f"it takes {', '.join(_argument_names(type(self)))}",
            )
        self._check_names()
        self._name = name or backend.unique_name(backend.snake_case(type(self).__name__))
        self._trainable = bool(trainable)
        self._weight_dtype = dtype or backend.floatx()
        self.built = False
        self.training = False  # a Keras layer called directly does not train
        self._build_shape: Any = None
        self._connections: list[Any] = []
        self._regularized: list[tuple[Tensor, Any]] = []
        self._constrained: list[tuple[Tensor, Any]] = []
        self._first_weights = weights
        self.activity_regularizer = regularizers.get(activity_regularizer)
        if batch_input_shape is None and input_shape is not None:
            batch_input_shape = (None, *([input_shape] if isinstance(input_shape, int) else input_shape))
        if batch_input_shape is None and input_dim is not None:
            batch_input_shape = (None, input_dim) if input_length is None else (None, input_length, input_dim)
        self._batch_input_shape = None if batch_input_shape is None else tuple(batch_input_shape)

    def _check_names(self) -> None:
        """Refuse unknown names of initializers and the like here, at the user's line, not where the weights are made."""
        for key, value in self.__dict__["_arguments"][1].items():
            for ending, registry in _NAMED_ARGUMENTS.items():
                if isinstance(value, str) and self.legacy_names.get(key, key).endswith(ending):
                    registry.get(value)

    # ---- what subclasses define

    def build(self, input_shape: Any) -> None:
        """Make weights, knowing the shape of the input (or the list of shapes, for several inputs)."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result."""
        raise ArgumentError(f"{type(self).__name__} has no `call`", hint="define `def call(self, inputs)` in it")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for a shape of the input, None being unknown sizes. Found by calling the layer."""
        single = _is_shape(input_shape)
        shapes = [input_shape] if single else list(input_shape)
        given = [input_tensor(tuple(s)) for s in shapes]
        argument = given[0] if single else given
        self._build_for((argument,))
        return map_structure(lambda s: s.shape, infer(self, (argument,), {}))

    # ---- calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What `onegraph.nn.Module` calls."""
        return self.call(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if is_symbolic(args, kwargs):
            return connect(self, args, kwargs)
        args = map_structure(_as_tensor, args)
        self._build_for(args)
        training = kwargs.pop("training", None)
        if training is None:
            training = self.training if context.training is None else context.training
        if self._takes_training:
            kwargs["training"] = bool(training)
        with calling(bool(training)):
            try:
                result = super().__call__(*args, **kwargs)
            except (ShapeError, DTypeError) as error:
                raise self._named_error(error, args) from error
        if self.activity_regularizer is not None:
            for output in flatten(result):
                self.add_loss(self.activity_regularizer(output) / output.shape[0])
        return result

    def _named_error(self, error: OneGraphError, args: Any) -> OneGraphError:
        if error.layer == "":
            return error
        shapes = ", ".join(show(tuple(t.shape)) for t in flatten(args) if isinstance(t, Tensor))
        message = f"layer {self.name!r} ({type(self).__name__}) on an input of shape {shapes}: {error.message}"
        named = type(error)(message, hint=error.hint, location=error.location)
        named.layer = ""
        return named

    def _build_for(self, args: tuple[Any, ...]) -> None:
        first = args[0] if args else None
        self._check_input(first)
        if self.built:
            return
        shape = map_structure(lambda t: _Opaque(_shape_of(t)), first)
        before = scopes.enter("build")
        try:
            with tracing(None):  # weights belong to the layer, not to a function that is being traced
                self.build(map_structure(lambda o: o.value, shape))
        except (ShapeError, DTypeError) as error:
            raise self._named_error(error, args) from error
        finally:
            scopes.leave(before)
        self._mark_built(map_structure(lambda o: o.value, shape))

    def _mark_built(self, shape: Any) -> None:
        self.built = True
        self._build_shape = shape
        if self._first_weights is not None:
            self.set_weights(self._first_weights)
            self._first_weights = None
        if not self._trainable:
            self.trainable = False

    def _check_input(self, first: Any) -> None:
        """Check the rank of the input, where the layer has a rule."""
        if self.input_rank is None and self.min_rank is None:
            return
        shape = _shape_of(first)
        if shape is None:
            return
        wrong = self.input_rank is not None and len(shape) != self.input_rank
        if wrong or (self.min_rank is not None and len(shape) < self.min_rank):
            rule = f"exactly {self.input_rank}" if self.input_rank is not None else f"at least {self.min_rank}"
            error = ShapeError(
                f"layer {self.name!r} ({type(self).__name__}) needs an input of {rule} dimensions, batch included, got shape {shape}"
            )
            error.layer = ""
            raise error

    def _check_size(self, shape: Any, dim: int, expected: int) -> None:
        """Check a size of the input against what the layer was built for."""
        if shape[dim] is not None and shape[dim] != expected:
            error = ShapeError(
                f"layer {self.name!r} ({type(self).__name__}) was built for inputs of shape {self._build_shape}, "
                f"got {tuple(shape)}: size {expected} expected in dimension {dim}, found {shape[dim]}",
                hint="does the data have the shape that the model was made for?",
            )
            error.layer = ""
            raise error

    def add_loss(self, loss: Any) -> None:
        """Add a penalty to the model's loss; to be called in `call`."""
        if context.losses is not None:
            context.losses.append(loss)

    # ---- what it was called on

    def _only_connection(self, what: str) -> Any:
        if len(self._connections) != 1:
            times = len(self._connections)
            raise UninitializedError(
                f"layer {self.name!r} was called {times} times on symbolic inputs, so it has no single {what}"
            )
        return self._connections[0]

    @property
    def input(self) -> Any:
        """The symbolic input, of a layer that was called on one once."""
        inputs = self._only_connection("input").inputs
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output(self) -> Any:
        """The symbolic output, of a layer that was called once."""
        return self._only_connection("output").outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input."""
        given = self.input
        return given.shape if isinstance(given, KerasTensor) else [t.shape for t in given]

    @property
    def output_shape(self) -> Any:
        """The shape of the output."""
        output = self.output
        return output.shape if isinstance(output, KerasTensor) else [t.shape for t in flatten(output)]

    # ---- configuration

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        arguments, keywords = self.__dict__["_arguments"]
        names = [n for n in _argument_names(type(self)) if n != "self"]
        config = {**dict(zip(names, arguments, strict=False)), **keywords}
        config.pop("weights", None)
        config = {self.legacy_names.get(k, k): _plain(v) for k, v in config.items()}
        config["name"] = self.name
        if not self._trainable:
            config["trainable"] = False
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from the constructor's arguments; without the weights."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _with_legacy_names(init: Any) -> Any:
    @functools.wraps(init)
    def translate(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **{self.legacy_names.get(k, k): v for k, v in kwargs.items()})

    return translate


class _Opaque:
    """A shape that `map_structure` takes for a leaf."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _is_shape(value: Any) -> bool:
    return all(v is None or isinstance(v, int) for v in value)


def _as_tensor(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return make_tensor(value, dtype="float32" if value.dtype.kind == "f" else None)
    return value


def _shape_of(value: Any) -> Shape | None:
    """The shape with the batch unknown, since a layer does not depend on it."""
    if isinstance(value, KerasTensor):
        return value.shape
    if isinstance(value, Tensor):
        return (None, *value.shape[1:]) if value.ndim else ()
    return None


_NAMED_ARGUMENTS = {"_initializer": initializers, "_regularizer": regularizers, "_constraint": constraints}


def _argument_names(cls: type) -> list[str]:
    names: list[str] = []
    for base in cls.__mro__:
        if base is Module:
            break
        if "__init__" in base.__dict__:
            kinds = inspect.signature(base.__dict__["__init__"]).parameters.values()
            names += [
                p.name
                for p in kinds
                if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in ("self", *names)
            ]
    return names


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return serialize(value)
