"""Stopping and going on: after a signal, a kill or a damaged file, a resumed run gives the bits of one never stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from onegraph.cli import trainer as trainer_module
from onegraph.cli.interrupt import StopSignals
from onegraph.cli.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--limit", "64", "--epochs", "3", "--batch-size", "24", "--quiet")

# Dropout draws random numbers and batch normalization has running statistics: both must resume too.
NETWORK = """
from onegraph import nn

INPUT_SIZE = (12, 12)


def network(num_classes, in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(400, num_classes),
    )
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network of the user's own."""
    file = tmp_path_factory.mktemp("code") / "network.py"
    file.write_text(NETWORK)
    return f"{file}:network"


@pytest.fixture(scope="module")
def whole(call: Any, network: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    result = call("train", network, "--out", out, *SMALL)
    assert result.exit_code == 0, result.output
    return out


def weights(out: Path) -> bytes:
    return (out / "model" / "weights.safetensors").read_bytes()


def signal_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int) -> None:
    """Send a signal to this process in the middle of a step, counted from 1."""
    update, count = Progress.update, 0

    def counted(self: Progress, *arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == step:
            signal.raise_signal(number)
        update(self, *arguments)

    monkeypatch.setattr(trainer_module.Progress, "update", counted)


@pytest.mark.parametrize(
    ("step", "number", "code"),
    [(2, signal.SIGINT, 130), (3, signal.SIGINT, 130), (4, signal.SIGTERM, 143), (9, signal.SIGINT, 130)],
)
def test_a_signal_leaves_a_checkpoint_to_resume_from(
    call: Any,
    network: str,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    number: int,
    code: int,
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        signal_at(patch, step, number)
        stopped = call("train", network, "--out", out, *SMALL)
    assert stopped.exit_code == code, stopped.output
    assert f"Stopped at step {step}" in stopped.stderr and "--resume" in stopped.stderr
    assert not (out / "model").exists()
    resumed = call("train", network, "--out", out, "--resume", "--quiet")
    assert resumed.exit_code == 0, resumed.output
    assert weights(out) == weights(whole)


def test_a_run_may_be_stopped_again_and_again(
    call: Any, network: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, arguments = tmp_path / "run", SMALL
    for _ in range(4):
        with monkeypatch.context() as patch:
            signal_at(patch, 2, signal.SIGINT)
            assert call("train", network, "--out", out, *arguments).exit_code == 130
        arguments = ("--resume", "--quiet")
    assert call("train", network, "--out", out, *arguments).exit_code == 0
    assert weights(out) == weights(whole)


def test_handlers_of_signals_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_resuming_a_finished_run_only_writes_its_results_again(call: Any, network: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("train", network, "--out", out, *SMALL).exit_code == 0
    before = weights(out)
    (out / "result.json").unlink()
    again = call("train", network, "--out", out, "--resume")
    assert again.exit_code == 0 and "epochs are done; --epochs" in again.output
    assert (out / "result.json").exists() and weights(out) == before


def test_a_resumed_run_may_have_more_epochs_and_nothing_else(call: Any, network: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("train", network, "--out", out, *SMALL).exit_code == 0
    refused = call("train", network, "--out", out, "--resume", "--lr", 0.5)
    assert refused.exit_code == 1 and "started with lr 0.003, not 0.5" in refused.stderr
    other = call("train", "mlp", "--out", out, "--resume")
    assert other.exit_code == 1 and "started with network" in other.stderr
    longer = call("train", network, "--out", out, "--resume", "--epochs", 5)
    assert longer.exit_code == 0 and "epoch 5/5" in longer.stdout


def test_nothing_to_resume(call: Any, tmp_path: Path) -> None:
    result = call("train", "mlp", "--out", tmp_path / "nothing", "--resume")
    assert result.exit_code == 1 and "holds no checkpoint to resume from" in result.stderr
    assert not (tmp_path / "nothing").exists()


# ---- damage


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_used(
    call: Any, network: str, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert call("train", network, "--out", out, *SMALL).exit_code == 0
    flip(out / "checkpoints" / "step-00000009" / "tensors.safetensors")
    resumed = call("train", network, "--out", out, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "skipped the checkpoint of step 9" in resumed.stderr and "checksum" in resumed.stderr
    assert "going on after step 6" in resumed.stdout
    assert weights(out) == weights(whole)


def test_only_damaged_checkpoints_are_an_error_without_a_traceback(call: Any, network: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("train", network, "--out", out, *SMALL).exit_code == 0
    for folder in (out / "checkpoints").iterdir():
        (folder / "state.json").write_bytes((folder / "state.json").read_bytes()[:-40])
    result = call("train", network, "--out", out, "--resume")
    assert result.exit_code == 1
    assert "StorageError" in result.stderr and "no checkpoint that can be read" in result.stderr
    assert "Traceback" not in result.output


def test_a_damaged_model_is_refused(call: Any, trained: Path, tmp_path: Path) -> None:
    import shutil

    model = tmp_path / "model"
    shutil.copytree(trained / "model", model)
    flip(model / "weights.safetensors")
    for command in (["evaluate", model], ["predict", model, "x.png"], ["explain", model]):
        result = call(*command)
        assert result.exit_code == 1 and "weights.safetensors" in result.stderr and "checksum" in result.stderr


# ---- other processes


def start(*arguments: object, code: str = "from onegraph.cli.main import main; main()") -> subprocess.Popen[str]:
    """`onegraph` as a process of its own; `code` may change it before."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *[str(a) for a in arguments]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


KILLED_WHILE_SAVING = """
import os, signal
from onegraph.storage import checkpoint
write, count = checkpoint.write_manifest, 0
def killed(*arguments):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    write(*arguments)
checkpoint.write_manifest = killed
from onegraph.cli.main import main
main()
"""


def test_a_kill_in_the_middle_of_saving_loses_one_epoch(call: Any, network: str, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("train", network, "--out", out, *SMALL, code=KILLED_WHILE_SAVING)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    resumed = call("train", network, "--out", out, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "going on after step 6" in resumed.stdout and not resumed.stderr
    assert weights(out) == weights(whole)


def test_ctrl_c_in_a_real_process(call: Any, network: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("train", network, "--out", out, "--limit", 64, "--epochs", 100_000, "--workers", 1)
    deadline = time.monotonic() + 100
    while not list((out / "checkpoints").glob("step-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "everything is saved" in errors and "Traceback" not in errors
    words = errors.strip().splitlines()[-1].split()
    resumed = call(*words[words.index("train") :], "--epochs", 1, "-q")
    assert resumed.exit_code == 0, resumed.output


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_full_disk_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    # A file may not grow beyond 100 kB here; a checkpoint of LeNet-5 has 740 kB.
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    code += "from onegraph.cli.main import main; main()"
    process = start("train", "lenet5", "--out", tmp_path / "run", "--limit", 40, "--epochs", 1, code=code)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert errors.startswith("StorageError: cannot write") and "Traceback" not in errors
    assert not list((tmp_path / "run" / "checkpoints").glob("step-*"))


def test_a_folder_that_cannot_be_written(call: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = call("train", "mlp", "--out", tmp_path / "file" / "run", *SMALL)
    assert result.exit_code == 1
    assert result.stderr.startswith("StorageError: cannot write") and "Traceback" not in result.output
