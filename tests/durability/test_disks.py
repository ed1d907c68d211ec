"""Real disks that are full or read-only: a typed error that names the file, and what was saved before is still there and whole.

Needs the right to mount a file system in memory; elsewhere this is skipped, and `test_storage_atomic.py` limits file sizes instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import onegraph as og
from onegraph.board import SummaryWriter
from onegraph.config import using
from onegraph.errors import StorageError
from onegraph.storage import Checkpoints
from tests.durability import kills

SIZE = 2 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "onegraph-test", str(folder)]
    try:
        allowed = subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("no right to mount a file system here")
    try:
        with using(backend="reference"):
            yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, timeout=20, check=False)


def remount_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True, timeout=20)


def fill(folder: Path) -> None:
    """Leave no room."""
    with open(folder / "ballast", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def first_versions(folder: Path) -> None:
    for name, (save, _) in kills.WRITERS.items():
        save(folder / name, 1)


def check_first_versions(folder: Path) -> None:
    """All are there, whole, and of the first version; nothing unfinished lies around."""
    for name, (_, load) in kills.WRITERS.items():
        for values in kills._values(load(folder / name)):
            assert (values == 1).all(), name
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """First versions of all formats must fit on the disk together."""
    monkeypatch.setattr(kills, "SIZE", 8_000)


@pytest.mark.parametrize("name", kills.WRITERS)
def test_a_full_disk_loses_nothing(disk: Path, small: None, name: str) -> None:
    first_versions(disk)
    fill(disk)
    with pytest.raises((StorageError, OSError)) as caught:
        kills.WRITERS[name][0](disk / name, 2)
    assert isinstance(caught.value, StorageError), f"{type(caught.value)}: {caught.value}"
    assert name.split(".")[0] in str(caught.value) and ("space" in str(caught.value) or "full" in str(caught.value))
    check_first_versions(disk)
    (disk / "ballast").unlink()
    kills.WRITERS[name][0](disk / name, 3)
    assert all((v == 3).all() for v in kills._values(kills.WRITERS[name][1](disk / name)))


@pytest.mark.parametrize("name", kills.WRITERS)
def test_a_read_only_disk_is_said_and_reading_goes_on(disk: Path, small: None, name: str) -> None:
    first_versions(disk)
    remount_read_only(disk)
    with pytest.raises(StorageError, match=r"(?i)read-only"):
        kills.WRITERS[name][0](disk / name, 2)
    check_first_versions(disk)


def test_checkpoints_of_a_run_survive_a_disk_that_fills_up(disk: Path) -> None:
    checkpoints = Checkpoints(disk / "run", keep=None)
    step = 0
    with pytest.raises(StorageError, match=f"step-{0:06d}"):
        for step in range(100):
            checkpoints.save(step, {"step": step, "w": np.full(20_000, step, np.float32)})
    assert step > 5
    latest = checkpoints.latest()  # a warning would be an error: all that have a name are sound
    assert latest is not None and latest[0] == step - 1 and (latest[1]["w"] == step - 1).all()


def test_logs_and_the_cache_of_kernels_never_stop_training(disk: Path) -> None:
    fill(disk)
    with using(backend="native", cache_folder=str(disk / "cache")):
        x = og.tensor(np.arange(7, dtype=np.float32))
        assert ((x * 3.25 + 1).sin().cumsum(0) ** 2).sum().isfinite().item()
    with pytest.raises(StorageError), SummaryWriter(disk / "log") as writer:
        for step in range(1000):
            writer.add_scalar("loss", 1.0, step)
            writer.add_text("note", "x" * 1000, step)


TRAIN = "from onegraph.cli.main import main; main()"


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_onegraph_train_says_so_in_one_line(disk: Path, state: str) -> None:
    if state == "full":
        fill(disk)
    else:
        remount_read_only(disk)
    arguments = ["train", "mlp", "--out", str(disk / "run"), "--limit", "40", "--epochs", "1"]
    result = subprocess.run(
        [sys.executable, "-c", TRAIN, *arguments],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "ONEGRAPH_BACKEND": "reference"},
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.startswith("StorageError: cannot write") and "Traceback" not in result.stderr, result.stderr
