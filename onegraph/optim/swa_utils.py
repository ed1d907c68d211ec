"""Averages of a model's weights over its training: `AveragedModel`, the ways to average, `SWALR` and `update_bn`.

Sources: Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018 (SWA); Polyak and
Juditsky 1992 (exponential moving averages of weights are their descendants).
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.convert import tensor
from onegraph.frontend.device import Device
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, realize_tensors
from onegraph.ir.dtype import int64
from onegraph.nn.module import Module
from onegraph.nn.normalization import BatchNorm
from onegraph.optim.cycles import for_each_group
from onegraph.optim.optimizer import Optimizer
from onegraph.optim.schedule import LRScheduler

Average = Callable[[Tensor, Tensor, Any], Tensor]
SeveralAverages = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Exponential moving average of one tensor: decay * average + (1 - decay) * current.

    Args:
        decay: how much of the average is kept at each update, from 0 to 1.
    """
    _check_decay(decay)

    def average(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return ema_param * decay + current_param * (1 - decay)

    return average


def get_swa_avg_fn() -> Average:
    """Plain average of one tensor over all updates."""

    def average(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> SeveralAverages:
    """As `get_ema_avg_fn`, for all tensors at once, written in place.

    >>> import onegraph as og
    >>> model = og.nn.Linear(2, 1)
    >>> ema = og.optim.swa_utils.AveragedModel(model, multi_avg_fn=og.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    >>> ema.update_parameters(model)
    """
    return _for_all(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> SeveralAverages:
    """As `get_swa_avg_fn`, for all tensors at once, written in place."""
    return _for_all(get_swa_avg_fn())


def _check_decay(decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ArgumentError(f"an exponential moving average keeps a part from 0 to 1, got decay={decay}")


def _for_all(average: Average) -> SeveralAverages:
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: Any) -> None:
        for mine, theirs in zip(averaged, current, strict=True):
            mine.copy_(average(mine, theirs, num_averaged))

    return update


class AveragedModel(Module):
    """A copy of a model whose parameters are an average of those that `update_parameters` has seen.

    Args:
        model: the model that is trained.
        device: only 'cpu'.
        avg_fn: (average, current, number of updates so far) -> new average, of one tensor; a plain average by default.
        multi_avg_fn: the same for lists of tensors, written in place; used instead of avg_fn.
        use_buffers: average floating buffers (running statistics) too; otherwise they are copied at each update.

    Attributes:
        module: the averaged model.
        n_averaged: number of updates.

    >>> import onegraph as og
    >>> model = og.nn.Linear(1, 1, bias=False)
    >>> average = og.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = og.nn.init.constant_(model.weight, value)
    ...     average.update_parameters(model)
    >>> average.module.weight.item()
    3.0
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: SeveralAverages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError("AveragedModel: give avg_fn or multi_avg_fn, not both")
        Device(device or "cpu")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", tensor(0, dtype=int64))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the present parameters of the trained model into the average, and compute it.

        Raises:
            ShapeError: the model has other parameters than the one that was copied.
        """
        averaged, current = self._averaged(self.module), self._averaged(model)
        shapes = [tuple(p.shape) for p in averaged], [tuple(p.shape) for p in current]
        if shapes[0] != shapes[1]:
            raise ShapeError(f"AveragedModel: averages parameters of shapes {shapes[0]}, the model has {shapes[1]}")
        with no_grad():
            current = [p.detach() for p in current]
            if self.n_averaged.item() == 0:
                for mine, theirs in zip(averaged, current, strict=True):
                    mine.copy_(theirs)
            elif self.multi_avg_fn is not None:
                self.multi_avg_fn([p.detach() for p in averaged], current, self.n_averaged)
            else:
                average = get_swa_avg_fn() if self.avg_fn is None else self.avg_fn
                _for_all(average)([p.detach() for p in averaged], current, self.n_averaged)
            buffers: list[Tensor] = []
            if not self.use_buffers:
                buffers = list(self.module.buffers())
                for mine, theirs in zip(buffers, model.buffers(), strict=True):
                    mine.copy_(theirs.detach())
            self.n_averaged += 1
        realize_tensors([*averaged, *buffers, self.n_averaged])

    def _averaged(self, model: Module) -> list[Tensor]:
        return [*model.parameters(), *(model.buffers() if self.use_buffers else ())]


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch norms anew, from one pass over data.

    Args:
        loader: gives batches; of lists and tuples the first element is the model's input.
        model: whose batch norms are updated; it is left in the mode (training or not) in which it was.
        device: only 'cpu'.
    """
    Device(device or "cpu")
    norms = [m for m in model.modules() if isinstance(m, BatchNorm)]
    if not norms:
        return
    momenta = [m.momentum for m in norms]
    was_training = model.training
    model.train()
    for m in norms:
        m.reset_running_stats()
        m.momentum = None  # a plain average over batches
    try:
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (list, tuple)) else batch)
                realize_tensors(list(itertools.chain.from_iterable(m.buffers() for m in norms)))
    finally:
        for m, momentum in zip(norms, momenta, strict=True):
            m.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """The rate goes to a constant one in some steps, and stays there.

    Args:
        optimizer: whose groups' rates are set.
        swa_lr: the constant rate, or one for each group.
        anneal_epochs: number of steps to it.
        anneal_strategy: 'cos' or 'linear'.
        last_epoch: number of the last step; -1 starts anew.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"SWALR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ArgumentError(f"SWALR: anneal_epochs must be an int from 0 on, got {anneal_epochs!r}")
        for lr, group in zip(for_each_group("swa_lr", swa_lr, optimizer), optimizer.param_groups, strict=True):
            group["swa_lr"] = lr
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _part(self, step: int) -> float:
        """How far from the first rate to the constant one a step is, from 0 to 1."""
        done = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * done)) / 2 if self.anneal_strategy == "cos" else done

    def get_lr(self) -> list[float]:
        """The rates of the present step, from the present ones."""
        step = self._step_count - 1
        step = max(1, step) if self.anneal_epochs == 0 else step
        before, now = self._part(step - 1), self._part(step)
        rates = []
        for lr, group in zip(self._present(), self.optimizer.param_groups, strict=True):
            goal = group["swa_lr"]
            first = goal if before == 1 else (lr - before * goal) / (1 - before)
            rates.append(goal * now + first * (1 - now))
        return rates
