"""`onegraph train`, `evaluate`, `predict` and `explain`, as a user calls them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onegraph.board.png import encode_png
from onegraph.board.reader import read_events
from onegraph.data import arrays_from
from onegraph.data.digits import load_digits
from onegraph.storage.model import load_model

SMALL = ("--limit", "64", "--epochs", "2", "--batch-size", "24")


def weights(out: Path) -> bytes:
    return (out / "model" / "weights.safetensors").read_bytes()


def write_digit(path: Path, index: int) -> int:
    """One of the digits as a PNG file of its own size; returns its class."""
    images, labels = load_digits()
    path.write_bytes(encode_png((images[index][:, :, None] * 15).astype(np.uint8)))
    return int(labels[index])


def test_a_run_leaves_everything_that_the_last_lines_name(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names == {"checkpoints", "confusion.png", "examples", "log", "model", "result.json"}
    report = json.loads((trained / "result.json").read_text())
    assert np.sum(report["confusion_matrix"]) == 64
    assert report["test_accuracy"] == np.trace(report["confusion_matrix"]) / 64
    assert report["settings"]["network"] == "lenet5"
    assert [path.name for path in sorted((trained / "checkpoints").iterdir())] == ["step-00000003", "step-00000006"]


def test_the_output_ends_with_a_command_that_works(call: Any, tmp_path: Path) -> None:
    result = call("train", "mlp", "--out", tmp_path / "run", *SMALL)
    assert result.exit_code == 0, result.output
    words = result.stdout.splitlines()[-1].split()
    again = call(*words[words.index("predict") :])
    assert again.exit_code == 0, again.output
    assert "%" in again.stdout


def test_training_learns(trained: Path) -> None:
    report = json.loads((trained / "result.json").read_text())
    assert report["test_accuracy"] > 0.3  # guessing gives 0.1


def test_logs_hold_curves_images_and_histograms(trained: Path) -> None:
    (path,) = (trained / "log").iterdir()
    tags: dict[str, list[int]] = {}
    for event in read_events(path):
        for value in event.values:
            tags.setdefault(value.tag, []).append(event.step)
    for tag in ("loss/train", "accuracy/train", "learning rate", "images a second", "largest gradient"):
        assert tags[tag] == [0, 1, 2, 3, 4, 5], tag
    assert tags["loss/test"] == tags["accuracy/test"] == tags["parameters/c1.weight"] == [3, 6]
    assert tags["input"] == [0]


def test_the_same_seed_gives_the_same_bits(call: Any, trained: Path, tmp_path: Path) -> None:
    assert call("train", "lenet5", "--out", tmp_path / "same", *SMALL, "--quiet").exit_code == 0
    assert call("train", "lenet5", "--out", tmp_path / "other", *SMALL, "--seed", 1, "-q").exit_code == 0
    assert weights(tmp_path / "same") == weights(trained)
    assert weights(tmp_path / "other") != weights(trained)


def test_worker_processes_change_no_bit(call: Any, trained: Path, tmp_path: Path) -> None:
    result = call("train", "lenet5", "--out", tmp_path / "run", *SMALL, "--workers", 2, "-q")
    assert result.exit_code == 0, result.output
    assert weights(tmp_path / "run") == weights(trained)


def test_quiet_prints_nothing(call: Any, tmp_path: Path) -> None:
    result = call("train", "mlp", "--out", tmp_path / "run", *SMALL, "--quiet")
    assert result.exit_code == 0 and result.output == ""


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop"])
def test_other_optimizers(call: Any, tmp_path: Path, optimizer: str) -> None:
    result = call("train", "mlp", "--out", tmp_path / "run", *SMALL, "--optimizer", optimizer)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "run" / "result.json").read_text())["test_accuracy"] > 0.15


def test_a_folder_with_a_run_is_not_overwritten_by_accident(call: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("train", "mlp", "--out", out, *SMALL, "-q").exit_code == 0
    before = weights(out)
    refused = call("train", "mlp", "--out", out, *SMALL, "--seed", 3)
    assert refused.exit_code == 1
    assert "already holds a run (up to step 6)" in refused.stderr and "--overwrite" in refused.stderr
    assert weights(out) == before
    assert call("train", "mlp", "--out", out, *SMALL, "--seed", 3, "--overwrite", "-q").exit_code == 0
    assert weights(out) != before
    assert len(list((out / "log").iterdir())) == 1


def test_nothing_of_an_overwritten_run_stays(call: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("train", "mlp", "--out", out, *SMALL, "-q").exit_code == 0
    (out / "notes.txt").write_text("mine")
    failed = call("train", "mlp", "--out", out, *SMALL, "--lr", 1e9, "--optimizer", "sgd", "--overwrite")
    assert failed.exit_code == 1 and "NotFiniteError" in failed.stderr
    assert not any((out / name).exists() for name in ("model", "result.json", "confusion.png"))
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("source", ["model", "checkpoints/step-00000006", "model/weights.safetensors"])
def test_training_starts_from_given_weights(call: Any, trained: Path, tmp_path: Path, source: str) -> None:
    result = call(
        "train", "lenet5", "--out", tmp_path / "run", *SMALL, "--lr", 1e-12, "--weights", trained / source, "-q"
    )
    assert result.exit_code == 0, result.output
    before, after = load_model(trained / "model").weights, load_model(tmp_path / "run" / "model").weights
    for name, tensor in before.items():
        np.testing.assert_allclose(after[name].numpy(), tensor.numpy(), atol=1e-9)


def test_weights_of_another_network_are_refused(call: Any, trained: Path, tmp_path: Path) -> None:
    result = call("train", "mlp", "--out", tmp_path / "run", *SMALL, "--weights", trained / "model")
    assert result.exit_code == 1
    assert "StateError" in result.stderr and "c1.weight: unexpected" in result.stderr
    assert "another network" in result.stderr and "strict" not in result.stderr


# ---- data


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_a_folder_of_idx_files(call: Any, tmp_path: Path) -> None:
    images, labels = load_digits()
    data = tmp_path / "mnist"
    data.mkdir()
    for name, part in (("train", slice(0, 60)), ("t10k", slice(60, 90))):
        write_idx(data / f"{name}-images-idx3-ubyte", images[part] * 15)
        write_idx(data / f"{name}-labels-idx1-ubyte", labels[part])
    result = call("train", "lenet5", "--data", data, "--out", tmp_path / "run", "--epochs", 1)
    assert result.exit_code == 0, result.output
    assert "60 training and 30 test images, 10 classes" in result.stdout
    measured = call("evaluate", tmp_path / "run" / "model", "--data", data)
    assert measured.exit_code == 0 and "30 images" in measured.stdout
    assert str(tmp_path) not in (tmp_path / "run" / "model" / "signature.json").read_text()
    assert "--data is needed" in call("evaluate", tmp_path / "run" / "model").stderr


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """Colour images of two classes in folders: red ones and green ones."""
    rng = np.random.default_rng(0)
    for name, channel in (("green", 1), ("red", 0)):
        folder = tmp_path / "shapes" / name
        folder.mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 60, (20, 24, 3), np.uint8)
            pixels[..., channel] += 150
            (folder / f"{number}.png").write_bytes(encode_png(pixels))
    return tmp_path / "shapes"


def test_a_folder_of_colour_images(call: Any, shapes: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    out = tmp_path / "run"
    result = call("train", "lenet5", "--data", shapes, "--out", out, "--epochs", 8, "--batch-size", 4)
    assert result.exit_code == 0, result.output
    assert "2 classes, 32x32, colour" in result.stdout
    assert json.loads((out / "result.json").read_text())["test_accuracy"] == 1.0
    found = json.loads(call("predict", out / "model", "--json", shapes / "red" / "3.png").stdout)
    assert found[0]["predictions"][0]["class"] == "red"


def test_evaluate_matches_classes_by_name(call: Any, shapes: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    out = tmp_path / "run"
    call("train", "lenet5", "--data", shapes, "--out", out, "--epochs", 8, "--batch-size", 4, "-q")
    only_red = tmp_path / "only"
    only_red.mkdir()
    (shapes / "red").rename(only_red / "red")
    measured = call("evaluate", out / "model", "--data", only_red, "--json")
    assert json.loads(measured.stdout)["confusion_matrix"] == [[0, 0], [0, 2]]
    (only_red / "red").rename(only_red / "blue")
    unknown = call("evaluate", out / "model", "--data", only_red)
    assert unknown.exit_code == 1 and "does not know: blue" in unknown.stderr


# ---- evaluate, predict, explain


def test_evaluate_repeats_what_training_measured(call: Any, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    out = tmp_path / "run"
    call("train", "mlp", "--out", out, "--epochs", 1, "-q")
    report = json.loads((out / "result.json").read_text())
    result = call("evaluate", out / "model", "--json", "--confusion", tmp_path / "matrix.png")
    found = json.loads(result.stdout)
    assert found["confusion_matrix"] == report["confusion_matrix"]
    assert found["loss"] == pytest.approx(report["test_loss"], rel=1e-6)
    assert (tmp_path / "matrix.png").read_bytes()[:4] == b"\x89PNG"
    text = call("evaluate", out / "model").stdout
    assert f"accuracy {report['test_accuracy']:.2%}" in text and "359 images" in text


def test_predict_gives_what_the_model_gives(call: Any, trained: Path) -> None:
    pytest.importorskip("PIL")
    files = sorted((trained / "examples").iterdir())
    found = json.loads(call("predict", trained / "model", "--json", "--top", 10, *files).stdout)
    model = load_model(trained / "model")
    prepare = model.extra["preprocessing"]
    test = arrays_from("digits", size=32).test
    for file, result in zip(files, found, strict=True):
        place = int(np.linspace(0, 358, 64).astype(int)[int(file.name.split("-")[1])])
        image = (test[place][0] - np.float32(prepare["mean"][0])) / np.float32(prepare["std"][0])
        logits = model(image[None]).numpy()[0].astype(np.float64)
        wanted = np.exp(logits) / np.exp(logits).sum()
        given = {entry["class"]: entry["probability"] for entry in result["predictions"]}
        np.testing.assert_allclose([given[str(i)] for i in range(10)], wanted, rtol=1e-5)


def test_the_folder_of_a_run_stands_for_its_model(call: Any, trained: Path) -> None:
    pytest.importorskip("PIL")
    image = next((trained / "examples").iterdir())
    assert call("predict", trained, image).stdout == call("predict", trained / "model", image).stdout
    assert call("evaluate", trained).stdout == call("evaluate", trained / "model").stdout


def test_predict_names_bad_images_and_does_the_others(call: Any, trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    write_digit(tmp_path / "good.png", 7)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    paths = [tmp_path / name for name in ("missing.png", "good.png", "text.png", "cut.png")]
    result = call("predict", trained / "model", *paths, "--top", 2)
    assert result.exit_code == 1
    assert result.stdout.count("\n") == 1 and result.stdout.startswith(f"{tmp_path / 'good.png'}: ")
    for name in ("missing.png: no such file", "text.png", "cut.png"):
        assert name in result.stderr
    as_json = call("predict", trained / "model", *paths, "--json")
    assert as_json.exit_code == 1
    assert ["error" in entry for entry in json.loads(as_json.stdout)] == [True, False, True, True]


def test_predict_takes_images_of_any_size_and_colour(call: Any, trained: Path, tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    write_digit(tmp_path / "gray.png", 3)
    with image_module.open(tmp_path / "gray.png") as picture:
        picture.resize((80, 80)).convert("RGB").save(tmp_path / "large.jpg")
    result = call("predict", trained / "model", tmp_path / "gray.png", tmp_path / "large.jpg", "--batch-size", 1)
    assert result.exit_code == 0 and result.stdout.count("\n") == 2


def test_explain_shows_the_stages_of_a_network(call: Any) -> None:
    text = call("explain", "lenet5", "--batch", 3).stdout
    assert "== traced" in text and "== plan" in text
    assert "f32[3, 6, 28, 28]" in text and "LeNet5/c1" in text and "lenet.py" in text
    names = call("explain", "lenet5", "--list").stdout.splitlines()
    assert names[0] == "traced" and names[-1].startswith("plan")


def test_explain_shows_a_training_step(call: Any) -> None:
    forward = call("explain", "mlp", "--stage", "traced").stdout
    step = call("explain", "mlp", "--train", "--stage", "traced").stdout
    assert forward.count("matmul") == 3 < step.count("matmul")


def test_explain_shows_a_saved_model(call: Any, trained: Path) -> None:
    text = call("explain", trained / "model", "--batch", 5, "--stage", "plan").stdout
    assert "f32(5, 6, 28, 28)" in text or "f32[5,6,28,28]" in text  # reference, native
    refused = call("explain", trained / "model", "--train")
    assert refused.exit_code == 1 and "forward pass only" in refused.stderr


def test_explain_of_an_unknown_stage_lists_those_that_exist(call: Any) -> None:
    result = call("explain", "mlp", "--stage", "nonsense")
    assert result.exit_code == 1 and "traced" in result.stderr
