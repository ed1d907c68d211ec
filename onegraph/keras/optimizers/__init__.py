"""Optimizers with Keras' names, arguments and defaults. What they compute is in `onegraph.optim`.

A Keras optimizer is made before there are weights; `build` gives it those, and makes the optimizer of `onegraph.optim`
that does the work. Read next: `schedules.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph import optim
from onegraph.errors import ArgumentError, ArgumentTypeError, UninitializedError
from onegraph.frontend.tensor import Tensor
from onegraph.keras.backend import snake_case
from onegraph.keras.optimizers import schedules
from onegraph.keras.optimizers.schedules import LearningRateSchedule
from onegraph.keras.registry import Registry, serialize
from onegraph.nn.utils import clip_grad_norm_, clip_grad_value_

optimizers = Registry("optimizer")


def get(identifier: Any) -> Any:
    """The optimizer with a name, e.g. 'adam'.

    >>> get("sgd").learning_rate
    0.01
    """
    found = optimizers.get(identifier)
    if not isinstance(found, Optimizer):
        raise ArgumentTypeError(
            f"compile needs a Keras optimizer, got {type(found).__name__}",
            hint="use keras.optimizers, e.g. keras.optimizers.Adam(1e-3)",
        )
    return found


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
        learning_rate: a number, or a schedule of `optimizers.schedules`.
        weight_decay: weights shrink by this part of the learning rate in each step, where the optimizer supports it.
        clipnorm: each weight's gradient is scaled to at most this norm.
        clipvalue: each element of a gradient is limited to this.
        global_clipnorm: all gradients together are scaled to at most this norm.
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
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        decay: float = 0.0,
        lr: Any = None,
        **options: Any,
    ) -> None:
        learning_rate = lr if lr is not None else learning_rate
        if isinstance(learning_rate, dict):
            learning_rate = schedules.schedules.deserialize(learning_rate)
        if not isinstance(learning_rate, LearningRateSchedule):
            learning_rate = _rate(learning_rate, type(self).__name__)
            if not learning_rate >= 0:
                raise ArgumentError(f"{type(self).__name__}: learning_rate must not be negative, got {learning_rate}")
        if sum(c is not None for c in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ArgumentError("only one of clipnorm, clipvalue and global_clipnorm can be given")
        for key in ("momentum", "beta_1", "beta_2", "rho"):
            if not 0 <= options.get(key, 0) <= 1:
                raise ArgumentError(f"{type(self).__name__}: {key} must be between 0 and 1, got {options[key]}")
        self.name = name or snake_case(type(self).__name__)
        self.clipnorm, self.clipvalue, self.global_clipnorm, self.decay = clipnorm, clipvalue, global_clipnorm, decay
        self.iterations = 0
        self._rate = learning_rate
        self._options = options
        self._inner: Any = None

    def _settings(self) -> dict[str, Any]:
        """The arguments of the class in `onegraph.optim`."""
        raise NotImplementedError(f"{type(self).__name__} must define _settings")

    def build(self, trainable_variables: Sequence[Tensor]) -> None:
        """Give the optimizer its weights."""
        if not trainable_variables:
            raise ArgumentError("there is nothing to train: the model has no trainable weights")
        self._inner = self.kind(list(trainable_variables), lr=self.learning_rate, **self._settings())

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; a new number may be set at any time, and compiles nothing."""
        base = float(self._rate(self.iterations)) if isinstance(self._rate, LearningRateSchedule) else self._rate
        return base / (1 + self.decay * self.iterations) if self.decay else base

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._rate = value if isinstance(value, LearningRateSchedule) else _rate(value, type(self).__name__)

    lr = learning_rate

    @property
    def variables(self) -> list[Tensor]:
        """The state's tensors."""
        return [] if self._inner is None else [t for state in self._inner.state.values() for t in state.values()]

    # ---- steps

    def before_step(self) -> None:
        """Set this step's learning rate; called outside of the traced step."""
        rate = self.learning_rate
        for group in self._inner.param_groups:
            group["lr"] = rate

    def apply(self) -> None:
        """Clip the gradients and update the weights; called inside the traced step."""
        weights = [p for group in self._inner.param_groups for p in group["params"]]
        if self.clipvalue is not None:
            clip_grad_value_(weights, self.clipvalue)
        elif self.global_clipnorm is not None:
            clip_grad_norm_(weights, self.global_clipnorm)
        elif self.clipnorm is not None:
            for weight in weights:
                clip_grad_norm_([weight], self.clipnorm)
        self._inner.step()

    def after_step(self) -> None:
        """Count the step; called outside of the traced step."""
        self.iterations += 1

    def apply_gradients(self, grads_and_vars: Any) -> None:
        """Update weights from pairs of gradient and weight, now.

        Raises:
            ArgumentTypeError: a gradient is no tensor.
        """
        pairs = list(grads_and_vars)
        if self._inner is None:
            self.build([weight for _, weight in pairs])
        for gradient, weight in pairs:
            if not isinstance(gradient, Tensor):
                raise ArgumentTypeError(f"apply_gradients: expected tensors, got {type(gradient).__name__}")
            weight.grad = gradient.detach()
        self.before_step()
        self.apply()
        self._inner.zero_grad()
        self.after_step()

    # ---- saving

    def state_dict(self) -> dict[str, Any]:
        """Steps taken, and the state of each weight by number and name."""
        if self._inner is None:
            raise UninitializedError(f"optimizer {self.name!r} has no state yet: it has not seen the model's weights")
        return {"iterations": self.iterations, "inner": self._inner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave; `build` must have been called."""
        self._inner.load_state_dict(state["inner"])
        self.iterations = int(state["iterations"])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        common = {"name": self.name, "clipnorm": self.clipnorm, "clipvalue": self.clipvalue}
        common.update(global_clipnorm=self.global_clipnorm, decay=self.decay)
        return {"learning_rate": serialize(self._rate), **self._options, **common}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An optimizer from the constructor's arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={self.learning_rate}>"


@optimizers.add("sgd")
class SGD(Optimizer):
    """Stochastic gradient descent.

    Args:
        learning_rate: a number or a schedule.
        momentum: part of the last step's direction that is kept.
        nesterov: look ahead along the direction.
        weight_decay: how much of a weight is added to its gradient.
        kwargs: as for `Optimizer`.
    """

    kind = optim.SGD

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, **kwargs)

    def _settings(self) -> dict[str, Any]:
        o = self._options
        momentum = o["momentum"]
        return {
            "momentum": momentum,
            "nesterov": bool(o["nesterov"] and momentum),
            "weight_decay": o["weight_decay"] or 0,
        }


class _AdamLike(Optimizer):
    """What Adam and its relatives share."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, weight_decay=weight_decay, **kwargs
        )

    def _settings(self) -> dict[str, Any]:
        o = self._options
        return {"betas": (o["beta_1"], o["beta_2"]), "eps": o["epsilon"], "weight_decay": o["weight_decay"] or 0}


@optimizers.add("adam")
class Adam(_AdamLike):
    """Adam. Source: Kingma and Ba, ICLR 2015.

    Args:
        learning_rate: a number or a schedule.
        beta_1, beta_2: how much of the mean and of the mean square of gradients is kept.
        epsilon: added to the root of the mean square.
        amsgrad: use the largest mean square so far.
        kwargs: as for `Optimizer`.
    """

    kind = optim.Adam

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, amsgrad=amsgrad, **kwargs)

    def _settings(self) -> dict[str, Any]:
        decoupled = {"decoupled_weight_decay": True} if self._options["weight_decay"] else {}
        return {**super()._settings(), "amsgrad": self._options["amsgrad"], **decoupled}


@optimizers.add("adamw")
class AdamW(_AdamLike):
    """Adam with decoupled weight decay. Source: Loshchilov and Hutter, ICLR 2019. Arguments as for Adam."""

    kind = optim.AdamW

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay, amsgrad=amsgrad, **kwargs)

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "amsgrad": self._options["amsgrad"]}


@optimizers.add("adamax")
class Adamax(_AdamLike):
    """Adam with the largest gradient in place of the mean square. Arguments as for Adam."""

    kind = optim.Adamax


@optimizers.add("nadam")
class Nadam(_AdamLike):
    """Adam with Nesterov momentum. Source: Dozat, 2016. Arguments as for Adam."""

    kind = optim.NAdam

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "momentum_decay": 1.0}  # Keras warms the momentum up faster than PyTorch


@optimizers.add("rmsprop")
class RMSprop(Optimizer):
    """Steps divided by the root of a moving mean of squared gradients.

    Args:
        learning_rate: a number or a schedule.
        rho: how much of the mean square is kept.
        momentum: part of the last step that is kept.
        epsilon: added to the root.
        centered: use the variance instead of the mean square.
        kwargs: as for `Optimizer`.
    """

    kind = optim.RMSprop

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            rho=rho,
            momentum=momentum,
            epsilon=epsilon,
            centered=centered,
            weight_decay=weight_decay,
            **kwargs,
        )

    def _settings(self) -> dict[str, Any]:
        o = self._options
        return {
            "alpha": o["rho"],
            "eps": o["epsilon"],
            "momentum": o["momentum"],
            "centered": o["centered"],
            "weight_decay": o["weight_decay"] or 0,
        }


@optimizers.add("adagrad")
class Adagrad(Optimizer):
    """Steps divided by the root of the sum of squared gradients. Source: Duchi et al., JMLR 2011.

    Args:
        learning_rate: a number or a schedule.
        initial_accumulator_value: of the sum.
        epsilon: added to the root.
        kwargs: as for `Optimizer`.
    """

    kind = optim.Adagrad

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            initial_accumulator_value=initial_accumulator_value,
            epsilon=epsilon,
            weight_decay=weight_decay,
            **kwargs,
        )

    def _settings(self) -> dict[str, Any]:
        o = self._options
        return {
            "initial_accumulator_value": o["initial_accumulator_value"],
            "eps": o["epsilon"],
            "weight_decay": o["weight_decay"] or 0,
        }


@optimizers.add("adadelta")
class Adadelta(Optimizer):
    """Steps scaled by the root mean square of past steps. Source: Zeiler, arXiv 1212.5701.

    Args:
        learning_rate: a number or a schedule.
        rho: how much of the mean squares is kept.
        epsilon: added under the roots.
        kwargs: as for `Optimizer`.
    """

    kind = optim.Adadelta

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, rho=rho, epsilon=epsilon, weight_decay=weight_decay, **kwargs)

    def _settings(self) -> dict[str, Any]:
        o = self._options
        return {"rho": o["rho"], "eps": o["epsilon"], "weight_decay": o["weight_decay"] or 0}


def serialize_optimizer(optimizer: Optimizer) -> dict[str, Any]:
    """Class name and configuration."""
    found: dict[str, Any] = serialize(optimizer)
    return found
