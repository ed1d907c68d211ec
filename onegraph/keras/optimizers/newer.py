"""Lion, LAMB, FTRL, Adafactor and Muon. Read first: `classes.py`; their rules are in `rules.py`."""

from __future__ import annotations

import re
from typing import Any

from onegraph import optim
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.keras.optimizers import rules
from onegraph.keras.optimizers.base import Optimizer, optimizers


class _ByRule(Optimizer):
    """An optimizer whose rule is one of `rules.py`."""

    rule: Any

    def _make_inner(self, weights: list[Tensor]) -> Any:
        return rules.RuleOptimizer(weights, type(self).rule, lr=self.learning_rate, **self._settings())


@optimizers.add("lion")
class Lion(_ByRule):
    """Steps of one size by the sign of a mean. Source: Chen et al., arXiv 2302.06675.

    Args:
        learning_rate: a number or a schedule; about a tenth of Adam's.
        beta_1, beta_2: how much of the mean is kept for the step, and for the next one.
        kwargs: as for `Optimizer`.
    """

    rule = rules.lion

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, beta_1=beta_1, beta_2=beta_2, **kwargs)

    def _settings(self) -> dict[str, Any]:
        return {"betas": (self._options["beta_1"], self._options["beta_2"])}


@optimizers.add("lamb")
class Lamb(_ByRule):
    """Adam's direction with steps as long as the weights, for large batches. Source: You et al., arXiv 1904.00962.

    Args:
        learning_rate: a number or a schedule.
        beta_1, beta_2: how much of the mean and of the mean square of gradients is kept.
        epsilon: added to the root of the mean square.
        kwargs: as for `Optimizer`.
    """

    rule = rules.lamb

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
            learning_rate, weight_decay=weight_decay, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **kwargs
        )

    def _settings(self) -> dict[str, Any]:
        return {"betas": (self._options["beta_1"], self._options["beta_2"]), "eps": self._options["epsilon"]}


@optimizers.add("ftrl")
class Ftrl(_ByRule):
    """Follow the regularized leader, for sparse linear models. Source: McMahan et al., KDD 2013.

    Args:
        learning_rate: a number or a schedule.
        learning_rate_power: not positive; 0 for a rate that does not fall.
        initial_accumulator_value: of the sums of squares.
        l1_regularization_strength, l2_regularization_strength: penalties in the closed form of the step.
        l2_shrinkage_regularization_strength: a penalty through the gradient.
        beta: of the paper.
        kwargs: as for `Optimizer`.
    """

    rule = rules.ftrl

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        strengths = (l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength)
        if learning_rate_power > 0 or initial_accumulator_value < 0 or min(strengths) < 0:
            raise ArgumentError(
                "Ftrl: learning_rate_power must not be positive, initial_accumulator_value and the strengths of "
                "regularization not negative"
            )
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            learning_rate_power=learning_rate_power,
            initial_accumulator_value=initial_accumulator_value,
            l1_regularization_strength=l1_regularization_strength,
            l2_regularization_strength=l2_regularization_strength,
            l2_shrinkage_regularization_strength=l2_shrinkage_regularization_strength,
            beta=beta,
            **kwargs,
        )

    def _settings(self) -> dict[str, Any]:
        o = self._options
        return {
            "learning_rate_power": o["learning_rate_power"],
            "initial_accumulator_value": o["initial_accumulator_value"],
            "l1": o["l1_regularization_strength"],
            "l2": o["l2_regularization_strength"],
            "shrinkage": o["l2_shrinkage_regularization_strength"],
            "beta": o["beta"],
        }


@optimizers.add("adafactor")
class Adafactor(_ByRule):
    """Adam's scaling from mean squares by rows and columns. Source: Shazeer and Stern, arXiv 1804.04235.

    Args:
        learning_rate: a number or a schedule; an upper bound.
        beta_2_decay: the mean squares of step t keep 1 - t^beta_2_decay.
        epsilon_1: added to squares.
        epsilon_2: the least scale of weights.
        clip_threshold: updates have at most this root mean square.
        relative_step: the rate is at most 1 / sqrt(t), as it is anyway.
        kwargs: as for `Optimizer`.
    """

    rule = rules.adafactor

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            beta_2_decay=beta_2_decay,
            epsilon_1=epsilon_1,
            epsilon_2=epsilon_2,
            clip_threshold=clip_threshold,
            relative_step=relative_step,
            **kwargs,
        )

    def _settings(self) -> dict[str, Any]:
        o = self._options
        eps = (o["epsilon_1"], o["epsilon_2"])
        return {"beta2_decay": o["beta_2_decay"], "eps": eps, "clip": o["clip_threshold"]}


class _Together:
    """Two optimizers of `onegraph.optim` that step as one."""

    def __init__(self, parts: list[Any], ratio: float) -> None:
        self.parts, self.ratio = parts, ratio

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of both."""
        return [group for part in self.parts for group in part.param_groups]

    @property
    def state(self) -> dict[Any, Any]:
        """The state of both."""
        return {k: v for part in self.parts for k, v in part.state.items()}

    def step(self) -> None:
        """Step both."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of both, by number."""
        return {str(i): part.state_dict() for i, part in enumerate(self.parts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        for i, part in enumerate(self.parts):
            part.load_state_dict(state[str(i)])


@optimizers.add("muon")
class Muon(Optimizer):
    """Momentum made orthogonal for matrices, Adam for everything else. Source: Jordan et al., 2024; arXiv 2502.16982.

    Args:
        learning_rate: a number or a schedule.
        adam_beta_1, adam_beta_2, adam_weight_decay, epsilon: of Adam.
        weight_decay: of matrices.
        exclude_layers: patterns of names of weights that Adam trains.
        exclude_embeddings: Adam trains embeddings.
        muon_a, muon_b, muon_c: of the polynomial of the iteration.
        adam_lr_ratio: Adam's rate, in parts of the learning rate.
        momentum: how much of the direction is kept.
        ns_steps: number of iterations.
        nesterov: look ahead along the direction.
        rms_rate: updates of a matrix (m, n) are scaled by sqrt(max(m, n)) times this; None for no scaling.
        kwargs: as for `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        exclude_layers: Any = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        own = {
            k: v
            for k, v in locals().items()
            if k not in ("self", "learning_rate", "weight_decay", "kwargs", "__class__")
        }
        super().__init__(learning_rate, weight_decay=weight_decay, **own, **kwargs)

    def _by_adam(self, weight: Tensor) -> bool:
        name = str(getattr(weight, "name", None) or "").lower()
        if len(weight.shape) != 2 or (self._options["exclude_embeddings"] and "embedding" in name):
            return True
        return any(re.search(pattern, name) for pattern in self._options["exclude_layers"] or [])

    def _make_inner(self, weights: list[Tensor]) -> Any:
        o = self._options
        matrices = [w for w in weights if not self._by_adam(w)]
        others = [w for w in weights if self._by_adam(w)]
        parts: list[Any] = []
        if matrices:
            numbers = {k: o[k] for k in ("momentum", "nesterov", "ns_steps", "rms_rate")}
            numbers["coefficients"] = (o["muon_a"], o["muon_b"], o["muon_c"])
            parts.append(rules.RuleOptimizer(matrices, rules.muon, lr=self.learning_rate, **numbers))
        if others:
            betas = (o["adam_beta_1"], o["adam_beta_2"])
            parts.append(optim.Adam(others, lr=self.learning_rate, betas=betas, eps=o["epsilon"]))
        return _Together(parts, o["adam_lr_ratio"])

    def before_step(self) -> None:
        """Set this step's learning rates."""
        super().before_step()
        if self._inner is not None:
            for part in self._inner.parts:
                if isinstance(part, optim.Adam):
                    for group in part.param_groups:
                        group["lr"] = self.learning_rate * self._options["adam_lr_ratio"]

    def _decays(self, weight: Any) -> bool:
        return super()._decays(weight) and (not self._by_adam(weight) or bool(self._options["adam_weight_decay"]))

    def _decay_rate(self) -> float:
        return self.learning_rate * float(self.weight_decay or 0.0)
