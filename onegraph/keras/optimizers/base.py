"""`Optimizer`: what all Keras optimizers share. What they compute is in `onegraph.optim` and in `rules.py`.

A Keras optimizer is made before there are weights; `build` gives it those, and makes the optimizer of `onegraph.optim`
that does the work. Around its step stand clipping, decoupled weight decay, averages of weights, and accumulation of
gradients over several steps. Read next: `classes.py`, `newer.py`, `loss_scale.py`, `schedules.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, UninitializedError
from onegraph.frontend.state import mode, no_grad, tracing
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap
from onegraph.frontend.trace import changing_number
from onegraph.ir.dtype import float64
from onegraph.keras.backend import snake_case
from onegraph.keras.optimizers import schedules
from onegraph.keras.optimizers.schedules import LearningRateSchedule
from onegraph.keras.registry import Registry, serialize
from onegraph.nn.state import full
from onegraph.nn.utils import clip_grad_norm_, clip_grad_value_

optimizers = Registry("optimizer")

COMMON = {
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
"""Arguments that every optimizer takes, and their defaults."""


def _rate(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"{name}: learning_rate must be a number or a schedule, got {value!r}",
            hint="schedules are in keras.optimizers.schedules; a function of the epoch is for LearningRateScheduler",
        ) from None


class Optimizer:
    """Base of optimizers.

    Args:
        learning_rate: a number, a schedule of `optimizers.schedules`, or a function without arguments.
        weight_decay: weights shrink by this part of the learning rate in each step.
        clipnorm: each weight's gradient is scaled to at most this norm.
        clipvalue: each element of a gradient is limited to this.
        global_clipnorm: all gradients together are scaled to at most this norm.
        use_ema: keep a moving average of each weight.
        ema_momentum: how much of the average is kept in a step.
        ema_overwrite_frequency: every how many steps the weights become their averages; at the end of `fit` if None.
        loss_scale_factor: the loss is multiplied by it, and the gradients are divided.
        gradient_accumulation_steps: over how many steps gradients are averaged before weights change.
        decay: Keras 1's: the rate of step t is learning_rate / (1 + decay t).
        lr: an older name of learning_rate.
        name: of the optimizer.

    Attributes:
        iterations: how many steps were taken.
    """

    kind: Any
    """The class in `onegraph.optim`."""

    def __init__(
        self,
        learning_rate: Any = None,
        *,
        name: str | None = None,
        weight_decay: float | None = None,
        decay: float = 0.0,
        lr: Any = None,
        **options: Any,
    ) -> None:
        learning_rate = lr if lr is not None else learning_rate
        if isinstance(learning_rate, dict):
            learning_rate = schedules.schedules.deserialize(learning_rate)
        if not isinstance(learning_rate, LearningRateSchedule) and not callable(learning_rate):
            learning_rate = _rate(learning_rate, type(self).__name__)
            if not learning_rate >= 0:
                raise ArgumentError(f"{type(self).__name__}: learning_rate must not be negative, got {learning_rate}")
        own = {key: options.pop(key, default) for key, default in COMMON.items()}
        if sum(own[c] is not None for c in ("clipnorm", "clipvalue", "global_clipnorm")) > 1:
            raise ArgumentError("only one of clipnorm, clipvalue and global_clipnorm can be given")
        for key in ("momentum", "beta_1", "beta_2", "rho"):
            if not 0 <= options.get(key, 0) <= 1:
                raise ArgumentError(f"{type(self).__name__}: {key} must be between 0 and 1, got {options[key]}")
        steps = own["gradient_accumulation_steps"]
        if steps is not None and (not isinstance(steps, int) or steps < 2):
            raise ArgumentError(f"gradient_accumulation_steps must be a whole number of at least 2, got {steps!r}")
        if own["use_ema"] and not 0 <= own["ema_momentum"] <= 1:
            raise ArgumentError(f"ema_momentum must be from 0 to 1, got {own['ema_momentum']}")
        self.name = name or snake_case(type(self).__name__)
        self.__dict__.update(own)
        self.weight_decay, self.decay = weight_decay, decay
        self.iterations = 0
        self._rate = learning_rate
        self._options = options
        self._inner: Any = None
        self._averages: list[Tensor] = []
        self._gathered: list[Tensor] = []
        self._spared: list[Any] = []
        self._applied = 0  # how often `apply` was traced since the trainer last asked
        self._weights: list[Tensor] = []

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None

    def _settings(self) -> dict[str, Any]:
        """The arguments of the class in `onegraph.optim`."""
        raise NotImplementedError(f"{type(self).__name__} must define _settings")

    def build(self, trainable_variables: Sequence[Tensor]) -> None:
        """Give the optimizer its weights."""
        self._weights = list(trainable_variables)
        if not self._weights:
            raise ArgumentError("there is nothing to train: the model has no trainable weights")
        with no_grad(), tracing(None):
            self._inner = self._make_inner(self._weights)
            if self.use_ema:
                self._averages = [full(tuple(w.shape), 0.0, w.dtype) for w in self._weights]
            if self.gradient_accumulation_steps:
                self._gathered = [full(tuple(w.shape), 0.0, w.dtype) for w in self._weights]

    def _make_inner(self, weights: list[Tensor]) -> Any:
        return self.kind(weights, lr=self.learning_rate, **self._settings())

    @property
    def built(self) -> bool:
        """Whether it has been given weights."""
        return self._inner is not None

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; a new number may be set at any time, and compiles nothing."""
        rate = self._rate
        if isinstance(rate, LearningRateSchedule):
            rate = rate(self.iterations)
        elif callable(rate):
            rate = rate()
        base = float(rate)
        return base / (1 + self.decay * self.iterations) if self.decay else base

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        fixed = isinstance(value, LearningRateSchedule) or callable(value)
        self._rate = value if fixed else _rate(value, type(self).__name__)

    lr = learning_rate

    @property
    def variables(self) -> list[Tensor]:
        """The state's tensors."""
        if self._inner is None:
            return []
        inner = [t for state in self._inner.state.values() for t in state.values() if isinstance(t, Tensor)]
        return [*inner, *self._averages, *self._gathered]

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Weights that do not decay: tensors, or patterns of their names."""
        self._spared += [*(var_list or []), *(var_names or [])]

    def _decays(self, weight: Any) -> bool:
        name = str(getattr(weight, "name", None) or "")
        return not any((s is weight) if isinstance(s, Tensor) else re.search(s, name) for s in self._spared)

    # ---- steps

    def before_step(self) -> None:
        """Set this step's learning rate; called outside of the traced step."""
        if self._inner is not None:
            for group in self._inner.param_groups:
                group["lr"] = self.learning_rate

    def after_step(self) -> None:
        """Count the step; called outside of the traced step."""
        self.iterations += 1
        frequency = self.ema_overwrite_frequency
        if self.use_ema and frequency and self.iterations % frequency == 0:
            self.finalize_variable_values(self._weights)

    @property
    def phase(self) -> str:
        """Which kind of step comes next; each is traced apart."""
        steps = self.gradient_accumulation_steps
        waits = steps is not None and (self.iterations + 1) % steps
        return f"{'gather' if waits else 'update'}{' first' if self.use_ema and self.iterations == 0 else ''}"

    def apply(self, grads: Any = None, trainable_variables: Any = None) -> None:
        """Clip the gradients and update the weights.

        Args:
            grads: gradients; those in the weights' `grad` if None.
            trainable_variables: the weights; those it was built for if None.
        """
        if grads is not None:
            self._take(grads, trainable_variables)
        if mode.trace is None:
            self.before_step()
        with no_grad():
            self._apply()
        self._applied += mode.trace is not None
        if grads is not None:
            for weight in self._weights:
                weight.grad = None
        if mode.trace is None:
            realize_tensors([*self._weights, *self.variables])
            self.after_step()

    def _take(self, grads: Any, weights: Any) -> None:
        grads = list(grads)
        weights = self._weights if weights is None else list(weights)
        if self._inner is None:
            self.build(weights)
        if len(grads) != len(weights):
            raise ArgumentError(f"apply: {len(grads)} gradients for {len(weights)} weights")
        known = {id(w) for w in self._weights}
        if any(id(w) not in known for w in weights):
            raise ArgumentError("apply: a weight was not among those the optimizer was built for")
        for weight in self._weights:
            weight.grad = None
        for gradient, weight in zip(grads, weights, strict=True):
            if gradient is not None and not isinstance(gradient, Tensor):
                raise ArgumentTypeError(f"apply: gradients must be tensors, got {type(gradient).__name__}")
            weight.grad = None if gradient is None else gradient.detach()

    def _apply(self) -> None:
        if self._inner is None:
            raise UninitializedError(
                "the optimizer has no weights yet", hint="optimizer.build(model.trainable_weights)"
            )
        weights = [w for w in self._weights if w.grad is not None]
        if self.loss_scale_factor:
            for w in weights:
                w.grad = w.grad.mul(1.0 / self.loss_scale_factor)  # type: ignore[union-attr]
        if self.gradient_accumulation_steps and not self._gather(weights):
            return
        self._clip(weights)
        if self.weight_decay:
            rate = wrap(changing_number(self._decay_rate, float64), False)
            for w in weights:
                if self._decays(w):
                    w._assign((w.detach() * (1 - rate.to(w.dtype))).node)
        self._inner.step()
        if self.use_ema:
            kept = 0.0 if self.phase.endswith("first") else self.ema_momentum
            for average, w in zip(self._averages, self._weights, strict=True):
                average._assign((average * kept + w.detach() * (1 - kept)).node)

    def _decay_rate(self) -> float:
        return float(self._inner.param_groups[0]["lr"]) * float(self.weight_decay or 0.0)

    def _gather(self, weights: list[Tensor]) -> bool:
        """Add to the gradients of earlier steps; whether this step updates."""
        places = {id(w): i for i, w in enumerate(self._weights)}
        updates = self.phase.startswith("update")
        for w in weights:
            own = self._gathered[places[id(w)]]
            total = own + w.grad.detach()  # type: ignore[union-attr]
            if updates:
                w.grad = total * (1.0 / (self.gradient_accumulation_steps or 1))
            own._assign((total * 0 if updates else total).node)
        return updates

    def _clip(self, weights: list[Tensor]) -> None:
        if self.clipvalue is not None:
            clip_grad_value_(weights, self.clipvalue)
        elif self.global_clipnorm is not None:
            clip_grad_norm_(weights, self.global_clipnorm)
        elif self.clipnorm is not None:
            for weight in weights:
                clip_grad_norm_([weight], self.clipnorm)

    def apply_gradients(self, grads_and_vars: Iterable[Any]) -> int:
        """Update weights from pairs of gradient and weight.

        Raises:
            ArgumentTypeError: a gradient is no tensor.
        """
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [w for _, w in pairs])
        return self.iterations

    def scale_loss(self, loss: Any) -> Any:
        """The loss as it is to be differentiated."""
        return loss * self.loss_scale_factor if self.loss_scale_factor else loss

    def finalize_variable_values(self, var_list: Any = None) -> None:
        """Overwrite weights with their averages, where `use_ema` keeps some."""
        if not self.use_ema or not self.iterations:
            return
        wanted = {id(w) for w in (self._weights if var_list is None else var_list)}
        with no_grad():
            for weight, average in zip(self._weights, self._averages, strict=True):
                if id(weight) in wanted:
                    weight.copy_(average)

    # ---- saving

    def state_dict(self) -> dict[str, Any]:
        """Steps taken, and the state of each weight by number and name."""
        if self._inner is None:
            raise UninitializedError(f"optimizer {self.name!r} has no state yet: it has not seen the model's weights")
        found = {"iterations": self.iterations, "inner": self._inner.state_dict()}
        for name, tensors in (("averages", self._averages), ("gathered", self._gathered)):
            if tensors:
                found[name] = {str(i): t.detach() for i, t in enumerate(tensors)}
        return found

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave; `build` must have been called."""
        self._inner.load_state_dict(state["inner"])
        with no_grad():
            for name, tensors in (("averages", self._averages), ("gathered", self._gathered)):
                for i, tensor in enumerate(tensors):
                    tensor.copy_(state[name][str(i)])
        self.iterations = int(state["iterations"])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        common = {key: getattr(self, key) for key in COMMON}
        config = {"name": self.name, "learning_rate": self._described_rate(), "weight_decay": self.weight_decay}
        if self.decay:
            config["decay"] = self.decay
        return {**config, **self._options, **common}

    def _described_rate(self) -> Any:
        return serialize(self._rate)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """An optimizer from the constructor's arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={self.learning_rate}>"
