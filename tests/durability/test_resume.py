"""Going on from a checkpoint gives the bits of a run that was never stopped: losses and all state, for each part and each way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.config import using
from onegraph.storage import Checkpoints, load_checkpoint, save_checkpoint
from tests.durability.training import Run, digest

STEPS = 13  # more than two epochs, past the change of schedule


@pytest.fixture(autouse=True)
def reference() -> Any:
    with using(backend="reference"):
        yield


@pytest.fixture(scope="module")
def whole() -> tuple[list[float], list[str]]:
    """Losses and checksums of a run that was never stopped."""
    with using(backend="reference"):
        run = Run()
        pairs = [(run.advance(), digest(run.state())) for _ in range(STEPS)]
    return [loss for loss, _ in pairs], [found for _, found in pairs]


SAVED = {
    "safetensors": (lambda state, path: og.save(state, path), og.load),
    "pth": (
        lambda state, path: og.save(state, path.with_suffix(".pth")),
        lambda path: og.load(path.with_suffix(".pth")),
    ),
    "folder": (lambda state, path: save_checkpoint(path, state), load_checkpoint),
}


@pytest.mark.parametrize("form", SAVED)
@pytest.mark.parametrize("stop", [1, 4, 5, 9])
def test_every_part_goes_on(whole: tuple[list[float], list[str]], form: str, stop: int, tmp_path: Path) -> None:
    save, load = SAVED[form]
    run = Run()
    for _ in range(stop):
        run.advance()
    save(run.state(), tmp_path / "state")
    og.manual_seed(999)  # another process would have other random numbers
    resumed = Run()
    resumed.restore(load(tmp_path / "state"))
    losses = [resumed.advance() for _ in range(STEPS - stop)]
    assert losses == whole[0][stop:]
    assert digest(resumed.state()) == whole[1][-1]


def test_stopping_at_each_step_changes_nothing(whole: tuple[list[float], list[str]], tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in range(STEPS):
        run, latest = Run(), checkpoints.latest()
        if latest is not None:
            run.restore(latest[1])
        assert run.advance() == whole[0][step]
        checkpoints.save(run.step, run.state())
        assert digest(checkpoints.load(run.step)) == whole[1][step]


ANOTHER = """
import sys
import onegraph as og
from onegraph.config import using
from tests.durability.training import Run, digest
with using(backend="reference"):
    run = Run(workers=int(sys.argv[2]))
    run.restore(og.load(sys.argv[1]))
    while run.step < int(sys.argv[3]):
        run.advance()
    print(digest(run.state()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_another_process_goes_on(whole: tuple[list[float], list[str]], workers: int, tmp_path: Path) -> None:
    run = Run(workers=workers)
    for _ in range(6):
        run.advance()
    og.save(run.state(), tmp_path / "state")
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", ANOTHER, str(tmp_path / "state"), str(workers), str(STEPS)]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout.strip() == whole[1][-1], result.stderr


def _keras_model() -> Any:
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=3, decay_rate=0.8)
    model.compile(keras.optimizers.AdamW(rate), "mse")
    return model


class _StopAfter(keras.callbacks.Callback):
    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epochs:
            raise KeyboardInterrupt


def test_fit_goes_on_from_a_backup(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((20, 7)).astype(np.float32)
    x, y = values[:, :6], values[:, 6:]
    never_stopped = _keras_model()
    history = never_stopped.fit(x, y, epochs=5, batch_size=6, verbose=0)
    stopped = _keras_model()
    with pytest.raises(KeyboardInterrupt):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        stopped.fit(x, y, epochs=5, batch_size=6, verbose=0, callbacks=[backup, _StopAfter(3)])
    keras.utils.set_random_seed(77)
    resumed = _keras_model()
    found = resumed.fit(
        x, y, epochs=5, batch_size=6, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup")]
    )
    assert found.history["loss"] == history.history["loss"][3:]
    for a, b in zip(resumed.get_weights(), never_stopped.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
