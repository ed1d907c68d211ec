"""Steps of users: their own train_step, losses and metrics, several optimizers, gradients as TensorFlow's code asks for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.keras import layers, ops
from tests.keras import cases_optimizers, recorded

rng = np.random.default_rng(0)
x, y = rng.normal(size=(24, 4)).astype("float32"), rng.normal(size=(24, 1)).astype("float32")


@pytest.mark.parametrize("name", cases_optimizers.CASES)
def test_optimizers_move_weights_as_those_of_keras(name: str) -> None:
    with og.config.using(backend="reference"):
        value = eval(cases_optimizers.CASES[name], {**recorded.names(), "keras": keras, "ops": ops})
        recorded.check("optimizers", name, value)


class Manual(keras.Model):
    """Written as for Keras 3 with PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def train_step(self, data: Any) -> Any:
        inputs, targets = data
        self.zero_grad()
        outputs = self(inputs, training=True)
        loss = self.compute_loss(y=targets, y_pred=outputs)
        loss.backward()
        weights = list(self.trainable_weights)
        self.optimizer.apply([w.grad for w in weights], weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(targets, outputs)
        return {m.name: m.result() for m in self.metrics}


class Taped(keras.Model):
    """Written as for TensorFlow."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def train_step(self, data: Any) -> Any:
        inputs, targets = data
        with keras.GradientTape() as tape:
            outputs = self(inputs, training=True)
            loss = self.compiled_loss(targets, outputs, regularization_losses=self.losses)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.compiled_metrics.update_state(targets, outputs)
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize("kind", [Manual, Taped])
def test_own_steps_train_like_the_usual_one(kind: type[keras.Model]) -> None:
    own, usual = kind(), keras.Sequential([layers.Dense(1, input_shape=(4,))])
    own(x)
    own.set_weights(usual.get_weights())
    for model in (own, usual):
        model.compile(
            keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.9)), "mse", metrics=["mae"]
        )
    ours = own.fit(x, y, epochs=2, batch_size=8, verbose=0, shuffle=False).history
    theirs = usual.fit(x, y, epochs=2, batch_size=8, verbose=0, shuffle=False).history
    assert own.optimizer.iterations == usual.optimizer.iterations == 6
    np.testing.assert_allclose(own.get_weights()[0], usual.get_weights()[0], rtol=1e-5)
    np.testing.assert_allclose(
        ours["mean_absolute_error" if "mean_absolute_error" in ours else "mae"],
        theirs["mean_absolute_error" if "mean_absolute_error" in theirs else "mae"],
        rtol=1e-5,
    )
    assert own.evaluate(x, y, verbose=0)[0] < ours["loss"][0] + 10


class Gan(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.Sequential([layers.Dense(4)])
        self.discriminator = keras.Sequential([layers.Dense(1)])
        self.d_metric, self.g_metric = keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")
        self.seeds = keras.random.SeedGenerator(1)

    def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:  # type: ignore[override]
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self) -> list[Any]:
        return [self.d_metric, self.g_metric]

    def train_step(self, real: Any) -> Any:
        size = ops.shape(real)[0]
        fake = self.generator(keras.random.normal((size, 2), seed=self.seeds))
        labels = ops.concatenate([ops.ones((size, 1)), ops.zeros((size, 1))], axis=0)
        self.zero_grad()
        d_loss = self.loss_fn(labels, self.discriminator(ops.concatenate([fake, real], axis=0)))
        d_loss.backward()
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply([w.grad for w in weights], weights)
        self.zero_grad()
        fake = self.generator(keras.random.normal((size, 2), seed=self.seeds))
        g_loss = self.loss_fn(ops.zeros((size, 1)), self.discriminator(fake))
        g_loss.backward()
        weights = self.generator.trainable_weights
        self.g_optimizer.apply([w.grad for w in weights], weights)
        self.d_metric.update_state(d_loss)
        self.g_metric.update_state(g_loss)
        return {"d_loss": self.d_metric.result(), "g_loss": self.g_metric.result()}


@pytest.mark.slow
def test_two_networks_with_two_optimizers() -> None:
    gan = Gan()
    gan.compile(
        keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True)
    )
    history = gan.fit(x, epochs=2, batch_size=8, verbose=0)
    assert set(history.history) == {"d_loss", "g_loss"}
    assert np.isfinite(history.history["d_loss"]).all()
    assert gan.d_optimizer.iterations == gan.g_optimizer.iterations == 6
    assert history.history["d_loss"][1] != history.history["d_loss"][0]


def test_own_loss_and_own_prediction() -> None:
    class Scaled(keras.Sequential):
        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any) -> Any:
            return ops.mean(ops.square(y - y_pred)) * 3.0

        def predict_step(self, data: Any) -> Any:
            return super().predict_step(data) + 100.0

    model = Scaled([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd")
    with og.config.using(backend="reference"):
        first = model.evaluate(x, y, verbose=0)
        plain = model(x).detach().numpy()
        np.testing.assert_allclose(first, 3 * ((plain - y) ** 2).mean(), rtol=1e-5)
        np.testing.assert_allclose(model.predict(x, verbose=0), plain + 100, rtol=1e-5)


def test_stateless_call() -> None:
    model = keras.Sequential([layers.Dense(2, input_shape=(4,)), layers.BatchNormalization()])
    with og.config.using(backend="reference"):
        before = model.get_weights()
        zeros = [ops.zeros(v.shape) for v in model.trainable_variables]
        outputs, after = model.stateless_call(zeros, model.non_trainable_variables, x, training=True)
        assert float(abs(outputs).max()) == 0.0
        assert after[1].tolist() != before[5].tolist()
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_averages_of_weights_end_up_in_the_model() -> None:
    model = keras.Sequential([layers.Dense(1, input_shape=(4,), use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    seen = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(model.get_weights()[0]))
    model.fit(x, y, batch_size=8, verbose=0, shuffle=False, callbacks=[watch])
    expected = 0.5 * (0.5 * seen[0] + 0.5 * seen[1]) + 0.5 * seen[2]
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5)


@pytest.mark.slow
def test_gradients_gathered_over_steps_are_those_of_a_large_batch() -> None:
    small, large = (keras.Sequential([layers.Dense(1, input_shape=(4,))]) for _ in range(2))
    large.set_weights(small.get_weights())
    small.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=3), "mse")
    large.compile(keras.optimizers.SGD(0.1), "mse")
    small.fit(x, y, batch_size=8, verbose=0, shuffle=False)
    large.fit(x, y, batch_size=24, verbose=0, shuffle=False)
    np.testing.assert_allclose(small.get_weights()[0], large.get_weights()[0], rtol=1e-5)


def test_samples_per_epoch_counts_samples() -> None:
    def batches() -> Any:
        while True:
            yield x[:8], y[:8]

    model = keras.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    history = model.fit_generator(batches(), samples_per_epoch=24, nb_epoch=2, verbose=0)
    assert model.optimizer.iterations == 6
    assert history.epoch == [0, 1]
