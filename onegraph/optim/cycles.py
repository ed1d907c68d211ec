"""Schedules that go up and down, start anew, or wait for a plateau. Read first: `schedule.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError
from onegraph.optim.optimizer import Optimizer
from onegraph.optim.schedule import LRScheduler, number, set_number


def for_each_group(name: str, value: Any, optimizer: Optimizer) -> list[float]:
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise ArgumentError(f"{name}: {count} groups need as many values, got {len(values)}")
    return values


def _set_momentum(group: dict[str, Any], value: float) -> None:
    """The momentum, or the first of the betas."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        set_number(group, "momentum", value)


def _check_momentum(name: str, optimizer: Optimizer) -> None:
    if not all("betas" in g or "momentum" in g for g in optimizer.param_groups):
        raise ArgumentError(f"{name}: the optimizer has no momentum to cycle", hint="pass cycle_momentum=False")


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine down to `eta_min` in T_0 steps, then anew, each time `T_mult` times as long.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if T_0 < 1 or T_mult < 1 or not isinstance(T_0, int) or not isinstance(T_mult, int):
            raise ArgumentError(
                f"CosineAnnealingWarmRestarts: T_0 and T_mult must be ints from 1 on, got {T_0} and {T_mult}"
            )
        self.T_0, self.T_i, self.T_mult, self.eta_min, self.T_cur = T_0, T_0, T_mult, eta_min, float(last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates of the present step."""
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:  # type: ignore[override]
        """Go one step on, or to a step, which may be a fraction."""
        self._step_count += 1
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult
        elif epoch < 0:
            raise ArgumentError(f"CosineAnnealingWarmRestarts: a step must not be negative, got {epoch}")
        else:
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _go_to(self, epoch: float) -> None:
        self.T_i, self.T_cur = self.T_0, epoch
        if epoch >= self.T_0 and self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        elif epoch >= self.T_0:
            n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n


class CyclicLR(LRScheduler):
    """The rate goes up and down between two bounds, the momentum the other way.

    Args:
        base_lr, max_lr: the bounds, or one for each group.
        step_size_up, step_size_down: steps of the rising and of the falling half.
        mode: 'triangular'; 'triangular2' halves the height each cycle; 'exp_range' scales it by gamma ** step.
        scale_fn, scale_mode: a scale of your own, as a function of the 'cycle' or of the 'iterations'.
        cycle_momentum: whether the momentum cycles too, between base_momentum and max_momentum.

    Source: Smith, "Cyclical learning rates for training neural networks", 2017.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.8,
        max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ArgumentError(f"CyclicLR: mode must be triangular, triangular2 or exp_range, got {mode!r}")
        if last_epoch == -1:
            for lr, group in zip(for_each_group("base_lr", base_lr, optimizer), optimizer.param_groups, strict=True):
                set_number(group, "lr", lr)
        self.max_lrs = for_each_group("max_lr", max_lr, optimizer)
        self.total_size = float(step_size_up + (step_size_up if step_size_down is None else step_size_down))
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self.scale_fn = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            _check_momentum("CyclicLR", optimizer)
            self.base_momentums = for_each_group("base_momentum", base_momentum, optimizer)
            self.max_momentums = for_each_group("max_momentum", max_momentum, optimizer)
        super().__init__(optimizer, last_epoch)
        if last_epoch == -1:
            self.base_lrs = for_each_group("base_lr", base_lr, optimizer)

    def _scale(self, x: float) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(x)
        if self.mode == "triangular":
            return 1.0
        return 1.0 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[float]:
        """The rates of the present step; sets the momenta."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height *= self._scale(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for low, high, group in zip(
                self.base_momentums, self.max_momentums, self.optimizer.param_groups, strict=True
            ):
                _set_momentum(group, high - (high - low) * height)
        return [base + (top - base) * height for base, top in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and a scale of your own."""
        return {k: v for k, v in super().state_dict().items() if k != "scale_fn"}


class OneCycleLR(LRScheduler):
    """One rise to `max_lr` and one fall far below the start, the momentum the other way; stepped every batch.

    Args:
        max_lr: the highest rate, or one for each group.
        total_steps: steps of the cycle; or `epochs` times `steps_per_epoch`.
        pct_start: part of the steps that rises.
        anneal_strategy: 'cos' or 'linear'.
        cycle_momentum: whether the momentum cycles too, between max_momentum and base_momentum.
        div_factor: max_lr over the first rate.
        final_div_factor: the first rate over the last.
        three_phase: fall back to the first rate as long as it rose, then to the last.

    Source: Smith and Topin, "Super-convergence", 2018.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ArgumentError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if total_steps <= 0 or not 0 <= pct_start <= 1 or anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(
                f"OneCycleLR: needs total_steps > 0, pct_start from 0 to 1 and anneal_strategy 'cos' or 'linear', "
                f"got {total_steps}, {pct_start} and {anneal_strategy!r}"
            )
        self.total_steps, self.anneal_strategy, self.cycle_momentum = total_steps, anneal_strategy, cycle_momentum
        rise = float(pct_start * total_steps) - 1
        end = total_steps - 1
        # (last step, rate at its start and end, momentum at its start and end)
        self._phases = [(rise, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        if three_phase:
            self._phases.append(
                (2 * float(pct_start * total_steps) - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
            )
            self._phases.append((end, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
        else:
            self._phases.append((end, "max_lr", "min_lr", "base_momentum", "max_momentum"))
        if last_epoch == -1:
            for top, group in zip(for_each_group("max_lr", max_lr, optimizer), optimizer.param_groups, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
        if cycle_momentum:
            _check_momentum("OneCycleLR", optimizer)
            if last_epoch == -1:
                low = for_each_group("base_momentum", base_momentum, optimizer)
                high = for_each_group("max_momentum", max_momentum, optimizer)
                for group, a, b in zip(optimizer.param_groups, low, high, strict=True):
                    group["base_momentum"], group["max_momentum"] = a, b
                    _set_momentum(group, b)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, part: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)

    def get_lr(self) -> list[float]:
        """The rates of the present step; sets the momenta."""
        step = self.last_epoch
        if step > self.total_steps:
            raise ArgumentError(f"OneCycleLR: step {step} is beyond the cycle of {self.total_steps} steps")
        first = 0.0
        for phase in self._phases[:-1]:
            if step <= phase[0]:
                break
            first = phase[0]
        else:
            phase = self._phases[-1]
        part = (step - first) / (phase[0] - first)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase[1]], group[phase[2]], part))
            if self.cycle_momentum:
                _set_momentum(group, self._between(group[phase[3]], group[phase[4]], part))
        return rates


class ReduceLROnPlateau(LRScheduler):
    """The rate times a factor when a number has not become better for a while.

    Args:
        mode: 'min' when smaller is better, 'max' when larger is.
        factor: of the rate.
        patience: steps without getting better that are forgiven.
        threshold, threshold_mode: what counts as better: a part of the best ('rel'), or a distance from it ('abs').
        cooldown: steps after a change in which nothing counts.
        min_lr: the lowest rate, or one for each group.
        eps: smaller changes of the rate are left out.

    >>> import onegraph as og
    >>> optimizer = og.optim.SGD([og.nn.Parameter(og.zeros(1))], lr=1.0)
    >>> schedule = og.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in (3.0, 3.0, 3.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Any = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1:
            raise ArgumentError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ArgumentError(
                f"ReduceLROnPlateau: mode is 'min' or 'max', threshold_mode 'rel' or 'abs', got {mode!r}, {threshold_mode!r}"
            )
        self.optimizer = optimizer
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.min_lrs = for_each_group("min_lr", min_lr, optimizer)
        self.last_epoch = 0
        self._last_lr = self._present()
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Tell the number of this step (a tensor is looked at), and change the rate if it is time to."""
        value = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._present()

    def _better(self, value: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "rel":
            return sign * value < sign * self.best * (1 - sign * self.threshold)
        return sign * value < sign * self.best - self.threshold

    def _reduce(self) -> None:
        for group, low in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            old = number(group["lr"])
            new = max(old * self.factor, low)
            if old - new > self.eps:
                set_number(group, "lr", new)
