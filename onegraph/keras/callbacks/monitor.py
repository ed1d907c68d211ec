"""Callbacks that watch a number of the logs: early stopping, checkpoints, learning rates."""

from __future__ import annotations

import inspect
import math
import os
import string
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.keras.callbacks.base import Callback, Logs


class _Monitor(Callback):
    """What callbacks that watch a number share.

    Args:
        monitor: its name in the logs.
        mode: 'min', 'max', or 'auto': max for accuracies and the like.
        min_delta: smaller changes do not count.
    """

    HIGHER_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "top_k")

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f"{type(self).__name__}: mode must be 'auto', 'min' or 'max', got {mode!r}")
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self._up = mode == "max" or (mode == "auto" and any(part in monitor for part in self.HIGHER_IS_BETTER))
        self.best = self._worst

    @property
    def _worst(self) -> float:
        return -math.inf if self._up else math.inf

    def _value(self, logs: Logs) -> float | None:
        """The watched number; None where there is none this time.

        Raises:
            ArgumentError: the logs of an epoch do not have it; lists those there are.
        """
        found = (logs or {}).get(self.monitor)
        if found is None and not (self.monitor.startswith("val_") and any(k.startswith("val_") for k in self._seen)):
            self._seen = set(logs or {})
            if self.monitor not in self._seen:
                raise ArgumentError(
                    f"{type(self).__name__}: there is no {self.monitor!r} to watch; there are {', '.join(logs or {})}",
                    hint="pass validation_data to fit" if self.monitor.startswith("val_") else None,
                )
        self._seen = set(logs or {}) | self._seen
        return found

    _seen: set[str] = set()  # noqa: RUF012

    def _better(self, value: float, than: float) -> bool:
        return value > than + self.min_delta if self._up else value < than - self.min_delta


class EarlyStopping(_Monitor):
    """Stop when a number has not improved for a while.

    Args:
        monitor: its name in the logs.
        min_delta: smaller changes do not count as improvement.
        patience: epochs to wait.
        verbose: 1 to say so.
        mode: 'min', 'max' or 'auto'.
        baseline: a value that must be beaten.
        restore_best_weights: end with the weights of the best epoch.
        start_from_epoch: epochs before it are not watched.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.wait, self.stopped_epoch, self.best_epoch, self.best_weights = 0, 0, 0, None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin."""
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best, self.best_weights = self._worst, None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Look at the number."""
        value = self._value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights = self.model.get_weights()
        self.wait += 1
        if self._better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Put the best weights back."""
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Save the model, or its weights, after epochs.

    Args:
        filepath: a folder (a file with save_weights_only); may hold {epoch} and names of the logs, as
            'model-{epoch:02d}-{val_loss:.2f}'.
        monitor: the number that decides what is best.
        verbose: 1 to say so.
        save_best_only: only when the number has improved.
        save_weights_only: the weights without architecture and optimizer.
        mode: 'min', 'max' or 'auto'.
        save_freq: 'epoch', or a number of batches.
        period: every how many epochs.
        initial_value_threshold: what the first value must beat.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
        period: int = 1,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq, self.period = save_freq, period
        if initial_value_threshold is not None:
            self.best = initial_value_threshold
        self._epoch, self._batches = 0, 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Save, when a number of batches is up."""
        super().on_train_batch_end(batch, logs)
        if self.save_freq != "epoch":
            self._batches += 1
            if self._batches % int(self.save_freq) == 0:
                self._save(self._epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save."""
        if self.save_freq == "epoch" and (epoch + 1) % self.period == 0:
            self._save(epoch, logs)

    def _save(self, epoch: int, logs: Logs) -> None:
        if self.save_best_only:
            value = self._value(logs)
            if value is None or not self._better(value, self.best):
                return
            self.best = value
        path = self._path(epoch, logs)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: model saved to {path}")

    def _path(self, epoch: int, logs: Logs) -> str:
        values = {"epoch": epoch + 1, **(logs or {})}
        names = [name for _, name, _, _ in string.Formatter().parse(self.filepath) if name]
        missing = [n for n in names if n not in values]
        if missing:
            raise ArgumentError(f"ModelCheckpoint: the path names {missing[0]!r}; there are {', '.join(values)}")
        return self.filepath.format(**values)


class LearningRateScheduler(Callback):
    """Set the learning rate of each epoch.

    Args:
        schedule: a function (epoch, present rate) -> rate, or of the epoch alone.
        verbose: 1 to say so.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the rate."""
        present = self.model.optimizer.learning_rate
        takes_rate = len(inspect.signature(self.schedule).parameters) > 1
        rate = self.schedule(epoch, present) if takes_rate else self.schedule(epoch)
        if isinstance(rate, bool) or (not isinstance(rate, (int, float)) and not hasattr(rate, "__float__")):
            raise ArgumentTypeError(f"LearningRateScheduler: the schedule must give a number, got {rate!r}")
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {float(rate):g}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Log the rate."""
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate


class ReduceLROnPlateau(_Monitor):
    """Lower the learning rate when a number has not improved for a while.

    Args:
        monitor: its name in the logs.
        factor: by which to multiply the rate.
        patience: epochs to wait.
        verbose: 1 to say so.
        mode: 'min', 'max' or 'auto'.
        min_delta: smaller changes do not count (Keras 1's `epsilon`).
        cooldown: epochs after a change that are not watched.
        min_lr: not lower than this.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        epsilon: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, min_delta if epsilon is None else epsilon)
        if factor >= 1:
            raise ArgumentError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        self.factor, self.patience, self.verbose, self.cooldown, self.min_lr = (
            factor,
            patience,
            verbose,
            cooldown,
            min_lr,
        )
        self.wait = self.cooling = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin."""
        self.wait = self.cooling = 0
        self.best = self._worst

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Look at the number."""
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = optimizer.learning_rate
        value = self._value(logs)
        if value is None:
            return
        if self.cooling > 0:
            self.cooling -= 1
            self.wait = 0
        if self._better(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooling <= 0:
            self.wait += 1
            old = optimizer.learning_rate
            if self.wait >= self.patience and old > self.min_lr:
                optimizer.learning_rate = max(old * self.factor, self.min_lr)
                self.cooling, self.wait = self.cooldown, 0
                if self.verbose:
                    print(f"Epoch {epoch + 1}: learning rate reduced to {optimizer.learning_rate:g}")
