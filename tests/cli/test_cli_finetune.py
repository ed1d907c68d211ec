"""`onegraph train` from weights that are there: other classes, frozen layers, rates by depth; and its further options."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo
from onegraph.board.png import encode_png
from onegraph.board.reader import read_events
from onegraph.cli.recipe import Average, loss_of, optimizer_for, rate_factor
from onegraph.cli.settings import OPTIMIZERS, SCHEDULES, Settings
from onegraph.errors import ArgumentError
from onegraph.storage.checkpoint import load_checkpoint
from onegraph.storage.model import load_model
from onegraph.zoo import lenet5
from onegraph.zoo.weights import layouts_of

SMALL = ("--limit", "64", "--epochs", "2", "--batch-size", "24")


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    """Nothing here is about machine code, and NumPy needs no compilation."""
    with og.config.using(backend="reference"):
        yield


def weights(out: Path) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in load_model(out / "model").weights.items()}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gray images of three classes: a bright bar on the left, on the right, at the top."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("three")
    for name, place in (("left", np.s_[:, :8]), ("right", np.s_[:, 16:]), ("top", np.s_[:8])):
        (root / name).mkdir()
        for number in range(10):
            pixels = rng.integers(0, 60, (24, 24, 1), np.uint8)
            pixels[place] += 150
            (root / name / f"{number}.png").write_bytes(encode_png(pixels))
    return root


# ---- from weights


def test_a_trained_network_learns_other_classes(call: Any, trained: Path, three: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    out = tmp_path / "run"
    options = ("--weights", trained, "--freeze", "all-but-head", "--epochs", 6, "--batch-size", 8, "--no-augment")
    result = call("train", "lenet5", "--data", three, "--out", out, *options)
    assert result.exit_code == 0, result.output
    assert "tells 10 classes apart: the last layer is new, for 3" in result.stdout
    assert "255 of 61,111 parameters learn" in result.stdout
    before, after = weights(trained), weights(out)
    assert all(np.array_equal(before[name], after[name]) for name in before if not name.startswith("output"))
    assert after["output.weight"].shape == (3, 84)
    assert json.loads((out / "result.json").read_text())["test_accuracy"] == 1.0
    theirs, ours = (load_model(folder / "model").extra["preprocessing"] for folder in (trained, out))
    assert ours == theirs  # scaled as the weights know it
    shown = call("predict", out, three / "top" / "1.png")
    assert shown.exit_code == 0 and ": top (" in shown.stdout


def test_frozen_layers_learn_later_and_a_resume_gives_the_same_bits(call: Any, trained: Path, tmp_path: Path) -> None:
    options = (*SMALL[:2], "--epochs", 3, *SMALL[4:], "--weights", trained, "--freeze", 3, "--unfreeze-after", 2, "-q")
    more = ("--ema", 0.9, "--mixup", 0.2, "--warmup", 1, "--lr-decay", 2)
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert call("train", "lenet5", "--out", whole, *options, *more).exit_code == 0
    steps = [load_checkpoint(whole / "checkpoints" / f"step-{n:08}") for n in (3, 6, 9)]
    before = weights(trained)
    for step, (c1, f6) in zip(steps, ((True, False), (True, False), (False, False)), strict=True):
        same = {name: np.array_equal(before[name], step["model"][name].numpy()) for name in before}
        assert (same["c1.weight"], same["f6.weight"]) == (c1, f6)
    shutil.copytree(whole, part)
    for name in ("step-00000009", "step-00000006"):
        shutil.rmtree(part / "checkpoints" / name)
    resumed = call("train", "lenet5", "--out", part, "--resume", "-q")
    assert resumed.exit_code == 0, resumed.output
    again = load_checkpoint(part / "checkpoints" / "step-00000009")
    for name, tensor in steps[2]["model"].items():
        assert np.array_equal(again["model"][name].numpy(), tensor.numpy()), name
    assert {n: v.tobytes() for n, v in weights(part).items()} == {n: v.tobytes() for n, v in weights(whole).items()}


def test_a_checkpoint_of_an_unfinished_run_is_a_start(call: Any, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "checkpoints", tmp_path / "half" / "checkpoints")
    out = tmp_path / "run"
    result = call("train", "lenet5", "--out", out, *SMALL, "--weights", tmp_path / "half", "--lr", 1e-12, "-q")
    assert result.exit_code == 0, result.output
    assert all(np.allclose(value, weights(out)[name], atol=1e-9) for name, value in weights(trained).items())


@pytest.mark.parametrize("names", ["torchvision", "timm"])
def test_files_of_other_libraries(call: Any, three: Path, tmp_path: Path, names: str) -> None:
    pytest.importorskip("PIL")
    og.manual_seed(0)
    model = zoo.squeezenet1_1(num_classes=5) if names == "torchvision" else zoo.efficientnet_lite0(num_classes=5)
    network = "squeezenet1_1" if names == "torchvision" else "efficientnet_lite0"
    file, head = tmp_path / "weights.pth", "classifier.1"
    ours = model.state_dict()
    og.save({pair.theirs: ours[pair.ours] for pair in layouts_of(model)[names] if pair.ours in ours}, file)
    options = ("--limit", 6, "--epochs", 1, "--image-size", 32, "--freeze", "all-but-head", "--lr", 1e-3)
    result = call("train", network, "--data", three, "--out", tmp_path / "run", "--weights", file, *options)
    assert result.exit_code == 0, result.output
    assert "the last layer is new, for 3" in result.stdout and "colour" in result.stdout
    before = {name: value.numpy() for name, value in model.state_dict().items() if not name.startswith(head)}
    after = weights(tmp_path / "run")
    common = [name for name in before if name in after]  # a saved model does not count batches
    assert len(common) > 40 and all(np.array_equal(before[name], after[name]) for name in common)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--freeze", 1), "--freeze without --weights"),
        (("--freeze", "some", "--weights", "WEIGHTS"), "all-but-head, or how many stages"),
        (
            ("--freeze", 5, "--weights", "WEIGHTS"),
            "lenet5 has 5 stages, c1, c3, c5, f6, output; the last one must learn",
        ),
        (("--unfreeze-after", 1), "nothing is frozen"),
        (("--weights", "nowhere.pth"), "nowhere.pth: no such file or folder, and "),
        (("--lr-decay", 0.5), "--lr-decay 0.5: at least 1"),
        (("--head-lr", 0), "--head-lr 0.0: a learning rate is a positive number"),
        (("--warmup", 3), "--warmup 3.0: from 0 to 2"),
        (("--label-smoothing", 1), "below 1"),
        (("--ema", 1.5), "--ema 1.5: from 0 to 1"),
    ],
)
def test_options_that_make_no_sense(
    call: Any, trained: Path, tmp_path: Path, options: tuple[Any, ...], part: str
) -> None:
    given = [trained if option == "WEIGHTS" else option for option in options]
    result = call("train", "lenet5", "--out", tmp_path / "run", *SMALL, *given)
    assert result.exit_code == 1 and part in result.stderr and "Traceback" not in result.output
    assert not (tmp_path / "run" / "checkpoints").exists()


# ---- data


def test_bad_images_stop_or_are_skipped(call: Any, three: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    data = tmp_path / "data"
    shutil.copytree(three, data)
    (data / "left" / "3.png").write_bytes(b"no image")
    options = ("--data", data, "--epochs", 1, "--no-augment")
    stopped = call("train", "mlp", "--out", tmp_path / "a", *options)
    assert stopped.exit_code == 1 and "3.png" in stopped.stderr
    skipped = call("train", "mlp", "--out", tmp_path / "b", *options, "--on-bad-image", "skip")
    assert skipped.exit_code == 0, skipped.output
    assert "warning" in skipped.stderr and "3.png" in skipped.stderr
    assert "23 training and 6 test images" in skipped.stdout


def test_classes_that_differ_between_train_and_test(call: Any, three: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    for part in ("train", "test"):
        shutil.copytree(three, tmp_path / "data" / part)
    (tmp_path / "data" / "test" / "left").rename(tmp_path / "data" / "test" / "links")
    result = call("train", "mlp", "--data", tmp_path / "data", "--out", tmp_path / "run")
    assert result.exit_code == 1 and "left only in training, links only in test" in result.stderr


def test_another_image_size(call: Any, three: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    file = tmp_path / "net.py"
    file.write_text(
        "from onegraph import nn\n"
        "def net(num_classes, in_channels):\n"
        "    return nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(),\n"
        "                         nn.Linear(16, num_classes))\n"
    )
    out = tmp_path / "run"
    result = call("train", f"{file}:net", "--data", three, "--out", out, "--epochs", 1, "--image-size", 20)
    assert result.exit_code == 0, result.output
    assert "3 classes, 20x20, gray" in result.stdout
    assert load_model(out / "model").extra["preprocessing"]["size"] == [20, 20]


# ---- the recipe


def test_many_options_at_once(call: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = (
        *("--optimizer", "nesterov", "--weight-decay", 1e-4, "--schedule", "onecycle", "--warmup", 0.5),
        *("--augment", "randaugment", "--mixup", 0.2, "--cutmix", 1, "--label-smoothing", 0.1),
        *("--ema", 0.9, "--clip-grad", 1, "--head-lr", 0.01, "--lr-decay", 2),
    )
    result = call("train", "mlp", "--out", out, *SMALL, *options)
    assert result.exit_code == 0, result.output
    (path,) = (out / "log").iterdir()
    rates = [v.content for e in read_events(path) for v in e.values if v.tag == "learning rate"]
    wanted = [0.01 * rate_factor("onecycle", (step + 1) / 6, 0.25) for step in range(6)]  # of the head
    assert rates == pytest.approx(wanted, rel=1e-5)
    state = load_checkpoint(out / "checkpoints" / "step-00000006")
    assert not np.array_equal(
        state["average"]["model"]["output.weight"].numpy(), state["model"]["output.weight"].numpy()
    )
    assert np.array_equal(weights(out)["output.weight"], state["average"]["model"]["output.weight"].numpy())


@pytest.mark.slow
@pytest.mark.parametrize("augment", ["light", "photo", "autoaugment", "augmix", "trivialaugment", "erasing", "strong"])
def test_every_augmentation_trains(call: Any, three: Path, tmp_path: Path, augment: str) -> None:
    result = call("train", "mlp", "--data", three, "--out", tmp_path / "run", "--epochs", 1, "--augment", augment)
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_half_precision_trains(call: Any, tmp_path: Path) -> None:
    half = call("train", "mlp", "--out", tmp_path / "half", *SMALL, "--amp", "bf16")
    assert half.exit_code == 0, half.output
    whole = call("train", "mlp", "--out", tmp_path / "whole", *SMALL, "-q")
    assert whole.exit_code == 0
    ours, theirs = weights(tmp_path / "half"), weights(tmp_path / "whole")
    for name, value in ours.items():
        assert value.dtype == np.float32
        assert not np.array_equal(value, theirs[name]) and np.allclose(value, theirs[name], atol=0.03)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_rates_stay_between_zero_and_one(schedule: str) -> None:
    factors = [rate_factor(schedule, step / 100, 0.1) for step in range(101)]
    assert factors[0] == 0 and min(factors) >= 0 and max(factors) <= 1
    assert max(factors[10:]) == pytest.approx(1, abs=0.05)
    if schedule != "constant":
        assert factors[-1] < 0.02


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_a_loss(name: str) -> None:
    og.manual_seed(0)
    with og.config.using(backend="reference"):
        model = og.nn.Sequential(og.nn.Linear(4, 3))
        settings = Settings("net", optimizer=name, lr=OPTIMIZERS[name][1], weight_decay=0.001)
        optimizer = optimizer_for(settings, model)
        x, y = og.randn(16, 4), og.randint(0, 3, (16,))
        losses = []
        for _ in range(5):
            loss, _ = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        assert losses[-1] < losses[0]


def test_groups_of_the_optimizer_follow_depth() -> None:
    settings = Settings("lenet5", lr=1.0, lr_decay=2.0, head_lr=3.0, optimizer="sgd")
    rates = [group["lr"] for group in optimizer_for(settings, lenet5()).param_groups]
    assert rates == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 3.0]


def test_the_mean_of_weights_by_hand() -> None:
    with og.config.using(backend="reference"):
        model = og.nn.BatchNorm1d(1)
        average = Average(model, 0.5)
        expected = 1.0
        for step in range(1, 8):
            with og.no_grad():
                model.weight.fill_(float(step))
            average.update()
            share = min(0.5, (1 + step) / (10 + step))
            expected = share * expected + (1 - share) * step
        assert average.model.weight.item() == pytest.approx(expected, rel=1e-6)
        assert model.weight.item() == 7.0 and not average.model.weight.requires_grad


def test_auxiliary_heads_count_less() -> None:
    logits, other = og.tensor([[0.0, 0.0]]), og.tensor([[100.0, 0.0]])
    loss, kept = loss_of((logits, None, other), og.tensor([1]))
    assert loss.item() == pytest.approx(math.log(2) + 0.3 * 100) and kept is logits


def test_settings_of_another_version_are_refused() -> None:
    with pytest.raises(ArgumentError, match="--mixup -1"):
        Settings("mlp", mixup=-1).check()


# ---- memory

_LIMITED = """
import resource, sys
from onegraph.cli import trainer
from onegraph.cli.main import main

def run(self, inner=trainer.Trainer.run):
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + 300 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return inner(self)

trainer.Trainer.run = run
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space as Linux does")
def test_out_of_memory_says_what_to_lower(tmp_path: Path) -> None:
    file = tmp_path / "wide.py"
    file.write_text(
        "from onegraph import nn\n"
        "INPUT_SIZE = (128, 128)\n"
        "def wide(num_classes, in_channels):\n"
        "    return nn.Sequential(nn.Conv2d(in_channels, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.Tanh(),\n"
        "                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))\n"
    )
    options = ["train", f"{file}:wide", "--out", str(tmp_path / "run"), "--limit", "128", "--batch-size", "128"]
    result = subprocess.run(
        [sys.executable, "-c", _LIMITED, *options], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert "OutOfMemoryError" in result.stderr and "Traceback" not in result.stderr
    assert "128 images of 128x128" in result.stderr
    assert "--batch-size 64" in result.stderr and "--image-size" in result.stderr and "the largest: 0 " in result.stderr


def test_help_names_networks_and_options(call: Any) -> None:
    shown = " ".join(call("train", "--help").stdout.split())
    assert "resnet20" in shown and "--freeze all-but-head|N" in shown and "--unfreeze-after EPOCHS" in shown
