"""What `verbose` prints: a bar for each epoch (1) or a line for each epoch (2). Read next: `../utils/progbar.py`."""

from __future__ import annotations

from typing import Any

from onegraph.keras.callbacks.base import Callback, Logs
from onegraph.keras.utils.progbar import Progbar, moves


class ProgbarLogger(Callback):
    """Print progress, as Keras does:

        Epoch 1/5
        12/12 ━━━━━━━━━━━━━━━━━━━━ 0s 3ms/step - loss: 0.6931 - val_loss: 0.6900

    Where the output is neither a terminal nor a notebook, only the finished line of each epoch is printed.
    """

    def __init__(self, *accepted: Any, **options: Any) -> None:
        super().__init__()
        self._bar: Progbar | None = None
        self._logs: dict[str, float] = {}

    @property
    def _verbose(self) -> int:
        return int(self.params.get("verbose", 1))

    def _start(self) -> None:
        self._bar = Progbar(self.params.get("steps"), verbose=self._verbose, unit_name="step")

    def _advance(self, batch: int, logs: Logs) -> None:
        self._logs = dict(logs or {})
        if self._bar is not None:
            self._bar.stateful_metrics |= set(self._logs)
            self._bar.update(batch + 1, list(self._logs.items()), finalize=False)

    def _finish(self, logs: Logs) -> None:
        if self._bar is not None:
            found = dict(logs or self._logs)
            self._bar.stateful_metrics |= set(found)
            if self._bar.target is None:
                self._bar.target = self._bar.seen_so_far
            self._bar.update(self._bar.seen_so_far, list(found.items()), finalize=True)
        self.close()

    def close(self) -> None:
        """Let go of the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Begin a bar."""
        if self._verbose:
            print(f"Epoch {epoch + 1}/{self.params['epochs']}", flush=True)
            self._start()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar."""
        self._advance(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """End the bar, with the numbers of validation."""
        if self._verbose:
            self._finish(logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Begin a bar, unless evaluation is a part of training."""
        if self.__dict__.get("evaluates_alone") and self._verbose:
            self._start()

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar."""
        if self.__dict__.get("evaluates_alone"):
            self._advance(batch, logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """End the bar."""
        if self.__dict__.get("evaluates_alone") and self._verbose:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Begin a bar; where it cannot move, prediction is silent unless verbose says otherwise."""
        if self._verbose and (moves() or self.__dict__.get("chosen", True)):
            self._start()

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar."""
        self._advance(batch, logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        """End the bar."""
        self._finish(logs)
