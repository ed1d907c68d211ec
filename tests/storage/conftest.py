"""A saved model that several files of tests read, and damage copies of."""

from __future__ import annotations

from pathlib import Path

import pytest

import onegraph as og
from tests.storage.networks import Net, vectors


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Net]:
    og.manual_seed(0)
    net = Net()
    net(vectors(6), vectors(6, 1))["logits"].sum().backward()  # gradients and statistics are there
    path = tmp_path_factory.mktemp("models") / "net"
    og.save_model(path, net, (vectors(2), vectors(2)), extra={"classes": ["a", "b"], "metrics": {"accuracy": 0.5}})
    assert net.training and net.norm.training and not net.frozen.training, "the modes are restored"
    return path, net.eval()
