"""A small run of training that has all that must be resumed: shuffled data, noise, dropout, running statistics, an optimizer
with state, a schedule, a scaler of losses, an average of weights. Read next: `kills.py`, `test_resume.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import onegraph as og
from onegraph import nn, optim
from onegraph.utils.data import DataLoader, TensorDataset


class Run:
    """A run that can be asked for its state at any step, and go on from it.

    Args:
        workers: processes that load data.
    """

    def __init__(self, workers: int = 0) -> None:
        og.manual_seed(7)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
        groups = [{"params": self.model[0].parameters(), "lr": 0.05}, {"params": self.model[4].parameters()}]
        self.optimizer = optim.AdamW(groups, lr=0.01, amsgrad=True)
        warm = optim.lr_scheduler.LinearLR(self.optimizer, 0.1, total_iters=4)
        after = optim.lr_scheduler.CosineAnnealingWarmRestarts(self.optimizer, T_0=5)
        self.scheduler = optim.lr_scheduler.SequentialLR(self.optimizer, [warm, after], milestones=[4])
        self.average = optim.swa_utils.AveragedModel(self.model, multi_avg_fn=optim.swa_utils.get_ema_multi_avg_fn(0.9))
        self.scaler = og.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3)
        values = np.random.default_rng(3).standard_normal((22, 7)).astype(np.float32)
        data = TensorDataset(og.tensor(values[:, :6]), og.tensor(values[:, 6:]))
        self.loader = DataLoader(data, batch_size=5, shuffle=True, num_workers=workers)
        self.step = 0
        self._batches: Iterator[Any] | None = None

    def advance(self) -> float:
        """One step; returns its loss."""
        if self._batches is None:
            self._batches = iter(self.loader)
        try:
            x, y = next(self._batches)
        except StopIteration:
            self._batches = iter(self.loader)
            x, y = next(self._batches)
        x = x + 0.01 * og.randn(*x.shape)
        loss = nn.functional.mse_loss(self.model(x), y)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self.average.update_parameters(self.model)
        self.step += 1
        return float(loss.item())

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "average": self.average,
            "scaler": self.scaler,
            "loader": self.loader,
        }

    def state(self) -> dict[str, Any]:
        """All that decides how it goes on."""
        found = {name: part.state_dict() for name, part in self._parts().items()}
        return {**found, "random": og.get_rng_state(), "step": self.step}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        og.set_rng_state(state["random"])
        self.step, self._batches = state["step"], None


def digest(value: Any) -> str:
    """A checksum of nested state: kinds, names, bits."""
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, og.Tensor):
            value = value.numpy(force=True)
        if isinstance(value, dict):
            for key in value:
                found.update(repr(key).encode())
                add(value[key])
        elif isinstance(value, (list, tuple)):
            found.update(f"{len(value)}".encode())
            for item in value:
                add(item)
        elif isinstance(value, np.ndarray):
            found.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
        else:
            found.update(repr(value).encode())

    add(value)
    return found.hexdigest()
