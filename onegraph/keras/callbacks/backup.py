"""Callbacks that keep or exchange all weights: backups to go on from, averages for evaluation. Read next: `monitor.py`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from onegraph.errors import ArgumentError, StateError
from onegraph.frontend.random import get_rng_state, set_rng_state
from onegraph.frontend.state import no_grad
from onegraph.keras.callbacks.base import Callback, Logs
from onegraph.storage.atomic import atomic_directory
from onegraph.storage.checkpoint import load, save

_PROGRESS, _WEIGHTS, _OPTIMIZER = "progress.json", "weights.safetensors", "optimizer.safetensors"


class BackupAndRestore(Callback):
    """Keep what training needs to go on after an interruption: weights, the optimizer's state, the epoch, random numbers.

    `fit` with the same callback goes on from the backup, and gives what it would have given without the interruption.

    Args:
        backup_dir: a folder.
        save_freq: 'epoch', or a number of batches; training goes on at the beginning of the epoch.
        double_checkpoint: keep the backup before the last one too, in a folder with `_prev` behind its name.
        delete_checkpoint: delete the backup when training ends well.
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not os.fspath(backup_dir):
            raise ArgumentError("BackupAndRestore: backup_dir must name a folder")
        if save_freq != "epoch" and (not isinstance(save_freq, int) or save_freq < 1):
            raise ArgumentError(
                f"BackupAndRestore: save_freq must be 'epoch' or a number of batches, got {save_freq!r}"
            )
        self.backup_dir, self.save_freq = Path(backup_dir), save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._epoch, self._batches = 0, 0

    @property
    def _previous(self) -> Path:
        return self.backup_dir.with_name(self.backup_dir.name + "_prev")

    def on_train_begin(self, logs: Logs = None) -> None:
        """Go on from a backup, if there is one."""
        for folder in (self.backup_dir, self._previous):
            if (folder / _PROGRESS).exists():
                self._restore(folder)
                return

    def _restore(self, folder: Path) -> None:
        progress = json.loads((folder / _PROGRESS).read_text())
        wanted = {name: tensor for name, tensor, _ in self.model._all_weights()}
        values = load(folder / _WEIGHTS)
        if [tuple(t.shape) for t in wanted.values()] != [tuple(t.shape) for t in values.values()]:
            raise StateError(
                f"BackupAndRestore: the backup in {os.fspath(folder)!r} is of another model",
                hint="delete the folder, or choose another one",
            )
        with no_grad():
            for tensor, value in zip(wanted.values(), values.values(), strict=True):
                tensor.copy_(value)
        if (folder / _OPTIMIZER).exists():
            state = load(folder / _OPTIMIZER)
            self.model._loaded_state = state
            self.model.optimizer.iterations = int(state["iterations"])
            if self.model.optimizer.built:
                self.model.optimizer.load_state_dict(state)
                self.model._loaded_state = None
        set_rng_state(get_rng_state().new_tensor(progress["random"]))
        self.model.__dict__["_initial_epoch"] = progress["epoch"]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Keep a backup, when so many batches are done."""
        super().on_train_batch_end(batch, logs)
        if self.save_freq != "epoch":
            self._batches += 1
            if self._batches % int(self.save_freq) == 0:
                self._backup(self._epoch)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keep a backup."""
        if self.save_freq == "epoch":
            self._backup(epoch + 1)

    def _backup(self, epoch: int) -> None:
        if self.double_checkpoint and self.backup_dir.exists():
            shutil.rmtree(self._previous, ignore_errors=True)
            shutil.copytree(self.backup_dir, self._previous)
        progress = {"epoch": epoch, "random": get_rng_state().tolist()}
        with atomic_directory(self.backup_dir) as folder:
            save({path: tensor.detach() for path, tensor, _ in self.model._all_weights()}, folder / _WEIGHTS)
            if self.model.optimizer is not None and self.model.optimizer.built:
                save(self.model.optimizer.state_dict(), folder / _OPTIMIZER)
            (folder / _PROGRESS).write_text(json.dumps(progress))

    def on_train_end(self, logs: Logs = None) -> None:
        """Delete the backup."""
        if self.delete_checkpoint:
            for folder in (self.backup_dir, self._previous):
                shutil.rmtree(folder, ignore_errors=True)


class SwapEMAWeights(Callback):
    """Exchange the weights with the averages that an optimizer with `use_ema=True` keeps, for evaluation and prediction.

    Args:
        swap_on_epoch: also at the end of each epoch, so that other callbacks (checkpoints) see the averages; the weights
            come back when the next one begins.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def _swap(self) -> None:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if optimizer is None or not optimizer.use_ema:
            raise ArgumentError("SwapEMAWeights: the optimizer keeps no averages", hint="use_ema=True")
        if not optimizer._averages:
            return
        with no_grad():
            for weight, average in zip(optimizer._weights, optimizer._averages, strict=True):
                kept = weight.detach().clone()
                weight.copy_(average)
                average.copy_(kept)
        self._swapped = not self._swapped

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Take the weights back."""
        if self._swapped:
            self._swap()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Show the averages to other callbacks."""
        if self.swap_on_epoch:
            self._swap()

    def on_train_end(self, logs: Logs = None) -> None:
        """Take the weights back."""
        if self._swapped:
            self._swap()

    def on_test_begin(self, logs: Logs = None) -> None:
        """Evaluate the averages."""
        self._swap()

    def on_test_end(self, logs: Logs = None) -> None:
        """Take the weights back."""
        self._swap()

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Predict with the averages."""
        self._swap()

    def on_predict_end(self, logs: Logs = None) -> None:
        """Take the weights back."""
        self._swap()
