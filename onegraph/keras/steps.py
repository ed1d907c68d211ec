"""What a step of training, evaluation or prediction does, and how a user's class may change it.

`train_step`, `test_step`, `predict_step`, `compute_loss` and `compute_metrics` may be overridden, as in Keras. A step is
traced by `onegraph.jit`: what it writes to weights, metrics and optimizers becomes part of the plan. Read next:
`objective.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onegraph.errors import ShapeError, UninitializedError
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, realize_tensors
from onegraph.keras.batches import pack, samples_in
from onegraph.keras.evaluation import numbers_of
from onegraph.keras.interrupt import WholeSteps
from onegraph.keras.layers.base import Layer, calling, context
from onegraph.keras.layers.symbolic import flatten
from onegraph.keras.optimizers import Optimizer


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """x, y and sample_weight of what a step is given; None for what is missing."""
    if isinstance(data, tuple) and 1 <= len(data) <= 3:
        x, y, w = (*data, None, None)[:3]
        return x, y, w
    return data, None, None


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The inverse of `unpack_x_y_sample_weight`."""
    return pack(x, y, sample_weight)


class _Compiled:
    """TensorFlow's names for the losses and the metrics of `compile`, for steps that were written for it."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None) -> Any:
        """The loss."""
        return self.model.compute_loss(None, y, y_pred, sample_weight)

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch into the metrics."""
        with no_grad():
            self.model._objective.update(y, y_pred, sample_weight)


class Steps:
    """The steps of a model. Mixed into `Model`."""

    _objective: Any

    # ---- what may be overridden

    def train_step(self: Any, data: Any) -> dict[str, Any]:
        """One step of training, as tensors; override it to train in another way. It is traced.

        Args:
            data: what `fit` was given for a batch: x, (x, y) or (x, y, sample_weight).

        Returns:
            The metrics' values by name.
        """
        x, y, weights = unpack_x_y_sample_weight(data)
        parameters = self.trainable_weights
        if not self.optimizer.built:
            self.optimizer.build(parameters)
        self.zero_grad()
        with calling(True):
            outputs = self(x, training=True)
        loss = self.compute_loss(x, y, outputs, weights, True)
        self._track(loss, x)
        self.optimizer.scale_loss(loss).backward()
        self.optimizer.apply()
        with no_grad():
            self._keep_constraints()
            for parameter in parameters:
                parameter.grad = None
        return self.compute_metrics(x, y, outputs, weights)  # type: ignore[no-any-return]

    def test_step(self: Any, data: Any) -> dict[str, Any]:
        """One step of evaluation, as tensors. It is traced."""
        x, y, weights = unpack_x_y_sample_weight(data)
        with no_grad(), calling(False):
            outputs = self(x, training=False)
            loss = self.compute_loss(x, y, outputs, weights, False)
            self._track(loss, x)
            return self.compute_metrics(x, y, outputs, weights)  # type: ignore[no-any-return]

    def predict_step(self: Any, data: Any) -> Any:
        """The outputs for a batch. It is traced."""
        x, _, _ = unpack_x_y_sample_weight(data)
        with no_grad():
            return self(x, training=False)

    def compute_loss(
        self: Any, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch: those of `compile`, and all penalties.

        Args:
            x, y, y_pred, sample_weight: inputs, targets, the model's outputs, weights of samples.
            training: whether it is a step of training.
        """
        try:
            total, self.__dict__["_parts"] = self._objective.compute(y, y_pred, sample_weight)
        except ShapeError as error:
            if error.layer == "":
                raise
            raise ShapeError(
                f"loss of model {self.name!r}: {error.message}", hint=error.hint, location=error.location
            ) from error
        for penalty in self.losses:
            total = penalty if total is None else total + penalty
        if total is None:
            raise UninitializedError(
                f"model {self.name!r} has no loss: neither compile(loss=...) nor add_loss gave one"
            )
        return total

    def compute_metrics(self: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Take a batch into the metrics, and give their values by name."""
        with no_grad():
            self._objective.update(y, y_pred, sample_weight)
            return self.get_metrics_result()  # type: ignore[no-any-return]

    def get_metrics_result(self: Any) -> dict[str, Any]:
        """The metrics' values so far, by name."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            found.update(value if isinstance(value, dict) else {metric.name: value})
        return found

    # ---- for steps of users

    def zero_grad(self: Any, set_to_none: bool = True) -> None:
        """Forget the gradients of all weights."""
        for parameter in self.parameters():
            parameter.grad = None

    @property
    def losses(self: Any) -> list[Tensor]:
        """The penalties on weights, and those that layers added in this step."""
        return [*super().losses, *(context.losses or [])]  # type: ignore[misc]

    @property
    def compiled_loss(self) -> _Compiled:
        """The losses of `compile`, to be called with (y, y_pred)."""
        return _Compiled(self)

    @property
    def compiled_metrics(self) -> _Compiled:
        """The metrics of `compile`, with `update_state(y, y_pred)`."""
        return _Compiled(self)

    def stateless_call(
        self: Any,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Call the model with other values of its weights, which stay as they are.

        Returns:
            The outputs, the next values of the weights that are not learned, and with `return_losses` the penalties.
        """
        own = [*self.trainable_variables, *self.non_trainable_variables]
        values = [*trainable_variables, *non_trainable_variables]
        kept = [(v, v._node) for v in own]
        for variable, value in zip(own, values, strict=True):
            variable._node = value.node if isinstance(value, Tensor) else variable.new_tensor(value).node
        try:
            outputs = self(*args, **kwargs)
            after = [v.detach() for v in own[len(trainable_variables) :]]
            penalties = self.losses if return_losses else []
        finally:
            for variable, node in kept:
                variable._node = node
        return (outputs, after, penalties) if return_losses else (outputs, after)

    # ---- running steps

    def _track(self: Any, loss: Any, x: Any) -> None:
        with no_grad():
            self._objective.track(loss, self.__dict__.pop("_parts", []), samples_in(x))

    def _keep_constraints(self: Any) -> None:
        for module in self.modules():
            if isinstance(module, Layer) and module.trainable:
                for weight, constraint in module._constrained:
                    weight._assign(constraint(weight.detach()).node)

    def _optimizers(self) -> list[Any]:
        """The optimizer of `compile`, and those that are attributes of the model."""
        return list({id(v): v for v in vars(self).values() if isinstance(v, Optimizer)}.values())

    def _body(self: Any, step: Callable[[Any], Any]) -> Callable[..., Any]:
        def body(x: Any, y: Any, w: Any) -> Any:
            self._counts["runs"] = self._counts.get("runs", 0) + 1
            with calling(None, []):
                return step(pack(x, y, w))

        return body

    def _run_train_step(self: Any, batch: Any, steps: WholeSteps) -> dict[str, float]:
        found = self._optimizers()
        key = " ".join(["train", *[o.phase for o in found if o.phase != "update"]])
        function = self._function(key, lambda: self._body(self.train_step))
        with steps.step():
            for optimizer in found:
                optimizer.before_step()
                optimizer._applied = 0
            self._counts["runs"] = 0
            results = self._objective.run(function, batch)
            if self._eager:
                realize_tensors([v for v in flatten(results) if isinstance(v, Tensor)])
            else:
                self._count_steps(key, found)
        return numbers_of(results)

    def _count_steps(self: Any, key: str, found: list[Any]) -> None:
        """Count the steps of optimizers that were taken inside the traced step, of which Python sees the first only."""
        for i, optimizer in enumerate(found):
            place = (key, i)
            if self._counts["runs"]:
                self._counts[place] = optimizer._applied // self._counts["runs"]
            for _ in range(self._counts.get(place, 0)):
                optimizer.after_step()

    def _run_test_step(self: Any, batch: Any) -> dict[str, float]:
        function = self._function("test", lambda: self._body(self.test_step))
        return numbers_of(self._objective.run(function, batch))
