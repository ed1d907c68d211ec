"""The confusion matrix as numbers, words and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onegraph.cli.confusion import class_table, confusion_matrix, save_picture, worst_confusions
from onegraph.cli.measure import log_softmax, measure
from onegraph.cli.preprocessing import Preprocessing
from onegraph.data.array import ImageArrays
from onegraph.errors import ArgumentError, DataError, StateError, StorageError


def test_rows_are_true_classes_and_columns_predictions() -> None:
    matrix = confusion_matrix(np.array([0, 0, 2, 1]), np.array([0, 2, 2, 1]), 3)
    assert matrix.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("predictions", [np.array([0, 3]), np.array([0, -1]), np.array([0])])
def test_what_is_no_class_is_refused(predictions: np.ndarray) -> None:
    with pytest.raises(ArgumentError):
        confusion_matrix(np.array([0, 1]), predictions, 3)


def test_a_class_that_never_occurs_has_no_percentage() -> None:
    table = class_table(np.array([[2, 0], [0, 0]]), ["a", "b"])
    assert table.splitlines()[2].split() == ["b", "-", "-", "0"]


def test_no_mistakes_no_words() -> None:
    assert worst_confusions(np.diag([3, 4]), ["a", "b"]) == []


@pytest.mark.parametrize(
    "names",
    [["0", "1"], ["airplane", "a class with a very long name indeed"], [f"class {i}" for i in range(60)], ["only"]],
)
def test_the_picture_is_darkest_on_the_diagonal(names: list[str], tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    count = len(names)
    save_picture(np.diag(np.full(count, 50)), names, tmp_path / "matrix.png", "all right")
    with image_module.open(tmp_path / "matrix.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    dark = (pixels == (8, 64, 129)).all(2)
    light = (pixels == (247, 250, 255)).all(2)
    # Cells are equal squares: all but the `count` on the diagonal are light.
    assert dark.sum() > 0
    if count > 1:
        assert 0.5 * (count - 1) < light.sum() / dark.sum() < 2.5 * (count - 1)


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image")
    with pytest.raises(StorageError):
        save_picture(np.eye(2, dtype=np.int64), ["a", "b"], tmp_path / "no" / "such" / "folder" / "m.png")


def test_log_softmax_survives_large_logits() -> None:
    np.testing.assert_allclose(log_softmax(np.array([[1000.0, 1000.0]])), np.log(0.5))


def test_measuring_weights_batches_by_their_size() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    dataset = ImageArrays(images, np.array([0, 0, 1, 1, 1]), white=1)
    prepare = Preprocessing((1, 1), 1, (2.0,), (2.0,))

    def forward(x: np.ndarray) -> np.ndarray:
        return np.concatenate([-x, x], 1).reshape(-1, 2)  # class 1 for images brighter than 2

    found = measure(forward, dataset, prepare, 2, batch_size=2)
    assert found.matrix.tolist() == [[2, 0], [1, 2]]
    assert found.accuracy == 0.8
    scaled = (np.arange(5) - 2) / 2
    sign = np.array([-1, -1, 1, 1, 1])
    assert found.loss == pytest.approx(np.log1p(np.exp(-2 * sign * scaled)).mean())


def test_measuring_nothing_is_an_error() -> None:
    with pytest.raises(DataError):
        measure(lambda x: x, [], Preprocessing((1, 1), 1, (0.0,), (1.0,)), 2)


def test_preprocessing_measures_each_channel() -> None:
    images = np.zeros((4, 3, 2, 2), np.uint8)
    images[:2, 0] = 255
    images[:, 1] = 51
    found = Preprocessing.measured(ImageArrays(images, np.zeros(4, np.int64)))
    assert found.size == (2, 2) and found.channels == 3
    assert found.mean == pytest.approx((0.5, 0.2, 0.0))
    assert found.std == pytest.approx((0.5, 1.0, 1.0))  # a constant channel is left unscaled


@pytest.mark.parametrize(
    "wrong",
    [{}, {"size": [2]}, {"channels": 2}, {"mean": [0.1, 0.2]}, {"std": None}, {"size": [0, 3]}],
)
def test_damaged_preprocessing_is_refused(wrong: dict[str, object]) -> None:
    values = Preprocessing((2, 3), 1, (0.5,), (0.5,)).to_dict()
    with pytest.raises(StateError):
        Preprocessing.from_dict({**values, **wrong} if wrong else {})
