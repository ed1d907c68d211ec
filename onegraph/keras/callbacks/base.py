"""What a callback is, the list of them in a run, and the history that `fit` returns.

Read next: `monitor.py` (early stopping, checkpoints), `logs.py` (files), `progress.py` (what `verbose` prints).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, StateError
from onegraph.keras import config

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
        from onegraph.keras.callbacks.progress import ProgbarLogger

        given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
        for callback in given:
            if not isinstance(callback, Callback):
                raise ArgumentTypeError(f"callbacks must be objects of keras.callbacks.Callback, got {callback!r:.60}")
        auto = verbose == "auto"
        verbose = (1 if config.is_interactive_logging_enabled() else 2) if auto else int(verbose)
        if history and not any(isinstance(c, History) for c in given):
            given.append(History())
        if verbose and not any(isinstance(c, ProgbarLogger) for c in given):
            given.append(ProgbarLogger())
        self.callbacks: list[Callback] = given
        for callback in given:
            callback.set_params({"epochs": epochs, "steps": steps, "verbose": verbose})
            callback.__dict__["chosen"] = not auto
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


class TerminateOnNaN(Callback):
    """Stop training when the loss is NaN or infinite, and say where.

    Args:
        raise_error: raise a StateError instead of stopping.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            message = f"Epoch {self._epoch + 1}, batch {batch + 1}: the loss is {loss}"
            if self.raise_error:
                raise StateError(message, hint="lower the learning rate, or look for NaN in the data")
            print(f"{message}, training stops")
            self.model.stop_training = True
