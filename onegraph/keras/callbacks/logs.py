"""Callbacks that write logs: into files (CSV, TensorBoard), and to a server."""

from __future__ import annotations

import csv
import json
import time
import urllib.parse
import urllib.request
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
    """Write logs for TensorBoard: scalars into `train` and `validation`, the layers as text, weights as histograms or images.

    Args:
        log_dir: the folder.
        histogram_freq: every how many epochs to write histograms of the weights; 0 for never.
        write_graph: write the table of layers, as text.
        write_images: write the weights as images, with the histograms.
        write_steps_per_second: how many steps a second were done, for each epoch.
        update_freq: 'epoch', 'batch', or a number of batches, for the scalars of training.
        profile_batch, embeddings_freq, embeddings_metadata: accepted, without effect: `onegraph.profiler` profiles.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        self.log_dir, self.histogram_freq, self.update_freq = Path(log_dir), histogram_freq, update_freq
        self.write_graph, self.write_images = write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self._writers: dict[str, SummaryWriter] = {}
        self._step, self._first_step, self._started = 0, 0, 0.0

    def _writer(self, name: str) -> SummaryWriter:
        if name not in self._writers:
            self._writers[name] = SummaryWriter(self.log_dir / name)
        return self._writers[name]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Write the table of layers."""
        if self.write_graph and self.model.built:
            lines: list[str] = []
            self.model.summary(print_fn=lines.append)
            self._writer("train").add_text(
                "model", "\n".join(f"    {line}" for text in lines for line in text.split("\n"))
            )

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note the time."""
        self._first_step, self._started = self._step, time.perf_counter()

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
        if self.write_steps_per_second:
            seconds = max(time.perf_counter() - self._started, 1e-9)
            values["steps_per_second"] = (self._step - self._first_step) / seconds
        for name, value in values.items():
            validation = name.startswith("val_")
            tag = f"epoch_{name.removeprefix('val_')}"
            self._writer("validation" if validation else "train").add_scalar(tag, value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        for writer in self._writers.values():
            writer.flush()

    def _write_weights(self, epoch: int) -> None:
        for path, tensor, _ in self.model._all_weights():
            tag, values = path.replace(".", "/"), tensor.detach().numpy()
            self._writer("train").add_histogram(tag, values, epoch)
            if self.write_images and values.ndim:
                picture = np.squeeze(values)
                picture = picture.reshape(-1, picture.shape[-1]) if picture.ndim > 1 else picture.reshape(1, -1)
                spread = float(np.ptp(picture)) or 1.0
                self._writer("train").add_image(f"{tag}/image", ((picture - picture.min()) / spread)[None], epoch)

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


class RemoteMonitor(Callback):
    """Send the logs of each epoch to a server, as JSON; a server that does not answer is warned about, and ignored.

    Args:
        root: the server.
        path: where to send to.
        field: under which the JSON is sent, as a form.
        headers: of the request.
        send_as_json: send the JSON as it is, rather than as a form.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = headers or {}, send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Send."""
        text = json.dumps({"epoch": epoch, **{k: float(v) for k, v in (logs or {}).items()}})
        headers = dict(self.headers)
        if self.send_as_json:
            body = text.encode()
            headers.setdefault("Content-Type", "application/json")
        else:
            body = urllib.parse.urlencode({self.field: text}).encode()
        request = urllib.request.Request(self.root + self.path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
        except OSError as error:
            warnings.warn(f"RemoteMonitor: {self.root} does not answer: {error}", stacklevel=2)
