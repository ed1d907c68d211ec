"""Nothing is lost by kills at random moments: a hundred of them, or as many as `kills.py` is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import onegraph as og
from onegraph.config import using
from tests.durability import kills

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")


@pytest.mark.slow
def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    report = kills.kill_repeatedly(tmp_path, 100, seed=4)
    assert report.lost == []
    assert report.kills == 100 and report.leftovers <= kills.LEFT_AT_MOST
    assert max(report.resumed) > 5, "training got nowhere: the kills came too early to say anything"
    assert sorted(set(report.resumed)) == list(dict.fromkeys(report.resumed)), "it never went back"


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    report = kills.kill_repeatedly(tmp_path, 8, seed=2, longest=0.1)
    assert report.lost == [] and report.kills == 8


def test_a_loss_would_be_noticed(tmp_path: Path) -> None:
    report = kills.Report()
    with using(backend="reference"):
        og.save({"a": og.ones(kills.SIZE), "b": og.zeros(kills.SIZE)}, tmp_path / "state.safetensors")
        (tmp_path / "state.pth").write_bytes(b"PK\x03\x04half")
        kills.check_files(tmp_path, report, ["state.safetensors", "state.pth", "checkpoint"])
    assert len(report.lost) == 2 and "mixes versions" in report.lost[0] and "state.pth" in report.lost[1]
