"""Callbacks: code that runs at the beginning and the end of training, epochs and batches.

Read next: `progress.py` (what `verbose` prints).
"""

from __future__ import annotations

import csv
import math
import os
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onegraph.board import SummaryWriter
from onegraph.errors import ArgumentError, ArgumentTypeError

Logs = dict[str, float] | None


class Callback:
    """Base of callbacks: define the methods you need.

    Attributes:
        model: the model that is trained.
        params: a dict with 'epochs', 'steps' and 'verbose'.
    """

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_model(self, model: Any) -> None:
        """Called with the model before training."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called with epochs, steps and verbose before training."""
        self.params = params

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before training."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After training."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch; logs hold its loss and metrics, those of validation beginning with val_."""

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of training."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of training; logs hold loss and metrics of the epoch so far."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of training."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of training."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before evaluation."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of evaluation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of prediction."""


class History(Callback):
    """Loss and metrics of each epoch; what `fit` returns.

    Attributes:
        epoch: numbers of the epochs.
        history: lists by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin."""
        self.epoch, self.history = [], {}

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Note the epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class CallbackList:
    """The callbacks of one run.

    Args:
        callbacks: given by the user.
        model: that runs.
        verbose: 0, 1, 2 or 'auto'.
        epochs, steps: as for `fit`; steps may be unknown.
        history: whether to keep a History in `model.history`.
    """

    def __init__(
        self, callbacks: Any, model: Any, verbose: Any, epochs: int, steps: int | None, history: bool = True
    ) -> None:
        from onegraph.keras.progress import ProgbarLogger

        given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
        for callback in given:
            if not isinstance(callback, Callback):
                raise ArgumentTypeError(f"callbacks must be objects of keras.callbacks.Callback, got {callback!r:.60}")
        verbose = 1 if verbose == "auto" else int(verbose)
        if history and not any(isinstance(c, History) for c in given):
            given.append(History())
        if verbose and not any(isinstance(c, ProgbarLogger) for c in given):
            given.append(ProgbarLogger())
        self.callbacks: list[Callback] = given
        for callback in given:
            callback.set_params({"epochs": epochs, "steps": steps, "verbose": verbose})
            callback.set_model(model)
            if history and isinstance(callback, History):
                model.__dict__["history"] = callback

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def call(*args: Any) -> None:
            for callback in self.callbacks:
                getattr(callback, name)(*args)

        return call

    def on_test_begin(self, alone: bool = False) -> None:
        """Before evaluation; `alone` when it is no part of training."""
        for callback in self.callbacks:
            callback.__dict__["evaluates_alone"] = alone
            callback.on_test_begin()

    def close(self) -> None:
        """Let go of what callbacks hold open, also after an error."""
        for callback in self.callbacks:
            close = getattr(callback, "close", None)
            if close is not None:
                close()


class LambdaCallback(Callback):
    """A callback of functions, given by the names of the methods.

    Args:
        functions: e.g. on_epoch_end=lambda epoch, logs: print(logs).
    """

    def __init__(self, **functions: Callable[..., Any] | None) -> None:
        super().__init__()
        for name, function in functions.items():
            if not hasattr(Callback, name):
                raise ArgumentError(f"LambdaCallback: there is no {name!r} in a callback")
            if function is not None:
                setattr(self, name, function)


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
        import inspect

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


class TerminateOnNaN(Callback):
    """Stop training when the loss is NaN or infinite, and say where."""

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Epoch {self._epoch + 1}, batch {batch + 1}: the loss is {loss}, training stops")
            self.model.stop_training = True


class CSVLogger(Callback):
    """Write the logs of each epoch into a file.

    Args:
        filename: the file.
        separator: between values.
        append: go on in a file that is there.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.separator, self.append = Path(filename), separator, append
        self._file: Any = None
        self._keys: Sequence[str] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Open the file."""
        going_on = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        self._keys = None
        if going_on:
            with self.filename.open(newline="") as file:
                self._keys = next(csv.reader(file, delimiter=self.separator))[1:]
        self._file = self.filename.open("a" if self.append else "w", newline="")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write a line."""
        logs = logs or {}
        writer = csv.writer(self._file, delimiter=self.separator, lineterminator="\n")
        if self._keys is None:
            self._keys = sorted(logs)
            writer.writerow(["epoch", *self._keys])
        writer.writerow([epoch, *[logs.get(k, "NA") for k in self._keys]])
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class TensorBoard(Callback):
    """Write logs for TensorBoard: scalars of each epoch into `train` and `validation`, and histograms of weights.

    Args:
        log_dir: the folder.
        histogram_freq: every how many epochs to write histograms of the weights; 0 for never.
        update_freq: 'epoch', 'batch', or a number of batches, for the scalars of training.
    """

    def __init__(
        self, log_dir: Any = "./logs", histogram_freq: int = 0, update_freq: Any = "epoch", **accepted: Any
    ) -> None:
        super().__init__()
        self.log_dir, self.histogram_freq, self.update_freq = Path(log_dir), histogram_freq, update_freq
        self._writers: dict[str, SummaryWriter] = {}
        self._step = 0

    def _writer(self, name: str) -> SummaryWriter:
        if name not in self._writers:
            self._writers[name] = SummaryWriter(self.log_dir / name)
        return self._writers[name]

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Write the scalars so far."""
        super().on_train_batch_end(batch, logs)
        self._step += 1
        every = {"epoch": 0, "batch": 1}.get(self.update_freq, self.update_freq)
        if every and self._step % int(every) == 0:
            for name, value in (logs or {}).items():
                self._writer("train").add_scalar(f"batch_{name}", value, self._step)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the scalars of the epoch."""
        values = {**(logs or {}), "learning_rate": self.model.optimizer.learning_rate}
        for name, value in values.items():
            validation = name.startswith("val_")
            tag = f"epoch_{name.removeprefix('val_')}"
            self._writer("validation" if validation else "train").add_scalar(tag, value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for path, tensor, _ in self.model._all_weights():
                self._writer("train").add_histogram(path.replace(".", "/"), tensor.detach().numpy(), epoch)
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
