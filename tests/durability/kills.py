"""Kill training with SIGKILL at random moments, again and again; each process goes on from what the one before it left.

`python -m tests.durability.kills --kills 1000 [--seed 1]` prints what was found; `--rival torch` kills writers of
`torch.save` in the same way. `test_kills.py` runs a hundred.

Two processes are killed in turn. One trains (`training.py`) and keeps checkpoints of each step; the state in the newest must be, bit
for bit, that of the run that was never stopped. The other writes the same numbers to files of each format over and over.
Read next: `onegraph/storage/atomic.py`.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import onegraph as og
from onegraph.config import using
from onegraph.storage import Checkpoints, load_checkpoint, save_checkpoint
from tests.durability.training import Run, digest

SIZE = 40_000
LEFT_AT_MOST = 4  # names of work in progress: one for each format that two killed writers may have been writing


@dataclass
class Report:
    """What a number of kills did.

    Attributes:
        kills: how many.
        resumed: the steps at which processes went on.
        lost: what was incomplete, mixed or other than it should be.
        leftovers: the most temporary names that were seen after a kill.
    """

    kills: int = 0
    resumed: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    leftovers: int = 0


def expected_states(steps: int) -> list[str]:
    """Checksums of the state after each step of a run that is never stopped."""
    run = Run()
    found = [digest(run.state())]
    for _ in range(steps):
        run.advance()
        found.append(digest(run.state()))
    return found


def train(folder: Path, steps: int) -> None:
    """Go on from the newest checkpoint, and keep one of each step."""
    checkpoints = Checkpoints(folder / "run", keep=2)
    run, latest = Run(), checkpoints.latest()
    if latest is not None:
        run.restore(latest[1])
    while run.step < steps:
        run.advance()
        checkpoints.save(run.step, run.state())


def version(number: int) -> dict[str, np.ndarray]:
    """Numbers that tell which version they are of, at both ends of what is written."""
    return {name: np.full(SIZE, number, np.float32) for name in ("a", "b", "c")}


def _tensors(number: int) -> dict[str, og.Tensor]:
    return {name: og.tensor(values) for name, values in version(number).items()}


def _save_keras(path: Path, number: int) -> None:
    model = _keras_model()
    model.set_weights([np.full(w.shape, number, np.float32) for w in model.get_weights()])
    model.save(path)


def _keras_model() -> Any:
    from onegraph import keras

    return keras.Sequential([keras.Input((50,)), keras.layers.Dense(200), keras.layers.Dense(100)])


def _load_keras(path: Path) -> list[np.ndarray]:
    from onegraph import keras

    return keras.models.load_model(path).get_weights()  # type: ignore[no-any-return]


class _Constant(og.nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.a, self.b = (og.nn.Parameter(og.full((SIZE,), float(number))) for _ in range(2))

    def forward(self, x: og.Tensor) -> og.Tensor:
        return x + self.a + self.b


def _save_model(path: Path, number: int) -> None:
    og.save_model(path, _Constant(number), og.zeros(SIZE), dynamic_batch=False)


def _load_model(path: Path) -> list[np.ndarray]:
    twice = og.load_model(path)(og.zeros(SIZE)).numpy()
    return [twice / 2]


WRITERS: dict[str, tuple[Callable[[Path, int], Any], Callable[[Path], Any]]] = {
    "state.safetensors": (lambda path, n: og.save(_tensors(n), path), og.load),
    "state.pth": (lambda path, n: og.save(_tensors(n), path), og.load),
    "checkpoint": (lambda path, n: save_checkpoint(path, version(n)), load_checkpoint),
    "model": (_save_model, _load_model),
    "model.keras": (_save_keras, _load_keras),
    "model.h5": (_save_keras, _load_keras),
}
"""By name of the file or folder: how it is written and read."""


def write_forever(folder: Path, start: int, names: list[str]) -> None:
    """Replace files of all formats, again and again."""
    number = start
    while True:
        for name in names:
            WRITERS[name][0](folder / name, number)
        number += 1


def _values(loaded: Any) -> list[np.ndarray]:
    arrays = loaded.values() if isinstance(loaded, dict) else loaded
    return [a.numpy() if isinstance(a, og.Tensor) else np.asarray(a) for a in arrays]


def check_files(folder: Path, report: Report, names: list[str]) -> None:
    """All files are there, whole, and of one version each."""
    for name in names:
        if not (folder / name).exists():
            continue
        try:
            values = _values(WRITERS[name][1](folder / name))
            first = float(values[0].flat[0])
            if not all((v == first).all() for v in values):
                report.lost.append(f"kill {report.kills}: {name} mixes versions")
        except Exception as error:
            report.lost.append(f"kill {report.kills}: {name}: {type(error).__name__}: {error}")


def fork(work: Callable[[], None]) -> int:
    """Run a function in a process of its own; its number."""
    process = os.fork()
    if process == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return process


def kill(process: int) -> bool:
    """Kill a process; whether it was still at work, or had ended well."""
    os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    return os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0


def kill_repeatedly(folder: Path, kills: int, seed: int, longest: float = 0.3) -> Report:
    """Kill training and writing until `kills` processes have been killed.

    Args:
        folder: an empty one.
        kills: how many.
        seed: of the moments.
        longest: seconds after which a process is killed at the latest.
    """
    chance, report = random.Random(seed), Report()
    steps = 40 * kills
    names, checkpoints = list(WRITERS), folder / "run"
    with using(backend="reference"), warnings.catch_warnings():
        warnings.simplefilter("error")  # a damaged checkpoint is skipped with a warning
        expected = expected_states(20)  # this compiles and imports everything, so that forks begin at once
        for name in names:
            WRITERS[name][0](folder / name, 0)
        known = Checkpoints(checkpoints, keep=2)
        newest = 0
        for number in range(kills):
            one = names[number // 2 % len(names)]
            writing = number % 2 == 1
            process = fork(
                functools.partial(write_forever, folder, number + 1, [one])
                if writing
                else functools.partial(train, folder, steps)
            )
            time.sleep(chance.uniform(0.005, longest))
            if not kill(process):
                report.lost.append(f"kill {number}: the process ended by itself")
            report.kills += 1
            left = [p.name for base in (folder, checkpoints) for p in base.iterdir() if p.name.startswith(".")]
            report.leftovers = max(report.leftovers, len(left))
            if writing:
                check_files(folder, report, [one])
                continue
            latest = known.latest()
            if latest is None:
                if newest:
                    report.lost.append(f"kill {number}: no checkpoint is left")
                continue
            if latest[0] < newest:
                report.lost.append(f"kill {number}: went back from step {newest} to {latest[0]}")
            newest = latest[0]
            report.resumed.append(newest)
            if newest >= len(expected):
                expected = expected_states(newest + 50)
            if digest(latest[1]) != expected[newest]:
                report.lost.append(f"kill {number}: the state of step {newest} is not that of a run that never stopped")
    return report


def kill_rival(folder: Path, kills: int, seed: int) -> Report:
    """The same for `torch.save`: how often its file could not be read afterwards."""
    import torch

    chance, report = random.Random(seed), Report()
    path = folder / "state.pth"
    state = {name: torch.ones(1_000_000) for name in "abc"}  # made once: PyTorch's threads do not survive a fork

    def work() -> None:
        while True:
            torch.save(state, path)

    for _ in range(kills):
        torch.save(state, path)
        process = fork(work)
        time.sleep(chance.uniform(0.05, 0.2))
        kill(process)
        report.kills += 1
        try:
            torch.load(path)
        except Exception as error:
            report.lost.append(f"kill {report.kills}: {type(error).__name__}")
    return report


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rival", choices=["torch"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.rival:
            report = kill_rival(Path(folder), options.kills, options.seed)
            print(f"{options.rival}: {len(report.lost)} of {report.kills} kills left a file that cannot be read")
            return 0
        report = kill_repeatedly(Path(folder), options.kills, options.seed)
    going_on = f"training went on {len(report.resumed)} times, to step {max(report.resumed, default=0)}"
    print(f"{report.kills} kills, {len(report.lost)} losses; {going_on}; at most {report.leftovers} temporary names")
    for loss in report.lost[:20]:
        print(" ", loss)
    return 1 if report.lost or report.leftovers > LEFT_AT_MOST else 0


if __name__ == "__main__":
    sys.exit(main())
