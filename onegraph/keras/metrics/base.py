"""What a metric is: numbers accumulated over the batches of an epoch, updated in the plan of the training step.

Read next: `accuracy.py`, `counts.py`, `regression.py`, `overlap.py`; `../losses/` (losses serve as metrics too), `../objective.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.frontend import EXPORTS
from onegraph.frontend.state import no_grad, tracing
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap_buffer
from onegraph.ir.dtype import as_dtype
from onegraph.keras import losses
from onegraph.keras.backend import snake_case
from onegraph.keras.layers.masking import mask_weights
from onegraph.keras.losses import as_tensor
from onegraph.keras.registry import Registry
from onegraph.keras.variable import State

metrics = Registry("metric")
_add = metrics.add
_where = EXPORTS["where"]


def get(identifier: Any) -> Any:
    """The metric with a name, as an object of a subclass of `Metric`; losses count as metrics too."""
    if isinstance(identifier, str) and identifier not in metrics.known and identifier in losses.losses.known:
        found = losses.losses.find(identifier)
        return MeanMetricWrapper(found().call if isinstance(found, type) else found, name=identifier)
    found = metrics.get(identifier)
    if found is None or isinstance(found, Metric):
        return found
    if isinstance(found, losses.Loss):
        return MeanMetricWrapper(found.call, name=found.name)
    return MeanMetricWrapper(
        found, name=identifier if isinstance(identifier, str) else getattr(found, "__name__", "metric")
    )


class Metric:
    """Base of metrics: make state with `add_variable`, and define `update_state` and `result`.

    Args:
        name: under which logs show it.
        dtype: accepted; state is float64, so that counts stay exact.

    >>> m = Mean()
    >>> m.update_state([1.0, 3.0])
    >>> float(m.result())
    2.0
    """

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = dtype or "float32"
        self._variables: list[Any] = []

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str | None = None,
        name: str | None = None,
    ) -> Any:
        """Make a state tensor (float64), which `reset_state` sets to zeros.

        Args:
            shape: of the state.
            initializer: its first value, by an initializer's name or object.
            dtype, aggregation: accepted.
            name: of the state.
        """
        state = State(_zeros(tuple(shape)))
        if initializer not in (None, "zeros"):
            from onegraph.keras import initializers

            with no_grad(), tracing(None):
                state.assign(initializers.get(initializer)(tuple(shape), "float32"))
                realize_tensors([state])
        state.name = name
        self._variables.append(state)
        return state

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None, **ignored: Any
    ) -> Any:
        """Make a state tensor; Keras 2's order (name, shape) is taken too."""
        if isinstance(shape, str):
            shape, name = (), shape
        return self.add_variable(shape, initializer or "zeros", dtype, None, name)

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Take in a batch."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state")

    def result(self) -> Any:
        """The value so far, a scalar tensor."""
        raise NotImplementedError(f"{type(self).__name__} must define result")

    def reset_state(self) -> None:
        """Start again."""
        for state in self._variables:
            state._replace(_zeros(tuple(state.shape))._node, False)

    reset_states = reset_state

    @property
    def variables(self) -> list[Tensor]:
        """The state."""
        return list(self._variables)

    def stateless_update_state(self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The state that follows on a given one, which stays as it is."""
        with _borrowed(self._variables, metric_variables), no_grad():
            self.update_state(*args, **kwargs)
            return [v.detach() for v in self._variables]

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """The value of a given state."""
        with _borrowed(self._variables, metric_variables):
            return self.result()

    def stateless_reset_state(self) -> list[Any]:
        """The state to start from."""
        return [_zeros(tuple(v.shape)) for v in self._variables]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with no_grad():
            self.update_state(*args, **kwargs)
            return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A metric from the constructor's arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


@contextlib.contextmanager
def _borrowed(variables: Sequence[Any], values: Sequence[Any]) -> Iterator[None]:
    """Within this context the variables have other values."""
    kept = [v._node for v in variables]
    for variable, value in zip(variables, values, strict=True):
        variable._node = as_tensor(value).double().node
    try:
        yield
    finally:
        for variable, node in zip(variables, kept, strict=True):
            variable._node = node


def _zeros(shape: tuple[int, ...]) -> Tensor:
    return wrap_buffer(Buffer(np.zeros(shape, np.float64), as_dtype("float64")))


def divide(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    return _where(b == 0, a * 0, a / _where(b == 0, b * 0 + 1, b))


def weights_of(sample_weight: Any, values: Any) -> Any:
    weights = as_tensor(sample_weight).double()
    if weights.ndim == values.ndim + 1:
        weights = weights.squeeze(-1)
    return weights.reshape(*weights.shape, *[1] * (values.ndim - weights.ndim))


@_add()
class Mean(Metric):
    """The mean of values, weighted where weights are given."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in values."""
        with no_grad():
            values = as_tensor(values).double()
            if sample_weight is None:
                self.total += values.sum()
                self.count += float(values.numel())
                return
            if isinstance(sample_weight, (int, float)):
                self.total += values.sum() * sample_weight
                self.count += float(values.numel()) * sample_weight
                return
            weights = weights_of(sample_weight, values)
            self.total += (values * weights).sum()
            self.count += weights.expand(*values.shape).sum()

    def result(self) -> Any:
        """The mean so far."""
        return divide(self.total, self.count)


@_add()
class Sum(Metric):
    """The sum of values."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in values."""
        with no_grad():
            values = as_tensor(values).double()
            self.total += (values if sample_weight is None else values * weights_of(sample_weight, values)).sum()

    def result(self) -> Any:
        """The sum so far."""
        return self.total


class MeanMetricWrapper(Mean):
    """The mean of a function (y_true, y_pred, **options) -> a number a sample."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        self.fn, self.options = fn, options

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in a batch."""
        if isinstance(y_pred, Tensor):
            sample_weight = mask_weights(y_pred, sample_weight)
        super().update_state(self.fn(y_true, y_pred, **self.options), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, **self.options}


class NamedMean(MeanMetricWrapper):
    """A metric class of one of the functions; its options are the function's."""

    of: Callable[..., Any]

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(type(self).of, name or type(self).of.__name__, dtype, **options)
