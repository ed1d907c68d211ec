"""The training loop behind `onegraph train`: one traced step a batch shape, logs, checkpoints, and a resume that gives
the same bits as if nothing had happened.

Read next: `recipe.py` (optimizer, schedule, augmentation), `train.py`, `not_finite.py`, `memory.py`, `interrupt.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

import onegraph as og
from onegraph import zoo
from onegraph.board import SummaryWriter
from onegraph.cli.interrupt import Interrupted, StopSignals
from onegraph.cli.measure import Measurement, measure
from onegraph.cli.memory import explain_memory
from onegraph.cli.not_finite import explain_step, first_bad_parameter
from onegraph.cli.preprocessing import Preprocessing
from onegraph.cli.progress import Progress
from onegraph.cli.recipe import Average, augmentation_for, loss_of, optimizer_for, scheduler_for
from onegraph.cli.settings import OPTIMIZERS, Settings
from onegraph.data import DataLoader, WorkerError
from onegraph.data.array import ImageClassificationData
from onegraph.errors import OutOfMemoryError, StateError
from onegraph.frontend.tensor import wrap_buffer
from onegraph.nn import Module
from onegraph.nn.utils import clip_grad_norm_
from onegraph.storage.checkpoint import Checkpoints

FORMAT = 2
"""Version of what a checkpoint of `onegraph train` holds."""


@dataclass
class Position:
    """How far training is; sums are over the running epoch.

    Attributes:
        epoch: epochs that are complete.
        step: steps so far, in all epochs.
        seen, loss, correct: images, sum of their losses, and how many were right.
    """

    epoch: int = 0
    step: int = 0
    seen: int = 0
    loss: float = 0.0
    correct: int = 0


class Trainer:
    """Trains a network on images.

    Args:
        settings: what to do.
        data: training and test images.
        model: the network, freshly made.
        out: the folder for checkpoints and logs.
        workers: processes that load and augment images; 0 for a thread.
        stop_on_nan: stop with an explanation when a loss or a parameter is not finite.
        quiet: print nothing.
        preprocessing: how images are prepared; measured on the training images by default.
    """

    def __init__(
        self,
        settings: Settings,
        data: ImageClassificationData,
        model: Module,
        out: Path,
        workers: int = 0,
        stop_on_nan: bool = True,
        quiet: bool = False,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        self.settings, self.data, self.model, self.out = settings, data, model, out
        self.stop_on_nan, self.quiet = stop_on_nan, quiet
        self.preprocessing = preprocessing or Preprocessing.measured(data.train)
        self.loader = self._make_loader(workers)
        self.optimizer = optimizer_for(settings, model)
        self.scheduler = scheduler_for(settings, self.optimizer, len(self.loader))
        self.average = Average(model, settings.ema) if settings.ema else None
        self.measured_model = model if self.average is None else self.average.model
        """What is measured and saved."""
        self.checkpoints = Checkpoints(out / "checkpoints")
        self.position = Position()
        self.step = og.jit(self._step)
        self.logits = og.jit(self.measured_model)
        self._before: tuple[list[tuple[og.Tensor, Any]], Any] | None = None
        self._thawed = False

    def _make_loader(self, workers: int) -> DataLoader:
        settings = self.settings
        # Whole pixels of black come in at the border, so augmentation stands before scaling.
        changes = augmentation_for(settings, self.data.image_shape, len(self.data.class_names))
        return DataLoader(
            changes.dataset(self.data.train, settings.seed),
            settings.batch_size,
            shuffle=True,
            seed=settings.seed,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_batches=0 if workers else 4,
            collate_fn=changes.collate,
        )

    def _forward(self, images: og.Tensor, labels: og.Tensor) -> tuple[og.Tensor, og.Tensor]:
        """Loss and logits, in the precision that was asked for."""
        half = og.autocast("cpu", dtype=og.bfloat16) if self.settings.amp == "bf16" else contextlib.nullcontext()
        with half:
            result = self.model(images)
        return loss_of(result, labels, self.settings.label_smoothing)

    def _step(self, images: og.Tensor, labels: og.Tensor) -> tuple[og.Tensor, og.Tensor, og.Tensor]:
        """One step of training: forward, loss, gradients, update. Traced once a batch shape.

        Returns:
            The loss, how many images were right, and the largest gradient.
        """
        loss, logits = self._forward(images, labels)
        loss.backward()
        gradients = [p.grad.abs().max() for p in self.model.parameters() if p.grad is not None]
        if self.settings.clip_grad:
            clip_grad_norm_(self.model.parameters(), self.settings.clip_grad)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update()
        classes = labels if len(labels.shape) == 1 else labels.argmax(1)  # of mixed images the larger part
        right = (logits.detach().argmax(1) == classes).sum()
        return loss.detach(), right, og.stack(gradients).max()

    # ---- the loop

    def run(self) -> Measurement:
        """Train to the end, and measure on the test images.

        Raises:
            Interrupted: a signal came; the state is saved.
            NotFiniteError: a NaN or infinity appeared, with `stop_on_nan`.
            StorageError: a checkpoint or log cannot be written.
            OutOfMemoryError: there is no memory for a step; says what is large and what to lower.
        """
        result: Measurement | None = None
        with StopSignals() as signals, SummaryWriter(self.out / "log", purge_step=self.position.step) as board:
            try:
                while self.position.epoch < self.settings.epochs:
                    self._epoch(board, signals)
                    result = self._end_of_epoch(board)
            except MemoryError as error:
                raise self._no_memory(error) from error
            except WorkerError:
                if signals.received is None:  # Ctrl-C reaches the workers too
                    raise
                self._stop(signals)
            finally:
                self.loader.close()
        return result or self.measure()

    def _no_memory(self, error: MemoryError) -> OutOfMemoryError:
        return explain_memory(error, self.model, self.data.image_shape, self.settings)

    def _thaw(self) -> None:
        """Let everything learn once the epochs of --unfreeze-after are over."""
        after = self.settings.unfreeze_after
        if after and self.position.epoch >= after and not self._thawed:
            self._thawed = True
            zoo.unfreeze(self.model)

    def _epoch(self, board: SummaryWriter, signals: StopSignals) -> None:
        """Train on the rest of the running epoch."""
        position = self.position
        self._thaw()
        self.model.train()
        images = len(self.data.train)
        progress = Progress(position.epoch + 1, self.settings.epochs, images, position.seen, self.quiet)
        iterator = iter(self.loader)
        try:
            for batch in iterator:
                count = len(batch[1])
                loss, correct = self._train_on(*batch)
                position.seen += count
                position.loss += loss * count
                position.correct += correct
                progress.update(count, position.loss / position.seen, position.correct / position.seen)
                self._log_step(board, loss, correct / count, progress.rate(), batch[0])
                position.step += 1
                if signals.received is not None:
                    self._stop(signals)
            self.seconds_left = progress.time_left() if self.settings.epochs > position.epoch + 1 else ""
            self.rate = progress.rate()
        finally:
            iterator.close()
            progress.close()

    def _train_on(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, int]:
        """One step; loss and number of images that were right."""
        scaled = self.preprocessing(images)
        if self.stop_on_nan:
            tensors = [*self.model.parameters(), *self.model.buffers()]
            self._before = [(t, t._realize()) for t in tensors], og.get_rng_state()
        loss, correct, gradient = (tensor.item() for tensor in self.step(scaled, labels))
        self._rate = self.optimizer.param_groups[-1]["lr"]
        self.scheduler.step()
        if self.stop_on_nan and not (math.isfinite(loss) and math.isfinite(gradient)):
            raise self._explain(scaled, labels)
        self._last_batch, self._largest_gradient = (scaled, labels), gradient
        return loss, int(correct)

    def _explain(self, scaled: np.ndarray, labels: np.ndarray) -> Exception:
        """Put the values from before the last step back, and find where it went wrong."""
        assert self._before is not None
        values, random = self._before
        with og.no_grad():
            for tensor, buffer in values:
                tensor.data = wrap_buffer(buffer)
                tensor.grad = None
        og.set_rng_state(random)
        where = f"step {self.position.step + 1}, in epoch {self.position.epoch + 1}"
        usual = OPTIMIZERS[self.settings.optimizer][1]
        lower = usual if self.settings.lr > usual else self.settings.lr / 10
        advice = f"the learning rate is {self.settings.lr:g}: try --lr {lower:g}, or check the data"
        latest = self.checkpoints.steps()
        if latest:
            advice += f"; the last good checkpoint is {self.checkpoints.path(latest[-1])}"
        images, targets = og.tensor(scaled), og.tensor(labels)
        named = list(self.model.named_parameters())
        return explain_step(lambda: self._forward(images, targets)[0], named, scaled, where, advice)

    def _end_of_epoch(self, board: SummaryWriter) -> Measurement:
        """Measure, log, save and say how it went."""
        position = self.position
        if self.stop_on_nan and first_bad_parameter(self.model.named_parameters()) is not None:
            position.step -= 1
            raise self._explain(*self._last_batch)
        loss, accuracy = position.loss / position.seen, position.correct / position.seen
        result = self.measure()
        board.add_scalar("loss/test", result.loss, position.step)
        board.add_scalar("accuracy/test", result.accuracy, position.step)
        for name, parameter in self.model.named_parameters():
            if np.isfinite(values := parameter.numpy(force=True)).all():
                board.add_histogram(f"parameters/{name}", values, position.step)
        position.epoch += 1
        position.seen, position.loss, position.correct = 0, 0.0, 0
        board.flush()
        self.save()
        if not self.quiet:
            width = len(str(self.settings.epochs))
            click.echo(
                f"epoch {position.epoch:>{width}}/{self.settings.epochs}  loss {loss:.4f}  accuracy {accuracy:6.2%}"
                f"  test accuracy {result.accuracy:6.2%}  {self.rate:,.0f} images/s"
                + (f"  left {self.seconds_left}" if self.seconds_left else "")
            )
        return result

    def _log_step(self, board: SummaryWriter, loss: float, accuracy: float, rate: float, images: np.ndarray) -> None:
        step = self.position.step
        if step == 0:
            board.add_images("input", images[:8], 0)
        board.add_scalar("loss/train", loss, step)
        board.add_scalar("accuracy/train", accuracy, step)
        board.add_scalar("learning rate", self._rate, step)
        board.add_scalar("largest gradient", self._largest_gradient, step)
        board.add_scalar("images a second", rate, step)

    def measure(self) -> Measurement:
        """Loss and accuracy on the test images."""
        self.measured_model.eval()
        classes = len(self.data.class_names)

        def forward(images: np.ndarray) -> np.ndarray:
            with og.no_grad():
                return self.logits(images).numpy()

        return measure(forward, self.data.test, self.preprocessing, classes)

    # ---- state

    def _stop(self, signals: StopSignals) -> None:
        self.save()
        raise Interrupted(signals.received or 0)

    def save(self) -> Path:
        """Write a checkpoint; the previous ones stay until it is complete."""
        return self.checkpoints.save(self.position.step, self.state())

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on."""
        return {
            "format": FORMAT,
            "settings": dataclasses.asdict(self.settings),
            "position": dataclasses.asdict(self.position),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "loader": self.loader.state_dict(),
            "random": og.get_rng_state(),
            "class_names": list(self.data.class_names),
            "preprocessing": self.preprocessing.to_dict(),
            "saved_at": time.time(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the trainer that gave `state` stood.

        Raises:
            StateError: it is of another network, data set or version.
        """
        if tuple(state["class_names"]) != tuple(self.data.class_names):
            raise StateError(
                f"the checkpoint was trained on the classes {', '.join(state['class_names'])}; the data has "
                f"{', '.join(self.data.class_names)}"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.loader.load_state_dict(state["loader"])
        og.set_rng_state(state["random"])
        self.preprocessing = Preprocessing.from_dict(state["preprocessing"])
        self.position = Position(**state["position"])
        og.eval(self.model.state_dict())
