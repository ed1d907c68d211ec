"""Callbacks that write logs into files: CSV and TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onegraph.board import SummaryWriter
from onegraph.keras.callbacks.base import Callback, Logs
from onegraph.storage.filesystem import storage_error


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
        try:
            self._file = self.filename.open("a" if self.append else "w", newline="")
        except OSError as error:
            raise storage_error(error, self.filename, "write") from error

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
