"""Listings written for Keras 1 and 2: their module paths, their methods, and the bar that they showed in a terminal."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

from onegraph import keras
from onegraph.errors import DataError
from onegraph.keras import Dense, Flatten, Input, Model, Sequential

rng = np.random.default_rng(0)
x = rng.standard_normal((20, 6)).astype(np.float32)
labels = rng.integers(0, 3, 20)


@pytest.fixture(autouse=True)
def seed() -> None:
    keras.utils.set_random_seed(7)
    keras.backend.clear_session()


def classifier() -> Sequential:
    model = Sequential([Dense(3, activation="softmax", input_shape=(6,))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def test_module_paths_of_keras_1() -> None:
    from onegraph.keras.layers.convolutional import Convolution2D, MaxPooling2D
    from onegraph.keras.layers.core import Dropout
    from onegraph.keras.utils import np_utils

    model = Sequential()
    model.add(Convolution2D(4, 3, 3, border_mode="same", subsample=(2, 2), input_shape=(8, 8, 1)))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(p=0.5))
    model.add(Flatten())
    assert model.output_shape == (None, 16)
    assert np_utils.to_categorical(labels, 3).shape == (20, 3)


def test_generator_methods_are_the_methods_of_today() -> None:
    def batches() -> object:
        return ((x[i : i + 5], labels[i : i + 5]) for i in range(0, 20, 5))

    one, other = classifier(), classifier()
    other.set_weights(one.get_weights())
    one.fit_generator(batches(), steps_per_epoch=4, epochs=1, verbose=0)
    other.fit(x, labels, batch_size=5, shuffle=False, verbose=0)
    np.testing.assert_array_equal(one.get_weights()[0], other.get_weights()[0])
    assert one.evaluate_generator(batches()) == other.evaluate(x, labels, batch_size=5, verbose=0)
    np.testing.assert_array_equal(one.predict_generator((b for b, _ in batches())), other.predict(x))  # type: ignore[attr-defined]
    assert one.optimizer.iterations == 4
    one.fit_generator(batches(), samples_per_epoch=20, nb_epoch=1, verbose=0)  # Keras 1 counted samples
    assert one.optimizer.iterations == 8


def test_classes_of_a_classifier() -> None:
    model = classifier()
    np.testing.assert_array_equal(model.predict_proba(x), model.predict(x))
    np.testing.assert_array_equal(model.predict_classes(x), model.predict(x).argmax(-1))
    single = Sequential([Dense(1, activation="sigmoid", input_shape=(6,))])
    np.testing.assert_array_equal(single.predict_classes(x), (single.predict(x) > 0.5).astype(int))


@pytest.mark.parametrize("wrong", [3, -1])
def test_class_numbers_without_an_output(wrong: int) -> None:
    bad = labels.copy()
    bad[-1] = wrong
    for call in (lambda m: m.fit(x, bad, verbose=0), lambda m: m.evaluate(x, bad, verbose=0)):
        with pytest.raises(DataError, match=f"class number {wrong}, the model's output has 3 classes"):
            call(classifier())
    inputs = Input((6,))
    two = Model(inputs, [Dense(1)(inputs), Dense(3, activation="softmax")(inputs)])
    two.compile("sgd", ["mse", "sparse_categorical_crossentropy"])
    with pytest.raises(DataError, match=f"class number {wrong}"):
        two.fit(x, [x[:, :1], bad], verbose=0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_the_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    model, terminal = classifier(), Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    getattr(model, method)(x, labels, batch_size=10, verbose=1)
    drawn = [line for line in terminal.getvalue().replace("\n", "\r").split("\r") if "/2 " in line]
    assert drawn[0].startswith("1/2 ==========.......... ")
    assert re.match(r"2/2 ={20} \d+s \d+[mu]?s/step - loss: \d", drawn[-1])
