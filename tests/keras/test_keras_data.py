"""Data sets, folders of files, series, texts, images and downloads."""

from __future__ import annotations

import functools
import gzip
import io
import json
import operator
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onegraph import keras
from onegraph.data.idx import write_idx
from onegraph.errors import ArgumentError, DataError, UnsupportedError
from onegraph.keras import datasets, preprocessing, utils

rng = np.random.default_rng(0)


def lists(*rows: list[int]) -> np.ndarray:
    found = np.empty(len(rows), object)
    found[:] = rows
    return found


def test_digits_and_houses(tmp_path: Path) -> None:
    images, labels = rng.integers(0, 255, (6, 28, 28), np.uint8), np.arange(6, dtype=np.uint8)
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=images[:4], y_train=labels[:4], x_test=images[4:], y_test=labels[4:])
    (x, y), (_, test) = datasets.mnist.load_data(path)
    assert (x == images[:4]).all()
    assert y.tolist() == [0, 1, 2, 3]
    assert test.tolist() == [4, 5]
    np.savez(tmp_path / "houses.npz", x=np.arange(20.0).reshape(10, 2), y=np.arange(10.0))
    (x, y), (_x_test, y_test) = datasets.boston_housing.load_data(tmp_path / "houses.npz")
    assert sorted([*y, *y_test]) == list(range(10))
    assert len(y_test) == 2
    assert (x[:, 0] == 2 * y).all()
    assert len(datasets.california_housing.load_data("small", tmp_path / "houses.npz")[0][0]) == 8
    with pytest.raises(ArgumentError, match="version"):
        datasets.california_housing.load_data("huge", tmp_path / "houses.npz")


def test_clothes(tmp_path: Path) -> None:
    images, labels = rng.integers(0, 255, (3, 28, 28), np.uint8), np.arange(3, dtype=np.uint8)
    for name in datasets.fashion_mnist.FILES:
        write_idx(tmp_path / "plain", images if "images" in name else labels)
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    (x, y), _ = datasets.fashion_mnist.load_data(tmp_path)
    assert (x == images).all()
    assert y.tolist() == [0, 1, 2]


def test_photographs(tmp_path: Path) -> None:
    data = rng.integers(0, 255, (2, 3072), np.uint8)
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        (tmp_path / name).write_bytes(pickle.dumps({b"data": data, b"labels": [1, 9]}, protocol=2))
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"c%d" % i for i in range(10)]}, protocol=2))
    (x, y), (x_test, _) = datasets.cifar10.load_data(tmp_path)
    assert x.shape == (10, 32, 32, 3)
    assert y.shape == (10, 1)
    assert (x_test[0, :, :, 0] == data[0, :1024].reshape(32, 32)).all()
    for name in ("train", "test"):
        entry = {b"data": data, b"fine_labels": [4, 99], b"coarse_labels": [1, 19]}
        (tmp_path / name).write_bytes(pickle.dumps(entry, protocol=2))
    assert datasets.cifar100.load_data("coarse", tmp_path)[0][1].reshape(-1).tolist() == [1, 19]
    with pytest.raises(ArgumentError, match="label_mode"):
        datasets.cifar100.load_data("finest", tmp_path)


def test_texts_as_numbers(tmp_path: Path) -> None:
    texts = lists([1, 2, 3], [4, 1], [2], [1, 9, 9, 9])
    np.savez(tmp_path / "imdb.npz", x_train=texts[:2], y_train=[0, 1], x_test=texts[2:], y_test=[1, 0])
    (x, y), (x_test, _) = datasets.imdb.load_data(tmp_path / "imdb.npz", num_words=6)
    found = dict(zip(y.tolist(), x.tolist(), strict=True))
    assert found == {0: [1, 4, 5, 2], 1: [1, 2, 4]}
    (x, _), (x_test, _) = datasets.imdb.load_data(tmp_path / "imdb.npz", maxlen=5, nb_words=20)
    assert len(x) == 2
    assert x_test.tolist() == [[1, 5]]
    np.savez(tmp_path / "reuters.npz", x=texts, y=np.arange(4))
    (x, y), (_, test) = datasets.reuters.load_data(
        tmp_path / "reuters.npz", test_split=0.25, start_char=None, index_from=0
    )
    assert len(x) == 3
    assert len(test) == 1
    assert len(datasets.reuters.get_label_names()) == 46
    (tmp_path / "words.json").write_text(json.dumps({"the": 1}))
    assert datasets.imdb.get_word_index(tmp_path / "words.json") == {"the": 1}


def test_nothing_in_a_data_set_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "ran").touch, ())

    evil = np.empty(1, object)
    evil[0] = Evil()
    np.savez(tmp_path / "imdb.npz", x_train=evil, y_train=[0], x_test=evil, y_test=[0])
    with pytest.raises(DataError, match="is no array"):
        datasets.imdb.load_data(tmp_path / "imdb.npz")
    assert not (tmp_path / "ran").exists()
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="no readable archive"):
        datasets.mnist.load_data(tmp_path / "bad.npz")


def test_files_are_fetched_and_unpacked(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("inner/text.txt")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"hi"))
    origin = (tmp_path / "a.tar.gz").as_uri()
    folder = utils.get_file("a.tar.gz", origin, extract=True, cache_dir=tmp_path / "cache")
    assert (Path(folder) / "inner/text.txt").read_text() == "hi"
    assert utils.get_file(origin=origin, cache_dir=tmp_path / "cache").endswith("a.tar.gz")
    assert utils.data_utils.get_file is utils.get_file


def pictures(folder: Path) -> None:
    for i, name in enumerate(("cats", "dogs")):
        (folder / name).mkdir(parents=True)
        for j in range(5):
            utils.save_img(
                folder / name / f"{j}.png", np.full((6, 8, 3), 100 * i + 10 * j + 10, "float32"), scale=False
            )


def test_images_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path)
    data = utils.image_dataset_from_directory(tmp_path, image_size=(4, 4), batch_size=4, seed=1)
    assert capsys.readouterr().out == "Found 10 files belonging to 2 classes.\n"
    assert data.class_names == ["cats", "dogs"]
    assert len(data) == 3
    first = [labels.tolist() for _, labels in data]
    assert sorted(functools.reduce(operator.iadd, first, [])) == [0] * 5 + [1] * 5
    assert [labels.tolist() for _, labels in data] != first  # another order each time
    for images, labels in data.take(1):
        assert images.shape == (4, 4, 4, 3)
        assert ((images[:, 0, 0, 0] >= 110) == (labels == 1)).all()
    train, validation = utils.image_dataset_from_directory(
        tmp_path,
        label_mode="binary",
        validation_split=0.2,
        subset="both",
        seed=1,
        verbose=False,
        crop_to_aspect_ratio=True,
    )
    assert len(validation.file_paths) == 2
    assert not set(train.file_paths) & set(validation.file_paths)
    padded = utils.image_dataset_from_directory(
        tmp_path,
        labels=None,
        image_size=(8, 8),
        pad_to_aspect_ratio=True,
        batch_size=None,
        shuffle=False,
        verbose=False,
    )
    assert float(next(iter(padded))[0].max()) == 0.0
    with pytest.raises(ArgumentError, match="seed"):
        utils.image_dataset_from_directory(tmp_path, validation_split=0.2, subset="training")
    with pytest.raises(DataError, match="no such folder"):
        utils.image_dataset_from_directory(tmp_path / "nowhere")


def test_texts_of_a_folder(tmp_path: Path) -> None:
    for name in ("bad", "good"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(f"{name} text")
    data = utils.text_dataset_from_directory(tmp_path, batch_size=2, shuffle=False, verbose=False, max_length=6)
    texts, labels = next(iter(data))
    assert texts.tolist() == ["bad te", "good t"]
    assert labels.tolist() == [0, 1]
    assert [t.tolist() for t in data.map(lambda x, y: x)] == [["bad te", "good t"]]


def test_pipelines() -> None:
    data = utils.Pipeline.from_tensor_slices((np.arange(6.0), np.arange(6)))
    assert [y.item() for _, y in data.skip(1).take(3)] == [1, 2, 3]
    assert sorted(y.item() for _, y in data.shuffle(6, seed=3)) == list(range(6))
    assert [y.tolist() for _, y in data.batch(4).map(lambda x, y: (x, y * 2)).prefetch(utils.AUTOTUNE)] == [
        [0, 2, 4, 6],
        [8, 10],
    ]
    assert len(data.batch(4, drop_remainder=True)) == 1
    assert [y.item() for _, y in data.filter(lambda x, y: x > 3).cache().repeat(2)] == [4, 5, 4, 5]
    assert next(data.enumerate())[0] == 0 if hasattr(data.enumerate(), "__next__") else True
    left, right = utils.split_dataset(np.arange(10), left_size=0.8)
    assert (len(left), len(right)) == (8, 2)
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse")
    pairs = utils.Pipeline.from_tensor_slices((np.ones((6, 1)), np.ones((6, 1)))).batch(2)
    assert len(model.fit(pairs, epochs=2, validation_data=pairs, verbose=0).history["val_loss"]) == 2


def test_sequences() -> None:
    assert utils.pad_sequences([[1, 2, 3], [4]], 2, padding="post", truncating="post").tolist() == [[1, 2], [4, 0]]
    assert utils.pad_sequences([[1, 2, 3], []]).tolist() == [[1, 2, 3], [0, 0, 0]]
    with pytest.raises(ArgumentError, match="padding"):
        utils.pad_sequences([[1]], padding="left")
    series = np.arange(10)
    data = utils.timeseries_dataset_from_array(series, series[3:], 3, sampling_rate=1, sequence_stride=2, batch_size=2)
    assert [(x[0].tolist(), y.tolist()) for x, y in data] == [([0, 1, 2], [3, 5]), ([4, 5, 6], [7, 9])]
    windows = preprocessing.sequence.TimeseriesGenerator(series, series, 3, batch_size=4)
    assert windows[1][1].tolist() == [7, 8, 9][: len(windows[1][1])]
    pairs, labels = preprocessing.sequence.skipgrams([1, 2, 0, 3], 4, 1, seed=1)
    assert {tuple(p) for p, y in zip(pairs, labels, strict=True) if y} == {(1, 2), (2, 1)}
    table = preprocessing.sequence.make_sampling_table(5)
    assert (np.diff(table) >= 0).all()


def test_tokens() -> None:
    text = preprocessing.text
    tokenizer = text.Tokenizer(num_words=3, oov_token="?")
    tokenizer.fit_on_texts(["the cat", "the dog sat"])
    assert tokenizer.texts_to_sequences(["the dog flew"]) == [[2, 1, 1]]
    assert tokenizer.sequences_to_texts([[2, 1]]) == ["the ?"]
    assert tokenizer.texts_to_matrix(["the the cat"], mode="count").tolist() == [[0, 1, 2]]
    again = text.tokenizer_from_json(tokenizer.to_json())
    assert again.word_index == tokenizer.word_index
    assert len(text.one_hot("a b a", 10)) == 3
    assert text.hashing_trick("a b a", 10, "md5")[0] == text.hashing_trick("a", 10, "md5")[0]


def test_image_files_and_arrays(tmp_path: Path) -> None:
    image = rng.integers(0, 255, (5, 7, 3)).astype("float32")
    utils.save_img(tmp_path / "a.png", image, scale=False)
    assert (utils.img_to_array(utils.load_img(tmp_path / "a.png")) == image).all()
    small = utils.load_img(tmp_path / "a.png", color_mode="grayscale", target_size=(2, 3), interpolation="bilinear")
    assert utils.img_to_array(small).shape == (2, 3, 1)
    assert utils.array_to_img(np.ones((2, 2, 1))).mode == "L"
    with pytest.raises(ArgumentError, match="color_mode"):
        utils.load_img(tmp_path / "a.png", color_mode="cmyk")
    with pytest.raises(DataError):
        utils.load_img(tmp_path / "none.png")


@pytest.mark.slow
def test_generators_of_changed_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path)
    image = preprocessing.image
    plain = image.ImageDataGenerator(rescale=1 / 255, validation_split=0.4)
    flow = plain.flow_from_directory(tmp_path, (4, 4), batch_size=3, class_mode="binary", subset="training", seed=1)
    assert "Found 6 images belonging to 2 classes." in capsys.readouterr().out
    assert flow.class_indices == {"cats": 0, "dogs": 1}
    x, y = next(flow)
    assert x.shape == (3, 4, 4, 3)
    assert x.max() <= 1
    assert y.shape == (3,)
    table = {"filename": ["cats/0.png", "dogs/1.png"], "class": ["cats", "dogs"]}
    assert next(plain.flow_from_dataframe(table, tmp_path, target_size=(4, 4), shuffle=False))[1].tolist() == [
        [1, 0],
        [0, 1],
    ]
    images = rng.random((6, 8, 8, 3)).astype("float32")
    changing = image.ImageDataGenerator(
        rotation_range=20, width_shift_range=0.1, height_shift_range=2, shear_range=5, zoom_range=0.2, horizontal_flip=True,
        vertical_flip=True, channel_shift_range=0.1, featurewise_center=True, featurewise_std_normalization=True,
    )  # fmt: skip
    with pytest.raises(ArgumentError, match=r"fit\(x\)"):
        changing.flow(images)[0]
    changing.fit(images)
    one, two = (changing.flow(images, np.arange(6), seed=2)[0] for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    assert abs(one[0].mean()) < 0.5
    turned = image.apply_affine_transform(images[0], theta=90)
    np.testing.assert_allclose(turned, np.rot90(images[0], -1), atol=1e-5)
    shifted = image.apply_affine_transform(images[0], tx=2, fill_mode="constant")
    np.testing.assert_allclose(shifted[:-2], images[0][2:], atol=1e-6)
    whitened = image.ImageDataGenerator(zca_whitening=True)
    whitened.fit(images)
    assert whitened.flow(images)[0].shape == (6, 8, 8, 3)
    model = keras.Sequential([keras.layers.Flatten(input_shape=(4, 4, 3)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(flow, epochs=1, verbose=0)
    assert model.optimizer.iterations == 2


def test_models_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.layers.Dense(2, input_shape=(3,), name="one"), keras.layers.Dense(1, name="two")])
    text = utils.model_to_dot(model, show_shapes=True, show_dtype=True, show_trainable=True).to_string()
    assert "one (Dense)<br/>output: (None, 2)<br/>dtype: float32<br/>trainable" in text
    assert "n1 -> n2" in text
    utils.plot_model(model, tmp_path / "model.dot")
    assert (tmp_path / "model.dot").read_text().startswith("digraph")
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UnsupportedError, match="Graphviz"):
        utils.plot_model(model, tmp_path / "model.png")


@pytest.mark.slow
def test_estimators() -> None:
    from onegraph.keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor

    def make(units: int = 4) -> Any:
        model = keras.Sequential(
            [keras.layers.Dense(units, activation="tanh", input_shape=(2,)), keras.layers.Dense(2, "softmax")]
        )
        model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
        return model

    x = rng.normal(size=(60, 2)).astype("float32")
    names = np.where(x[:, 0] > 0, "right", "left")
    classifier = KerasClassifier(make, epochs=15, verbose=0, units=8)
    classifier.fit(x, names)
    assert classifier.score(x, names) > 0.9
    assert classifier.predict_proba(x).shape == (60, 2)
    assert classifier.get_params()["units"] == 8
    with pytest.raises(ArgumentError, match="no argument"):
        classifier.set_params(depth=3)

    def line() -> Any:
        model = keras.Sequential([keras.layers.Dense(1, input_shape=(2,))])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        return model

    regressor = KerasRegressor(line, nb_epoch=10, verbose=0)
    regressor.fit(x, x[:, 0])
    assert regressor.score(x, x[:, 0]) > -0.2
    assert regressor.predict(x).shape == (60,)
