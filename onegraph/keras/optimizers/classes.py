"""The optimizers that `onegraph.optim` has too, with Keras' names and defaults. Read next: `newer.py`."""

from __future__ import annotations

from typing import Any

from onegraph import optim
from onegraph.keras.optimizers.base import Optimizer, optimizers


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
        super().__init__(learning_rate, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, **kwargs)

    def _settings(self) -> dict[str, Any]:
        o = self._options
        momentum = o["momentum"]
        return {
            "momentum": momentum,
            "nesterov": bool(o["nesterov"] and momentum),
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
        return {"betas": (o["beta_1"], o["beta_2"]), "eps": o["epsilon"]}


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
        return {**super()._settings(), "amsgrad": self._options["amsgrad"]}


@optimizers.add("adamw")
class AdamW(_AdamLike):
    """Adam with decoupled weight decay. Source: Loshchilov and Hutter, ICLR 2019. Arguments as for Adam."""

    kind = optim.Adam

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
        return {"rho": o["rho"], "eps": o["epsilon"]}
