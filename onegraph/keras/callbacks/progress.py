"""What `verbose` prints: a bar for each epoch (1) or a line for each epoch (2), with tqdm."""

from __future__ import annotations

import sys
import time
from typing import Any

from tqdm import tqdm

from onegraph.keras.callbacks.base import Callback, Logs


class ProgbarLogger(Callback):
    """Print progress, as Keras does:

        Epoch 1/5
        12/12 [==============================] - 0s - loss: 0.6931 - val_loss: 0.6900

    Where the output is no terminal, only the finished bar of each epoch is printed.
    """

    def __init__(self, *accepted: Any, **options: Any) -> None:
        super().__init__()
        self._bar: Any = None
        self._begin = 0.0
        self._done = 0

    @property
    def _verbose(self) -> int:
        return int(self.params.get("verbose", 1))

    def _start(self) -> None:
        self._begin, self._done = time.perf_counter(), 0
        if self._verbose == 1:
            moving = (hasattr(sys.stdout, "isatty") and sys.stdout.isatty()) or type(sys.stdout).__module__.startswith(
                "ipykernel"
            )
            self._bar = tqdm(
                total=self.params.get("steps"),
                file=sys.stdout,
                ascii=".>=",
                ncols=None,
                leave=True,
                disable=not moving,
                bar_format="{n_fmt}/{total_fmt} [{bar:30}] - {elapsed_s:.0f}s{desc}"  # tqdm puts a comma before a postfix
                if self.params.get("steps")
                else "{n_fmt}/? - {elapsed_s:.0f}s{desc}",
            )

    def _advance(self, logs: Logs) -> None:
        self._done += 1
        if self._bar is not None and not self._bar.disable:
            self._bar.desc = _text(logs)
            self._bar.update(1)

    def _finish(self, logs: Logs) -> None:
        steps = self.params.get("steps") or self._done
        seconds = time.perf_counter() - self._begin
        if self._bar is not None and not self._bar.disable:
            self._bar.desc = _text(logs)
            self._bar.refresh()
        elif self._verbose == 1:
            print(f"{self._done}/{steps} [{'=' * 30}] - {seconds:.0f}s{_text(logs)}", flush=True)
        else:
            print(f"{self._done}/{steps} - {seconds:.0f}s{_text(logs)}", flush=True)
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
        self._advance(logs)

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
            self._advance(logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """End the bar."""
        if self.__dict__.get("evaluates_alone") and self._verbose:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Begin a bar."""
        if self._verbose:
            self._start()

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Move the bar."""
        self._advance(logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        """End the bar."""
        if self._verbose:
            self._finish(logs)


def _text(logs: Logs) -> str:
    return "".join(
        f" - {k}: {v:.4f}" if abs(v) >= 1e-3 or v == 0 else f" - {k}: {v:.4e}" for k, v in (logs or {}).items()
    )
