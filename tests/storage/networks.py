"""A network with everything that a saved model has to keep, for the tests of saved models."""

from __future__ import annotations

import numpy as np

import onegraph as og
from onegraph import nn


class Net(nn.Module):
    """Two inputs, a dict of outputs, tied weights, a buffer, a constant, and modules in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(4)
        self.frozen = nn.Dropout(0.5).eval()
        self.register_buffer("scale", og.tensor([1.0, 2.0, 3.0, 4.0]))
        self.table = og.tensor([0.5, 0.25, 0.125, 1.0])

    def forward(self, left: og.Tensor, right: og.Tensor) -> dict[str, og.Tensor]:
        x = self.frozen(self.norm(self.first(left)) + self.second(right)) * self.scale
        return {"logits": x, "scores": x.softmax(-1) * self.table}


def vectors(batch: int, seed: int = 0) -> og.Tensor:
    return og.tensor(np.random.default_rng(seed).standard_normal((batch, 4)).astype(np.float32))
