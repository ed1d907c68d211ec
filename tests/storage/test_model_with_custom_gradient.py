"""A model that uses gradients of its own is saved like any other: what is saved computes values only."""

from __future__ import annotations

from pathlib import Path

import onegraph as og


class RoundThrough(og.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return og.round(x)

    @staticmethod
    def backward(ctx, g):
        return g


class Rounded(og.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = og.nn.Linear(3, 2)

    def forward(self, x):
        return RoundThrough.apply(self.linear(x) * 4) + self.linear(x).detach()


def test_saved_and_loaded(tmp_path: Path) -> None:
    og.manual_seed(0)
    model = Rounded()
    x = og.randn(5, 3)
    og.save_model(tmp_path / "model", model, og.ones(2, 3))
    assert og.load_model(tmp_path / "model")(x).tolist() == model(x).tolist()
