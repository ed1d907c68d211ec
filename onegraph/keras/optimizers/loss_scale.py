"""`LossScaleOptimizer`: a scaled loss keeps small float16 gradients from vanishing; steps that overflow are left out.

Source: Micikevicius et al., "Mixed precision training", ICLR 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import float32
from onegraph.keras.optimizers.base import Optimizer, optimizers
from onegraph.nn.state import full

_where = EXPORTS["where"]


@optimizers.add()
class LossScaleOptimizer(Optimizer):
    """Another optimizer, with a loss scale that halves when gradients overflow and doubles when they have not for long.

    Args:
        inner_optimizer: the optimizer.
        initial_scale: of the loss.
        dynamic_growth_steps: after how many good steps the scale is doubled.
        name: of the optimizer.
    """

    def __init__(
        self,
        inner_optimizer: Any,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(inner_optimizer, dict):
            inner_optimizer = optimizers.deserialize(inner_optimizer)
        if not isinstance(inner_optimizer, Optimizer):
            raise ArgumentError("LossScaleOptimizer: inner_optimizer must be a Keras optimizer")
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps
        self.dynamic_scale = full((), float(initial_scale), float32)
        self.step_counter = full((), 0.0, float32)

    def build(self, trainable_variables: Sequence[Tensor]) -> None:
        """Give the optimizer its weights."""
        self._weights = list(trainable_variables)
        self.inner_optimizer.build(trainable_variables)
        self._inner = self.inner_optimizer._inner

    @property
    def learning_rate(self) -> float:
        """The inner optimizer's."""
        return self.inner_optimizer.learning_rate if hasattr(self, "inner_optimizer") else 0.0

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def variables(self) -> list[Tensor]:
        """The state's tensors."""
        return [self.dynamic_scale, self.step_counter, *self.inner_optimizer.variables]

    @property
    def phase(self) -> str:
        """Which kind of step comes next."""
        return self.inner_optimizer.phase

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the scale."""
        return loss * self.dynamic_scale.to(loss.dtype)

    def before_step(self) -> None:
        """Set this step's learning rate."""
        self.inner_optimizer.before_step()

    def after_step(self) -> None:
        """Count the step."""
        super().after_step()
        self.inner_optimizer.after_step()

    def _apply(self) -> None:
        weights = [w for w in self._weights if w.grad is not None]
        finite: Any = None
        for w in weights:
            w.grad = (w.grad / self.dynamic_scale.to(w.dtype)).detach()  # type: ignore[operator]
            good = w.grad.isfinite().all()
            finite = good if finite is None else finite & good
        self._make_state(weights)
        touched = [*self._weights, *self.inner_optimizer.variables]
        before = [t.detach() for t in touched]
        self.inner_optimizer._apply()
        for tensor, old in zip(touched, before, strict=True):
            tensor._assign(_where(finite, tensor.detach(), old).node)
        grown = self.step_counter + 1 >= self.dynamic_growth_steps
        scale = self.dynamic_scale
        up = _where(grown, scale * 2.0, scale * 1.0)
        counter = _where(finite & ~grown, self.step_counter + 1.0, self.step_counter * 0.0)
        self.dynamic_scale._assign(_where(finite, up, scale * 0.5).node)
        self.step_counter._assign(counter.node)

    def _make_state(self, weights: list[Tensor]) -> None:
        """The inner optimizer makes its state at its first step; here it is needed before."""
        for part in getattr(self._inner, "parts", [self._inner]):
            for index, group in enumerate(part.param_groups):
                active = [p for p in group["params"] if p.grad is not None]
                hyper = part._hyper(index)
                if active:
                    part._prepare_state(group, active, part.rule.slots(hyper), hyper)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        from onegraph.keras.registry import serialize

        return {
            "inner_optimizer": serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
            "name": self.name,
        }
