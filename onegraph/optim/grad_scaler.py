"""`GradScaler`: losses scaled up so that float16 gradients do not vanish, and steps skipped when they overflow.

Source: Micikevicius et al., "Mixed Precision Training", 2018, section 3.2; the growing and shrinking scale is PyTorch's.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, DTypeError, StateError
from onegraph.frontend.convert import tensor
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, realize_tensors
from onegraph.ir.dtype import float16, float32
from onegraph.nn.state import full
from onegraph.optim.optimizer import Optimizer

_READY, _UNSCALED, _STEPPED = "ready", "unscaled", "stepped"


class GradScaler:
    """Scales losses, and unscales gradients before the optimizer's step, which is left out when one is not finite.

    Where `autocast` computes in float16, small gradients would become zero. A scaled loss makes them larger; when they
    overflow, the step is skipped and the scale halved, and after many good steps it is doubled. bfloat16 has the range
    of float32 and needs no scaler.

    Args:
        device: 'cpu'. There is no other here, so any other warns and leaves the scaler disabled, as PyTorch does on a
            machine without one.
        init_scale: first scale.
        growth_factor: of the scale after `growth_interval` good steps in a row, above 1.
        backoff_factor: of the scale after a step with gradients that are not finite, below 1.
        growth_interval: number of good steps in a row.
        enabled: False: scaling does nothing and `step` is the optimizer's.

    >>> import onegraph as og
    >>> model = og.nn.Linear(2, 1)
    >>> optimizer, scaler = og.optim.SGD(model.parameters(), lr=0.1), og.amp.GradScaler("cpu")
    >>> with og.autocast("cpu", dtype=og.float16):
    ...     loss = model(og.ones(4, 2)).square().mean()
    >>> scaler.scale(loss).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if not isinstance(device, str):
            raise ArgumentTypeError(f"GradScaler: device must be a string such as 'cpu', got {type(device).__name__}")
        if enabled and device.partition(":")[0] != "cpu":
            warnings.warn(
                f"GradScaler: there is no {device!r} here, so nothing is scaled; write GradScaler('cpu')", stacklevel=2
            )
            enabled = False
        if enabled and not (growth_factor > 1 and 0 < backoff_factor < 1):
            raise ArgumentError(
                f"GradScaler: growth_factor must be above 1 and backoff_factor below 1, got {growth_factor}, {backoff_factor}"
            )
        self._device, self._enabled, self._init_scale = device, enabled, float(init_scale)
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._scale = full((), self._init_scale, float32)
        self._stages: defaultdict[int, str] = defaultdict(lambda: _READY)
        self._found: dict[int, bool] = {}

    def is_enabled(self) -> bool:
        """Whether anything is scaled."""
        return self._enabled

    def scale(self, outputs: Any) -> Any:
        """A loss (or lists of them) times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, Iterable):
            kind = type(outputs) if isinstance(outputs, (list, tuple)) else tuple
            return kind([self.scale(o) for o in outputs])
        raise ArgumentTypeError(f"GradScaler: can scale tensors and lists of them, got {type(outputs).__name__}")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, so that they may be clipped before `step`.

        Raises:
            StateError: it was done already since the last `update`, or comes after `step`.
            DTypeError: gradients of float16 parameters, which have no room to be unscaled: keep parameters in float32.
        """
        if not self._enabled:
            return
        stage = self._stages[id(optimizer)]
        if stage != _READY:
            raise StateError(
                "GradScaler: unscale_ comes once for each step, before it"
                if stage == _UNSCALED
                else "GradScaler: unscale_ was called after step",
                hint="call update() at the end of each step",
            )
        gradients = []
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.dtype is float16:
                    raise DTypeError(
                        "GradScaler: a parameter is float16, so its gradients cannot be unscaled",
                        hint="keep parameters in float32; autocast casts them where they are used",
                    )
                gradients.append(p.grad)
        self._found[id(optimizer)] = self._divide(gradients)
        self._stages[id(optimizer)] = _UNSCALED

    def _divide(self, gradients: list[Tensor]) -> bool:
        """Divide gradients by the scale; gives whether any is not finite. All in one plan, with what they wait for."""
        if not gradients:
            return False
        inverse = 1.0 / float(self._scale.item())
        with no_grad():
            bad = tensor(False)
            for gradient in gradients:
                gradient.mul_(inverse)
                bad = bad.logical_or(gradient.isfinite().logical_not().any())
        realize_tensors([*gradients, bad])
        return bool(bad.item())

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step, after `unscale_` where that was not called; left out when a gradient is not finite.

        Raises:
            StateError: a second step before `update`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or (args and callable(args[0])):
            raise ArgumentError("GradScaler: step takes no closure", hint="compute the loss before step")
        if self._stages[id(optimizer)] == _STEPPED:
            raise StateError("GradScaler: step was called twice", hint="call update() at the end of each step")
        if self._stages[id(optimizer)] == _READY:
            self.unscale_(optimizer)
        if id(optimizer) not in self._found or not any(
            p.grad is not None for group in optimizer.param_groups for p in group["params"]
        ):
            raise StateError("GradScaler: no parameter of this optimizer has a gradient", hint="call backward() first")
        self._stages[id(optimizer)] = _STEPPED
        return None if self._found[id(optimizer)] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """End a step of training: let the scale grow or shrink, or set it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._set(float(new_scale))
        elif not self._found:
            raise StateError("GradScaler: update without a step", hint="call step(optimizer) first")
        elif any(self._found.values()):
            self._set(self.get_scale() * self._backoff_factor)
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                grown = self.get_scale() * self._growth_factor
                if math.isfinite(grown) and grown < 3.4e38:
                    self._set(grown)
                self._growth_tracker = 0
        self._stages.clear()
        self._found.clear()

    def _set(self, value: float) -> None:
        with no_grad():
            self._scale.copy_(tensor(value, dtype=float32))

    def get_scale(self) -> float:
        """The present scale; 1 when disabled."""
        return float(self._scale.item()) if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """Factor of the scale when it grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set the factor of the scale when it grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Factor of the scale when it shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set the factor of the scale when it shrinks."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Number of good steps after which the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set the number of good steps after which the scale grows."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """Scale, factors and the count of good steps, in PyTorch's layout; empty when disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state that `state_dict` gave.

        Raises:
            StateError: the state is empty, as that of a disabled scaler is.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise StateError("GradScaler: the state is empty", hint="it was saved by a scaler that was disabled")
        self._set(float(state_dict["scale"]))
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]
