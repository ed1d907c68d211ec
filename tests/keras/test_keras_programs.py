"""Whole programs in the manner of the well-known Keras books and examples, on small made-up data.

Each one learns something that is easy to learn, and says what has to be true afterwards. They run on the reference
backend: what is compiled is checked elsewhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.keras import layers, ops

K = keras.backend


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    K.clear_session()
    keras.utils.set_random_seed(1)
    with og.config.using(backend="reference"):
        yield


def test_reviews_are_good_or_bad() -> None:
    words = np.array(["the", "film", "was", "plot"])
    rng = np.random.default_rng(0)
    labels = np.arange(48) % 2
    texts = [
        " ".join([*rng.choice(words, rng.integers(1, 4)), "Wonderful!" if good else "awful.", *rng.choice(words, 1)])
        for good in labels
    ]
    vectorize = layers.TextVectorization(max_tokens=12, output_mode="int", output_sequence_length=5)
    vectorize.adapt(texts)
    assert {"wonderful", "awful"} < set(vectorize.get_vocabulary())
    tokens = vectorize(texts)
    assert tokens.shape == (48, 5)
    inputs = keras.Input(shape=(None,), dtype="int64")
    x = layers.Embedding(input_dim=12, output_dim=8, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(6))(x)
    assert x.shape == (None, 12)
    outputs = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.1)(x))
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.RMSprop(0.05), loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(tokens, labels, validation_split=0.25, epochs=6, batch_size=12, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.history["accuracy"][-1] == 1.0
    assert history.history["val_accuracy"][-1] > 0.8
    scores = model.predict(vectorize(["the plot was wonderful", "awful film"]), verbose=0)[:, 0]
    assert scores[0] > 0.7 > 0.3 > scores[1]


def test_tomorrow_from_the_days_before() -> None:
    series = np.sin(np.arange(90) / 4).astype("float32")
    data = keras.utils.timeseries_dataset_from_array(
        data=series[:-6, None],
        targets=series[6:],
        sequence_length=6,
        sampling_rate=1,
        batch_size=16,
        shuffle=True,
        seed=3,
    )
    samples, targets = next(iter(data))
    assert samples.shape == (16, 6, 1)
    assert targets.shape == (16,)
    rows = [int(np.abs(series - float(s)).argmin()) for s in np.asarray(samples)[:, 0, 0]]
    np.testing.assert_array_equal(series[[r + 6 for r in rows]], np.asarray(targets))
    model = keras.Sequential([
        keras.Input((6, 1)), layers.GRU(8, recurrent_dropout=0.05, return_sequences=True), layers.GRU(6), layers.Dense(1)
    ])  # fmt: skip
    model.compile(keras.optimizers.Adam(0.02), loss="mse", metrics=["mae"])
    first = model.evaluate(data, verbose=0, return_dict=True)
    model.fit(data, epochs=5, verbose=0)
    last = model.evaluate(data, verbose=0, return_dict=True)
    assert set(first) == {"loss", "mae"}
    assert last["loss"] < 0.3 * first["loss"]
    assert model.predict(data, verbose=0).shape == (79, 1)


def ticket_model() -> keras.Model:
    title, tags = keras.Input((6,), name="title"), keras.Input((3,), name="tags")
    features = layers.Dense(12, activation="relu")(layers.Concatenate()([title, tags]))
    priority = layers.Dense(1, activation="sigmoid", name="priority")(features)
    department = layers.Dense(3, activation="softmax", name="department")(features)
    return keras.Model(inputs=[title, tags], outputs=[priority, department])


def test_tickets_have_a_priority_and_a_department() -> None:
    rng = np.random.default_rng(1)
    title, tags = rng.random((48, 6), "float32"), np.eye(3, dtype="float32")[rng.integers(0, 3, 48)]
    inputs, targets = {"title": title, "tags": tags}, {"priority": title[:, :1] > 0.5, "department": tags}
    model = ticket_model()
    model.compile(
        optimizer=keras.optimizers.Adam(0.03),
        loss={"priority": "binary_crossentropy", "department": "categorical_crossentropy"},
        loss_weights={"priority": 0.5, "department": 2.0},
        metrics={"priority": ["accuracy"], "department": ["accuracy"]},
    )
    history = model.fit(inputs, targets, epochs=12, batch_size=16, verbose=0).history
    parts = {"loss", "priority_loss", "department_loss", "priority_accuracy", "department_accuracy"}
    assert set(history) == parts
    for all_of_it, one, other in zip(*(history[k] for k in ("loss", "priority_loss", "department_loss")), strict=True):
        assert all_of_it == pytest.approx(0.5 * one + 2 * other, rel=1e-4)
    assert history["department_accuracy"][-1] == 1.0
    by_dict = model.evaluate(inputs, targets, verbose=0, return_dict=True)
    by_list = model.evaluate([title, tags], [targets["priority"], tags], verbose=0, return_dict=True)
    assert by_dict == by_list
    assert set(by_dict) == parts
    priority, department = model.predict([title, tags], verbose=0)
    assert (priority.shape, department.shape) == ((48, 1), (48, 3))


def test_weights_of_classes_and_of_samples_say_who_matters() -> None:
    x = np.ones((20, 2), "float32")
    y = np.arange(20) % 2

    def score(**how: Any) -> float:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(2,))])
        model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", weighted_metrics=["accuracy"])
        model.fit(x, y, epochs=10, batch_size=10, verbose=0, **how)
        return float(model.predict(x[:1], verbose=0)[0, 0])

    assert score() == pytest.approx(0.5, abs=0.1)
    assert score(class_weight={0: 1.0, 1: 9.0}) > 0.75
    weighted = score(sample_weight=np.where(y, 0.1, 2.0))
    assert weighted < 0.25
    assert score(class_weight={0: 2.0, 1: 0.1}) == pytest.approx(weighted, abs=1e-5)


class Sampling(layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(5)

    def call(self, mean: Any, log_variance: Any) -> Any:
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


class VAE(keras.Model):
    """With its own step and metrics, as the book of 2021 has it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        images = keras.Input((4, 4, 1))
        x = layers.Flatten()(layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(images))
        self.encoder = keras.Model(images, [layers.Dense(2, name="mean")(x), layers.Dense(2, name="log_variance")(x)])
        codes = keras.Input((2,))
        x = layers.Reshape((2, 2, 4))(layers.Dense(16, activation="relu")(codes))
        x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(x)
        self.decoder = keras.Model(codes, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
        self.sampler = Sampling()
        self.total_loss = keras.metrics.Mean(name="total_loss")
        self.image_loss = keras.metrics.Mean(name="image_loss")
        self.kl_loss = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.total_loss, self.image_loss, self.kl_loss]

    def call(self, images: Any) -> Any:
        return self.decoder(self.encoder(images)[0])

    def train_step(self, data: Any) -> Any:
        with keras.GradientTape() as tape:
            mean, log_variance = self.encoder(data)
            made = self.decoder(self.sampler(mean, log_variance))
            image_loss = ops.mean(ops.sum(keras.losses.binary_crossentropy(data, made), axis=(1, 2)))
            kl_loss = ops.mean(-0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
            total = image_loss + kl_loss
        gradients = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        for metric, value in zip(self.metrics, (total, image_loss, kl_loss), strict=True):
            metric.update_state(value)
        return {m.name: m.result() for m in self.metrics}


def bars(count: int) -> Any:
    images = np.zeros((count, 4, 4, 1), "float32")
    images[::2, :, :2] = 1.0
    images[1::2, :2] = 1.0
    return images


def test_images_from_a_space_of_two_dimensions() -> None:
    model = VAE()
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    history = model.fit(bars(16), epochs=15, batch_size=8, verbose=0).history
    assert set(history) == {"total_loss", "image_loss", "kl_loss"}
    assert history["image_loss"][-1] < 0.85 * history["image_loss"][0]
    np.testing.assert_allclose(
        history["total_loss"], np.add(history["image_loss"], history["kl_loss"]), rtol=1e-5
    )  # all three are means over the epoch, not the last batch
    assert model.decoder.predict(np.zeros((3, 2)), verbose=0).shape == (3, 4, 4, 1)


class PenaltyOnCodes(layers.Layer):
    def call(self, inputs: Any) -> Any:
        self.add_loss(0.1 * ops.mean(ops.square(inputs)))
        return inputs


def test_a_loss_added_by_a_layer_counts() -> None:
    x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
    inputs = keras.Input((4,))
    code = PenaltyOnCodes()(layers.Dense(2, use_bias=False, name="code")(inputs))
    model = keras.Model(inputs, layers.Dense(4)(code))
    model.compile("adam", "mse")
    penalty = 0.1 * float(np.mean((x @ model.get_layer("code").get_weights()[0]) ** 2))
    plain = float(np.mean((model.predict(x, verbose=0) - x) ** 2))
    assert model.evaluate(x, x, verbose=0) == pytest.approx(plain + penalty, rel=1e-4)
    nothing = keras.Model(inputs, code)  # no loss but the added one
    nothing.compile(keras.optimizers.SGD(5.0))
    losses = nothing.fit(x, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_an_image_that_excites_a_filter() -> None:
    model = keras.models.Sequential()
    model.add(layers.Conv2D(3, (3, 3), activation="tanh", name="one", input_shape=(8, 8, 3)))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(4, (2, 2), name="two"))
    layer_output = model.get_layer("two").output
    loss = K.mean(layer_output[:, :, :, 1])
    gradients = K.gradients(loss, model.input)[0]
    gradients /= K.sqrt(K.mean(K.square(gradients))) + 1e-5
    iterate = K.function([model.input], [loss, gradients])
    before, image = [w.copy() for w in model.get_weights()], np.random.default_rng(0).random((1, 8, 8, 3))
    values = []
    for _ in range(10):
        value, direction = iterate([image])
        image += direction * 0.1
        values.append(float(value))
    assert direction.shape == (1, 8, 8, 3)
    assert np.sqrt(np.mean(direction**2)) == pytest.approx(1.0, abs=1e-2)
    assert all(later > earlier for earlier, later in itertools.pairwise(values))
    for w, same in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, same)


def gram(features: Any) -> Any:
    rows = K.batch_flatten(K.permute_dimensions(features, (2, 0, 1)))
    return K.dot(rows, K.transpose(rows))


def test_a_picture_in_the_style_of_another() -> None:
    rng = np.random.default_rng(2)
    content, style = K.variable(rng.random((1, 6, 6, 3))), K.constant(rng.random((1, 6, 6, 3)))
    combination = K.placeholder((1, 6, 6, 3))
    three = K.concatenate([content, style, combination], axis=0)
    inputs = keras.Input(tensor=three)
    model = keras.Model(inputs, layers.Conv2D(4, 3, activation="relu", padding="same", name="features")(inputs))
    features = {layer.name: layer.output for layer in model.layers}["features"]
    loss = K.variable(0.0)
    loss = loss + 0.5 * K.sum(K.square(features[2] - features[0]))
    loss = loss + K.sum(K.square(gram(features[1]) - gram(features[2]))) / 100.0
    fetch = K.function([combination], [loss, K.gradients(loss, combination)[0]])
    picture = rng.random((1, 6, 6, 3))
    first, gradients = fetch([picture])
    for _ in range(15):
        picture = picture - 0.02 * gradients
        last, gradients = fetch([picture])
    assert float(last) < 0.8 * float(first)


def test_a_convnet_spelled_as_in_keras_1() -> None:
    from onegraph.keras.layers import Activation, Convolution2D, Dense, Dropout, Flatten, MaxPooling2D, Merge
    from onegraph.keras.models import Sequential
    from onegraph.keras.utils import np_utils

    images = bars(24).transpose(0, 3, 1, 2)
    labels = np_utils.to_categorical(np.arange(24) % 2, 2)
    K.set_image_dim_ordering("th")
    try:
        left = Sequential()
        left.add(
            Convolution2D(nb_filter=4, nb_row=2, nb_col=2, border_mode="valid", init="he_normal", input_shape=(1, 4, 4))
        )
        left.add(Activation("relu"))
        left.add(MaxPooling2D(pool_size=(2, 2), border_mode="same"))
        left.add(Dropout(0.1))
        left.add(Flatten())
        assert left.output_shape == (None, 16)
        right = Sequential()
        right.add(Flatten(input_shape=(1, 4, 4)))
        right.add(Dense(output_dim=4, W_regularizer=keras.regularizers.l2(0.01)))
        model = Sequential()
        model.add(Merge([left, right], mode="concat", concat_axis=1))
        model.add(Dense(2, activation="softmax"))
        assert model.output_shape == (None, 2)
        model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(lr=0.05), metrics=["accuracy"])
        history = model.fit([images, images], labels, batch_size=8, nb_epoch=6, verbose=0, shuffle=True)
        assert len(history.history["loss"]) == 6
        loss, accuracy = model.evaluate([images, images], labels, verbose=0)
        assert accuracy == 1.0
        assert loss < history.history["loss"][0]
    finally:
        K.set_image_dim_ordering("tf")


def folder_of_photographs(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name, colour in (("cats", 220), ("dogs", 30)):
        (folder / name).mkdir(parents=True)
        for i in range(6):
            pixels = np.clip(rng.normal(colour, 8, (36, 32, 3)), 0, 255)
            keras.utils.save_img(folder / name / f"{i}.png", pixels, scale=False)


def test_a_network_that_is_there_gets_a_new_head(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    folder_of_photographs(tmp_path / "train")
    data = keras.utils.image_dataset_from_directory(tmp_path / "train", image_size=(32, 32), batch_size=6, seed=0)
    assert data.class_names == ["cats", "dogs"]
    base = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25)
    base.set_weights([4 * w if w.ndim == 4 else w for w in base.get_weights()])  # else almost zero comes out
    base.trainable = False
    augmentation = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.05)])
    inputs = keras.Input(shape=(32, 32, 3))
    x = base(layers.Rescaling(1 / 127.5, offset=-1)(augmentation(inputs)), training=False)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="head")(layers.Dropout(0.1)(x)))
    assert [tuple(w.shape) for w in model.trainable_weights] == [(256, 1), (1,)]
    before = [w.copy() for w in base.get_weights()]
    head = model.get_layer("head").get_weights()[0].copy()
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(data, epochs=2, validation_data=data, verbose=0).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for now, then in zip(base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert (model.get_layer("head").get_weights()[0] != head).any()
    base.trainable = True
    for layer in base.layers[:-4]:
        layer.trainable = False
    assert 2 < len(model.trainable_weights) < 10
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    model.fit(data, epochs=1, verbose=0)
    changed = [(now != then).any() for now, then in zip(base.get_weights(), before, strict=True)]
    assert any(changed)
    assert not all(changed)
    assert not any(changed[:10])


class Squared(layers.Layer):
    """A dense layer of the squares of its inputs."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", trainable=True)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, inputs: Any) -> Any:
        return ops.matmul(ops.square(inputs), self.w)

    def get_config(self) -> Any:
        return {**super().get_config(), "units": self.units}


class RootMeanSquare(keras.metrics.Metric):
    def __init__(self, name: str = "rms", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.squares = self.add_weight(name="squares", initializer="zeros")
        self.samples = self.add_weight(name="samples", initializer="zeros", dtype="int32")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.squares.assign_add(ops.sum(ops.square(y_true - y_pred)))
        self.samples.assign_add(ops.shape(y_pred)[0])

    def result(self) -> Any:
        return ops.sqrt(self.squares / ops.cast(self.samples, "float32"))

    def reset_state(self) -> None:
        self.squares.assign(0.0)
        self.samples.assign(0)


class Diary(keras.callbacks.Callback):
    def on_train_begin(self, logs: Any = None) -> None:
        self.events: list[str] = ["train"]
        self.losses: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.events.append(f"epoch {epoch}")

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        assert logs is not None
        self.losses.append(logs.get("loss"))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        assert logs is not None
        self.events.append(",".join(sorted(logs)))
        if epoch == 2:
            self.model.stop_training = True


def test_layer_metric_and_callback_of_ones_own() -> None:
    x = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
    y = (x**2).sum(1, keepdims=True)
    model = keras.Sequential([keras.Input((3,)), Squared(1, name="squared")])
    model.compile(
        keras.optimizers.Adam(0.1), loss=lambda t, p: ops.mean(ops.abs(t - p), axis=-1), metrics=[RootMeanSquare()]
    )
    diary = Diary()
    history = model.fit(x, y, epochs=9, batch_size=8, verbose=0, callbacks=[diary])
    assert diary.events == ["train", *(e for i in range(3) for e in (f"epoch {i}", "loss,rms"))]
    assert len(diary.losses) == 9
    assert len(history.history["rms"]) == 3
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert history.history["loss"][0] == pytest.approx(diary.losses[2], rel=1e-5)  # logs hold the mean so far
    error = float(np.sqrt(np.mean((model.predict(x, verbose=0) - y) ** 2)))
    assert model.evaluate(x, y, batch_size=5, verbose=0, return_dict=True)["rms"] == pytest.approx(error, rel=1e-4)
    layer = model.get_layer("squared")
    assert [len(layer.trainable_weights), len(layer.non_trainable_weights)] == [1, 1]
    assert Squared.from_config(layer.get_config()).units == 1
