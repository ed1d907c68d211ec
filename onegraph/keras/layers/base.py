"""`Layer`: a module that makes its weights when it first sees the shape of its input.

A Keras layer is an `onegraph.nn.Module` with `build`, `call` and `add_weight`, so parameters, buffers, hooks and
`state_dict` exist once. Read next: `core.py` (the simplest layers), `symbolic.py` (layers called before there is data).
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from onegraph.errors import ArgumentError, DTypeError, OneGraphError, ShapeError, UninitializedError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import tracing
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import as_dtype
from onegraph.ir.node import scopes
from onegraph.keras import backend, constraints, dtype_policies, initializers, regularizers
from onegraph.keras.layers.configuration import constructor_defaults, constructor_names
from onegraph.keras.layers.configuration import plain as _plain
from onegraph.keras.layers.encoding import is_numbers, is_text
from onegraph.keras.layers.masking import masks_of, pass_masks, set_mask
from onegraph.keras.layers.signature import argument_names, build_arguments, check_specs
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
from onegraph.keras.layers.weights import Weights, compute_dtype
from onegraph.keras.registry import Registry
from onegraph.ops.shapes import show

layers = Registry("layer")
"""Layers by class name, for saved models."""


_NAMED_ARGUMENTS = {"_initializer": initializers, "_regularizer": regularizers, "_constraint": constraints}


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
        dtype: of its weights and of what it computes in, or a policy such as 'mixed_bfloat16'.
        autocast: whether floating inputs are cast to what it computes in.
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
    supports_masking = False
    """Whether masks that inputs carry are passed on to outputs, as `compute_mask` says."""
    input_spec: Any = None
    """An `InputSpec`, or a list of them, checked at each call."""
    _takes_training = False
    _default_training = False
    _call_names: ClassVar[tuple[str, ...]] = ()
    _mask_names: ClassVar[tuple[str, ...]] = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = object.__new__(cls)
        instance.__dict__["_arguments"] = (args, kwargs)
        return instance

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("onegraph.keras.") and not cls.__name__.startswith("_"):
            layers.known.setdefault(cls.__name__, cls)
        cls._call_names = argument_names(cls.call)
        cls._takes_training = "training" in cls._call_names
        cls._default_training = (
            cls._takes_training and inspect.signature(cls.call).parameters["training"].default is True
        )
        cls._mask_names = tuple([name for name in cls._call_names if name == "mask" or name.endswith("_mask")])
        if "legacy_names" in cls.__dict__:
            cls.__init__ = _with_legacy_names(cls.__init__)  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
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
                hint=f"it takes {', '.join(constructor_names(type(self)))}",
            )
        self._check_names()
        self._name = name or backend.unique_name(backend.snake_case(type(self).__name__))
        self._trainable = bool(trainable)
        self._policy = dtype_policies.get(dtype)
        self.autocast = autocast
        self._kept_dtype: set[str] = set()
        self.built = False
        self.training = False  # a Keras layer called directly does not train
        self._build_shape: Any = None
        self._connections: list[Any] = []
        self._regularized: list[tuple[Tensor, Any]] = []
        self._constrained: list[tuple[Tensor, Any]] = []
        self._first_weights = weights
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._warned_of_mask = False
        if batch_input_shape is None and input_shape is not None:
            batch_input_shape = (None, *([input_shape] if isinstance(input_shape, int) else input_shape))
        if batch_input_shape is None and input_dim is not None:
            batch_input_shape = (None, input_dim) if input_length is None else (None, input_length, input_dim)
        self._batch_input_shape = None if batch_input_shape is None else tuple(batch_input_shape)
        self._tracked_names: dict[str, list[str]] = {}  # last: lists and dicts that are set from here on are followed

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
        return map_structure(lambda s: s.shape, self.compute_output_spec(argument))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Shape and dtype of what the layer gives for symbolic inputs, as objects with `shape` and `dtype`."""
        return infer(self, args, kwargs)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output, for an input and its mask; the same unless a layer says otherwise."""
        return previous_mask

    # ---- calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What `onegraph.nn.Module` calls."""
        return self.call(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if is_symbolic(args, kwargs):
            return connect(self, args, kwargs)
        if args and isinstance(args[0], (list, tuple)) and (is_text(args[0]) or is_numbers(args[0])):
            args = (np.asarray(args[0], object if is_text(args[0]) else None), *args[1:])
        args = map_structure(self._as_input, args)
        if kwargs:
            kwargs = {k: map_structure(self._as_input, v) for k, v in kwargs.items()}
        self._build_for(args, kwargs)
        training = kwargs.pop("training", None)
        if training is None:
            training = context.training
        if training is None:
            training = self.training or self._default_training
        if self._takes_training:
            kwargs["training"] = bool(training)
        if self._mask_names:
            pass_masks(self._call_names, self._mask_names, args, kwargs)
        first = args[0] if args else next(iter(kwargs.values()), None)
        result = self._compute(args, kwargs, bool(training))
        if self.activity_regularizer is not None:
            for output in flatten(result):
                self.add_loss(self.activity_regularizer(output) / output.shape[0])
        self._pass_mask_on(first, result)
        return result

    def _compute(self, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool) -> Any:
        before = compute_dtype.current
        policy = self._policy
        compute_dtype.current = (
            None if policy.compute_dtype == policy.variable_dtype else as_dtype(policy.compute_dtype)
        )
        try:
            with calling(training):
                return super().__call__(*args, **kwargs)
        except (ShapeError, DTypeError) as error:
            raise self._named_error(error, args) from error
        finally:
            compute_dtype.current = before

    def _as_input(self, value: Any) -> Any:
        """A tensor for an array; floating tensors in what the layer computes in."""
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            value = make_tensor(value, dtype="float32" if value.dtype.kind == "f" else None)
        if isinstance(value, Tensor) and self.autocast and value.dtype.is_floating_point:
            wanted = self._policy.compute_dtype
            if value.dtype.name != wanted:
                return set_mask(value.to(as_dtype(wanted)), masks_of(value))
        return value

    def _pass_mask_on(self, first: Any, result: Any) -> None:
        """Let the outputs carry a mask, if the layer makes one or passes the input's on."""
        previous = masks_of(first)
        if not self.supports_masking:
            if previous is not None and not self._mask_names and not self._warned_of_mask:
                self.__dict__["_warned_of_mask"] = True
                warnings.warn(
                    f"layer {self.name!r} ({type(self).__name__}) does not pass on the mask that its input carries",
                    stacklevel=4,
                )
            return
        outputs = list(flatten(result))
        if outputs and all(masks_of(o) is not None for o in outputs):
            return
        mask = self.compute_mask(first, previous)
        if mask is None:
            return
        masks = [mask] if isinstance(mask, Tensor) else list(flatten(mask))
        for output, found in zip(outputs, masks, strict=False):
            set_mask(output, found)

    def _named_error(self, error: OneGraphError, args: Any) -> OneGraphError:
        if error.layer == "":
            return error
        shapes = ", ".join(show(tuple(t.shape)) for t in flatten(args) if isinstance(t, Tensor))
        message = f"layer {self.name!r} ({type(self).__name__}) on an input of shape {shapes}: {error.message}"
        named = type(error)(message, hint=error.hint, location=error.location)
        named.layer = ""
        return named

    def _build_for(self, args: tuple[Any, ...], kwargs: Any = None) -> None:
        first = args[0] if args else next(iter((kwargs or {}).values()), None)
        self._check_input(first)
        if self.built:
            return

        def shapes_of(value: Any) -> Any:
            return map_structure(lambda o: o.value, map_structure(lambda t: _Opaque(_shape_of(t)), value))

        before = scopes.enter("build")
        try:
            with tracing(None):  # weights belong to the layer, not to a function that is being traced
                given, named = build_arguments(type(self).build, self._call_names, args, kwargs or {}, shapes_of)
                self.build(*given, **named)
        except (ShapeError, DTypeError) as error:
            raise self._named_error(error, args) from error
        finally:
            scopes.leave(before)
        self._mark_built(shapes_of(first))

    def _mark_built(self, shape: Any) -> None:
        self.built = True
        self._build_shape = shape
        if self._first_weights is not None:
            self.set_weights(self._first_weights)
            self._first_weights = None
        if not self._trainable:
            self.trainable = False

    def _check_input(self, first: Any) -> None:
        """Check the input, where the layer has a rule."""
        if self.input_spec is not None:
            check_specs(f"layer {self.name!r} ({type(self).__name__})", self.input_spec, first)
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

    @property
    def dtype_policy(self) -> dtype_policies.DTypePolicy:
        """What the layer keeps its weights in and computes in."""
        return self._policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._policy = dtype_policies.get(value)

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return self._policy.variable_dtype

    variable_dtype = dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype that the layer computes in."""
        return self._policy.compute_dtype

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        arguments, keywords = self.__dict__["_arguments"]
        names = constructor_names(type(self))
        given = {**dict(zip(names, arguments, strict=False)), **keywords}
        given = {self.legacy_names.get(k, k): v for k, v in given.items()}
        defaults = constructor_defaults(type(self))  # type: ignore[arg-type]
        config = {**defaults, **given, "name": self.name, "trainable": self._trainable}
        config["dtype"] = self._policy.name
        config.pop("weights", None)
        return {k: _plain(v) for k, v in config.items()}

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


def _shape_of(value: Any) -> Shape | None:
    """The shape with the batch unknown, since a layer does not depend on it."""
    if isinstance(value, KerasTensor):
        return value.shape
    if isinstance(value, (Tensor, np.ndarray)):
        return (None, *value.shape[1:]) if value.ndim else ()
    return None
