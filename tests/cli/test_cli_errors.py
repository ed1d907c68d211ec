"""NaN that is traced to its layer and line, and errors that are told without a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.board.png import encode_png
from onegraph.cli.interrupt import Interrupted
from onegraph.cli.main import COMMANDS
from onegraph.cli.not_finite import explain_step, first_bad_node, first_bad_parameter
from onegraph.cli.progress import Progress
from onegraph.errors import NotFiniteError

SMALL = ("--limit", "64", "--epochs", "1", "--batch-size", "32")
NETWORK = """
from onegraph import nn


class Forward(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.first = nn.Linear(1024, 20)
        self.middle = Middle()
        self.last = nn.Linear(20, num_classes)

    def forward(self, x):
        return self.last(self.middle(self.first(x.flatten(1))))


class Middle(nn.Module):
    def forward(self, x):
        return (x - 100).sqrt()  # here


class Backward(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.only = nn.Linear(1024, num_classes)

    def forward(self, x):
        return (self.only(x.flatten(1)) * 0).sqrt()  # its derivative is infinite


class NoModule:
    pass


class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.only = nn.Linear(10, 10)

    def forward(self, x):
        return self.only(x)  # needs a flat image


def Narrow(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(1024, 3))


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def Failing():
    raise ValueError("no such option")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(NETWORK)
    return path


def test_a_nan_in_the_forward_pass_is_traced_to_layer_and_line(call: Any, file: Path, tmp_path: Path) -> None:
    result = call("train", f"{file}:Forward", "--out", tmp_path / "run", *SMALL)
    assert result.exit_code == 1
    assert "NotFiniteError: step 1, in epoch 1" in result.stderr
    assert "layer Forward.middle, operation sqrt" in result.stderr and "640 NaN of 640 values" in result.stderr
    assert "at mine.py:18  return (x - 100).sqrt()  # here" in result.stderr
    assert "Traceback" not in result.output


def test_a_nan_in_the_gradient_is_traced_to_layer_and_line(call: Any, file: Path, tmp_path: Path) -> None:
    result = call("train", f"{file}:Backward", "--out", tmp_path / "run", *SMALL)
    assert result.exit_code == 1
    assert "in the gradient of layer Backward" in result.stderr
    assert "its derivative is infinite" in result.stderr


def test_an_absurd_learning_rate_is_blamed_on_the_update(call: Any, tmp_path: Path) -> None:
    result = call("train", "lenet5", "--out", tmp_path / "run", *SMALL, "--lr", 1e38)
    assert result.exit_code == 1
    assert "the update before it made a parameter not finite; c1.weight" in result.stderr
    assert "try --lr 0.003" in result.stderr


def test_the_last_good_checkpoint_is_kept_and_named(call: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    # With one step an epoch, the first update ruins the parameters, which is found when the epoch ends.
    result = call("train", "lenet5", "--out", out, "--limit", 64, "--batch-size", 64, "--epochs", 2, "--lr", 1e38)
    assert result.exit_code == 1
    assert list((out / "checkpoints").iterdir()) == []
    assert call("train", "mlp", "--out", out, "--limit", 64, "--epochs", 2, "-q", "--overwrite").exit_code == 0
    state_before = sorted(path.name for path in (out / "checkpoints").iterdir())
    poisoned = call(
        "train",
        "mlp",
        "--out",
        tmp_path / "next",
        "--limit",
        64,
        "--epochs",
        1,
        "--weights",
        out / "model",
        "--lr",
        1e38,
    )
    assert poisoned.exit_code == 1
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == state_before


def test_training_goes_on_when_asked_to(call: Any, tmp_path: Path) -> None:
    result = call("train", "lenet5", "--out", tmp_path / "run", *SMALL, "--lr", 1e38, "--no-stop-on-nan")
    assert result.exit_code == 0, result.output
    assert "loss nan" in result.stdout
    measured = call("evaluate", tmp_path / "run" / "model")
    assert measured.exit_code == 1 and "loss of nan" in measured.stderr


def test_the_first_bad_node_is_not_one_that_only_passes_it_on() -> None:
    x = og.tensor([1.0, -1.0])
    found = first_bad_node([(x.log() + 1).sum()])
    assert found is not None and found[0].op == "log"
    assert first_bad_node([(x * 2).sum()]) is None


def test_infinity_that_is_meant_is_not_blamed() -> None:
    x = og.tensor([[1.0, 2.0]])
    masked = x.masked_fill(og.tensor([[True, False]]), float("-inf"))
    assert first_bad_node([masked.softmax(1).sum()]) is None or first_bad_node([masked])[0].op == "where"


def test_bad_input_is_blamed_on_the_data() -> None:
    images = np.array([1.0, np.nan])
    error = explain_step(lambda: og.tensor(0.0), [], images, "step 1", "advice")
    assert isinstance(error, NotFiniteError) and "the input images hold 1 NaN of 2 values" in str(error)


def test_a_bad_parameter_is_named() -> None:
    tensors = [("good", og.ones(2)), ("bad", og.tensor([0.0, float("inf")]))]
    assert first_bad_parameter(tensors) == "bad: 1 infinite of 2 values"
    assert first_bad_parameter(tensors[:1]) is None


# ---- messages


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["train", "lenet"], "did you mean lenet5?"),
        (["train", "missing.py:Net"], "missing.py: no such file"),
        (["train", "{file}:Nothing"], "has no function or class 'Nothing'"),
        (["train", "{file}:NoModule"], "must give an onegraph.nn.Module, and gave NoModule"),
        (["train", "{file}"], "which function is meant?"),
        (
            ["train", "{file}:Narrow"],
            "gives shape (1, 3) for an image of shape (1, 1, 32, 32); 10 classes need shape (1, 10)",
        ),
        (["train", "{file}:Pair"], "gives tuple for an image"),
        (["train", "mlp", "--data", "{file}"], "this is a file, not a folder"),
        (["train", "mlp", "--data", "missing"], "missing: no such file or folder"),
        (["train", "mlp", "--lr", "-1"], "a learning rate is a positive number"),
        (["train", "mlp", "--lr", "nan"], "a learning rate is a positive number"),
        (["train", "mlp", "--weights", "missing"], "missing"),
        (["evaluate", "missing"], "missing"),
        (["predict", "missing", "x.png"], "missing"),
        (["explain", "nonsense"], "there is no network 'nonsense'"),
    ],
)
def test_errors_are_told_without_a_traceback(
    call: Any, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*[a.replace("{file}", str(file)) for a in arguments])
    assert result.exit_code == 1
    assert text in result.stderr and "Error: " in result.stderr
    assert "Traceback" not in result.output and ".py:" not in result.stderr.replace(str(file), "").replace("g.py:", "")


def test_an_error_in_a_users_file_is_told_with_its_line(call: Any, file: Path, tmp_path: Path) -> None:
    result = call("train", f"{file}:Failing", "--out", tmp_path / "run")
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert 'ValueError: no such option\n  at mine.py:53  raise ValueError("no such option")' in result.stderr
    assert "Traceback" in call("--debug", "train", f"{file}:Failing", "--out", tmp_path / "run").output


def test_a_users_file_that_does_not_parse(call: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import onegraph\ndef net(:\n")
    result = call("train", f"{broken}:net", "--out", tmp_path / "run")
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert "SyntaxError: invalid syntax\n  at broken.py:2  def net(:" in result.stderr


def test_one_class_cannot_be_told_apart(call: Any, tmp_path: Path) -> None:
    (tmp_path / "data" / "only").mkdir(parents=True)
    for i in range(4):
        (tmp_path / "data" / "only" / f"{i}.png").write_bytes(encode_png(np.zeros((8, 8, 1), np.uint8)))
    result = call("train", "mlp", "--data", tmp_path / "data", "--out", tmp_path / "run")
    assert result.exit_code == 1 and "one class, 'only'" in result.stderr


def test_a_users_own_line_is_shown(call: Any, file: Path, tmp_path: Path) -> None:
    result = call("train", f"{file}:Wrong", "--out", tmp_path / "run", *SMALL)
    assert result.exit_code == 1
    assert "ShapeError" in result.stderr and "return self.only(x)  # needs a flat image" in result.stderr
    assert "in layer Wrong.only (Linear)" in result.stderr


def test_debug_shows_the_traceback(call: Any) -> None:
    result = call("--debug", "train", "lenet")
    assert result.exit_code == 1 and "Traceback" in result.stderr


def test_ctrl_c_before_training_is_no_traceback(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("onegraph.cli.info.collect", interrupted)
    result = call("info")
    assert result.exit_code == 130 and "Traceback" not in result.output


def test_what_the_system_refuses_is_one_line(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("onegraph.cli.info.collect", full)
    result = call("info")
    assert result.exit_code == 1 and result.stderr == "OSError: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(call: Any, name: str) -> None:
    assert name in call("--help").stdout
    result = call(name, "--help")
    assert result.exit_code == 0 and "Usage" in result.stdout


def test_an_unknown_command_is_a_usage_error(call: Any) -> None:
    assert call("fly").exit_code == 2


def test_an_interruption_knows_its_signal() -> None:
    assert str(Interrupted(15)) == "SIGTERM"


# ---- progress


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_file_gets_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    progress = Progress(2, 10, 1000, clock=clock, terminal=False)
    for _ in range(10):
        clock.now += 10
        progress.update(100, 0.5, 0.9)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0] == "epoch  2/10  300/1000 images  loss 0.5000  accuracy 90.0%  10 images/s  left 14:30"


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(1, 1, 100, terminal=True)
    progress.update(50, 0.25, 0.5)
    progress.close()
    captured = capsys.readouterr()
    assert "epoch 1/1" in captured.err and captured.out == ""
