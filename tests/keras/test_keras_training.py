"""`compile` and `fit`: the numbers, the plans, the data that they accept, and what goes wrong."""

from __future__ import annotations

import re
import signal

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, ArgumentTypeError, DataError, ShapeError, TraceError, UninitializedError
from onegraph.keras import Activation, BatchNormalization, Dense, Dropout, Input, Model, Sequential
from onegraph.keras.interrupt import WholeSteps
from onegraph.nn import functional as F
from onegraph.runtime.plan import Plan


@pytest.fixture(autouse=True)
def seed() -> None:
    keras.utils.set_random_seed(7)
    keras.backend.clear_session()


def data(samples: int = 20, inputs: int = 6, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((samples, inputs)), rng.integers(0, classes, samples)


def classifier(**options: object) -> Sequential:
    model = Sequential([Dense(8, activation="relu", input_shape=(6,)), Dense(3, activation="softmax")])
    model.compile(**{"optimizer": keras.optimizers.SGD(0.1), "loss": "sparse_categorical_crossentropy", **options})
    return model


def test_the_listing_of_keras_1_runs() -> None:
    from onegraph.keras.layers.core import Activation, Dense
    from onegraph.keras.models import Sequential
    from onegraph.keras.optimizers import SGD

    n, d, h = 64, 100, 10
    model = Sequential()
    model.add(Dense(input_dim=d, output_dim=h))
    model.add(Activation("relu"))
    model.add(Dense(input_dim=h, output_dim=d))
    optimizer = SGD(lr=1e-0)
    model.compile(loss="mean_squared_error", optimizer=optimizer)
    x = np.random.randn(n, d)
    y = np.random.randn(n, d)
    history = model.fit(x, y, nb_epoch=50, batch_size=n, verbose=0)
    assert len(history.history["loss"]) == 50
    assert history.history["loss"][-1] < history.history["loss"][0]


def by_hand(model: Sequential, optimizer: og.optim.Optimizer, batches: list, loss: object) -> list[float]:
    """The same model trained define-by-run."""
    found = []
    for x, y in batches:
        optimizer.zero_grad()
        value = loss(model(x, training=True), y)  # type: ignore[operator]
        value.backward()
        optimizer.step()
        found.append(value.item())
    return found


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_fit_gives_the_bits_of_a_loop_by_hand(name: str) -> None:
    x, y = data(24)

    def make() -> Sequential:
        keras.utils.set_random_seed(3)
        return Sequential(
            [Dense(8, input_shape=(6,)), BatchNormalization(), Activation("relu"), Dropout(0.3), Dense(3)]
        )

    trained, ours = make(), make()
    batches = [(og.tensor(x[i : i + 8], dtype=og.float32), og.tensor(y[i : i + 8])) for i in (0, 8, 16)] * 2
    options = {"sgd": {"lr": 0.1, "momentum": 0.9}, "adam": {"lr": 0.01, "eps": 1e-7}}[name]
    optimizer = {"sgd": og.optim.SGD, "adam": og.optim.Adam}[name](ours.parameters(), **options)
    og.manual_seed(11)
    wanted = by_hand(ours, optimizer, batches, F.cross_entropy)

    keras_optimizer = keras.optimizers.SGD(0.1, momentum=0.9) if name == "sgd" else keras.optimizers.Adam(0.01)
    trained.compile(keras_optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    og.manual_seed(11)
    losses = [trained.train_on_batch(bx, by) for bx, by in batches]
    assert losses == wanted
    for a, b in zip(trained.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_squared_error_has_the_bits_of_mse_loss() -> None:
    x, _ = data(16)
    model = Sequential([Dense(4, input_shape=(6,))])
    model.compile("sgd", "mse")
    target = np.random.default_rng(1).standard_normal((16, 4)).astype(np.float32)
    wanted = F.mse_loss(model(og.tensor(x, dtype=og.float32)), og.tensor(target)).item()
    assert model.test_on_batch(x, target) == wanted


def test_a_step_is_one_plan_for_each_batch_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data(20)
    model = classifier(metrics=["accuracy"])
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    step = model._functions["train"]
    assert step.traces == 2  # batches of 8, and the last one of 4
    runs = []
    run = Plan.run
    monkeypatch.setattr(Plan, "run", lambda plan, *given: runs.append(plan) or run(plan, *given))
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    assert step.traces == 2
    assert len(runs) == 6 and len(set(map(id, runs))) == 2


def test_changing_the_learning_rate_traces_nothing() -> None:
    x, y = data(8)
    model = classifier()
    first = model.get_weights()[2].copy()
    model.train_on_batch(x, y)
    model.optimizer.learning_rate = 0.0
    after = model.get_weights()[2]
    model.train_on_batch(x, y)
    assert not np.array_equal(first, after)
    np.testing.assert_array_equal(model.get_weights()[2], after)
    assert model._functions["train"].traces == 1


def test_the_same_seed_gives_the_same_training() -> None:
    x, y = data(20)

    def run(seed: int) -> list[float]:
        keras.utils.set_random_seed(seed)
        model = Sequential(
            [Dense(8, activation="relu", input_shape=(6,)), Dropout(0.5), Dense(3, activation="softmax")]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model.fit(x, y, batch_size=4, epochs=2, verbose=0).history["loss"]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_the_loss_of_an_epoch_is_the_mean_over_samples() -> None:
    x, y = data(20)
    model = classifier(optimizer=keras.optimizers.SGD(0.0), metrics=["accuracy"])
    logs = model.fit(x, y, batch_size=8, epochs=1, verbose=0).history
    loss, accuracy = model.evaluate(x, y, batch_size=20, verbose=0)
    assert logs["loss"][0] == pytest.approx(loss, rel=1e-6)
    assert logs["accuracy"][0] == pytest.approx(accuracy)
    assert accuracy == pytest.approx((model.predict(x).argmax(-1) == y).mean())


def test_validation_data_and_split() -> None:
    x, y = data(20)
    history = classifier().fit(x, y, validation_split=0.25, epochs=2, verbose=0)
    assert set(history.history) == {"loss", "val_loss"}
    assert len(history.history["val_loss"]) == 2
    model = classifier()
    history = model.fit(x, y, validation_data=(x[:5], y[:5]), epochs=2, validation_freq=2, verbose=0)
    assert len(history.history["val_loss"]) == 1
    assert history.history["val_loss"][0] == pytest.approx(model.evaluate(x[:5], y[:5], verbose=0))
    with pytest.raises(ArgumentError, match=r"validation_split=0.99 of 20 samples"):
        model.fit(x, y, validation_split=0.99, verbose=0)


def test_sample_and_class_weights() -> None:
    x, y = data(12)
    weights = np.where(y == 0, 2.0, 0.5)
    model = classifier()
    probabilities = model.predict(x)
    each = -np.log(probabilities[np.arange(12), y])
    assert model.test_on_batch(x, y, weights) == pytest.approx((each * weights).mean(), rel=1e-5)
    one, other = classifier(), classifier()
    other.set_weights(one.get_weights())
    a = one.fit(x, y, class_weight={0: 2.0, 1: 0.5, 2: 0.5}, shuffle=False, verbose=0).history["loss"]
    b = other.fit(x, y, sample_weight=weights, shuffle=False, verbose=0).history["loss"]
    assert a == b
    with pytest.raises(DataError, match="no weight for class 2"):
        one.fit(x, y, class_weight={0: 1.0, 1: 1.0}, verbose=0)


def test_generators_loaders_and_data_sets() -> None:
    x, y = data(16)

    def endless():  # type: ignore[no-untyped-def]
        while True:
            yield x[:8], y[:8]

    model = classifier()
    history = model.fit(endless(), steps_per_epoch=3, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2 and model.optimizer.iterations == 6
    dataset = og.utils.data.TensorDataset(og.tensor(x, dtype=og.float32), og.tensor(y))
    model.fit(og.utils.data.DataLoader(dataset, batch_size=4), epochs=1, verbose=0)
    assert model.optimizer.iterations == 10
    model.fit(dataset, batch_size=8, epochs=1, verbose=0)
    assert model.optimizer.iterations == 12

    class Halves(keras.utils.PyDataset):
        ended = 0

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int):  # type: ignore[no-untyped-def]
            return x[index * 8 : index * 8 + 8], y[index * 8 : index * 8 + 8]

        def on_epoch_end(self) -> None:
            self.ended += 1

    halves = Halves()
    model.fit(halves, epochs=2, verbose=0)
    assert model.optimizer.iterations == 16 and halves.ended == 2
    assert model.predict(halves).shape == (16, 3)
    assert model.evaluate(halves, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    with pytest.raises(ArgumentError, match="no batches"):
        model.fit((batch for batch in []), epochs=1, verbose=0)


def test_several_inputs_and_outputs() -> None:
    a, b = Input((3,), name="a"), Input((2,), name="b")
    joined = keras.layers.concatenate([a, b])
    model = Model([a, b], [Dense(1, name="number")(joined), Dense(3, activation="softmax", name="kind")(joined)])
    model.compile(
        "sgd",
        loss={"number": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"number": 0.5},
        metrics={"kind": ["accuracy"], "number": "mae"},
    )
    xa, xb = np.ones((6, 3)), np.ones((6, 2))
    number, kind = np.zeros((6, 1)), np.array([0, 1, 2, 0, 1, 2])
    logs = model.fit({"b": xb, "a": xa}, {"kind": kind, "number": number}, verbose=0).history
    assert set(logs) == {"loss", "number_loss", "kind_loss", "number_mae", "kind_accuracy"}
    assert logs["loss"][0] == pytest.approx(0.5 * logs["number_loss"][0] + logs["kind_loss"][0])
    found = model.evaluate([xa, xb], [number, kind], verbose=0, return_dict=True)
    assert list(found) == model.metrics_names
    predicted = model.predict([xa, xb])
    assert [p.shape for p in predicted] == [(6, 1), (6, 3)]
    with pytest.raises(ArgumentError, match="outputs are number, kind"):
        broken = Model([a, b], model.outputs)
        broken.compile("sgd", {"wrong": "mse"})
        broken.train_on_batch([xa, xb], [number, kind])


def test_regularizers_constraints_and_clipping() -> None:
    x, y = data(8)
    layer = Dense(3, kernel_regularizer=keras.regularizers.l2(0.5), kernel_constraint="non_neg", input_shape=(6,))
    model = Sequential([layer])
    model.compile(
        keras.optimizers.SGD(0.1, clipvalue=1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    before, bias = layer.get_weights()
    plain = Sequential([Dense(3, input_shape=(6,))])
    plain.set_weights([before, bias])
    plain.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    difference = model.test_on_batch(x, y) - plain.test_on_batch(x, y)
    assert difference == pytest.approx(0.5 * (before**2).sum(), rel=1e-5)
    model.train_on_batch(x, y)
    after, new_bias = layer.get_weights()
    assert after.min() >= 0
    assert 0 < np.abs(new_bias - bias).max() <= 1e-4 * (1 + 1e-5)


def test_activity_penalties_count() -> None:
    model = Sequential(
        [Dense(2, activity_regularizer="l2", use_bias=False, kernel_initializer="ones", input_shape=(3,))]
    )
    model.compile("sgd", "mse")
    x = np.ones((4, 3))
    assert model.test_on_batch(x, np.full((4, 2), 3.0)) == pytest.approx(0.01 * 9 * 2)


def test_frozen_layers_stay() -> None:
    x, y = data(8)
    model = classifier()
    model.layers[0].trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.train_on_batch(x, y)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])


def test_a_model_without_a_known_input_is_built_by_its_first_batch() -> None:
    x, y = data(8)
    model = Sequential([Dense(4, activation="relu"), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["acc"])
    model.fit(x, y, epochs=1, verbose=0)
    assert model.input_shape == (None, 6)
    assert [w.shape for w in model.get_weights()] == [(6, 4), (4,), (4, 3), (3,)]


def test_eager_mode_gives_the_same_losses() -> None:
    x, y = data(16)
    traced, eager = classifier(), classifier(run_eagerly=True)
    eager.set_weights(traced.get_weights())
    assert [traced.train_on_batch(x, y) for _ in range(3)] == [eager.train_on_batch(x, y) for _ in range(3)]


def test_a_model_that_looks_at_values() -> None:
    class Looks(Model):
        def call(self, inputs):  # type: ignore[no-untyped-def]
            return inputs * 2 if inputs.sum() > 0 else inputs

    model = Looks()
    model.compile("sgd", "mse")
    with pytest.raises(TraceError, match="run_eagerly=True"):
        model.evaluate(np.ones((2, 3)), np.ones((2, 3)), verbose=0)
    model.compile("sgd", "mse", run_eagerly=True)
    assert model.evaluate(np.ones((2, 3)), np.ones((2, 3)), verbose=0) == 1.0


def test_a_custom_training_step_is_traced_too() -> None:
    class Halved(Sequential):
        def train_step(self, data):  # type: ignore[no-untyped-def]
            x, y = data
            return super().train_step((x * 0.0, y))

    model = Halved([Dense(1, input_shape=(2,), use_bias=False)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


class Interrupting(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        if batch == 2:
            raise KeyboardInterrupt


def test_ctrl_c_leaves_the_weights_of_the_last_step() -> None:
    x, y = data(20)
    stopped, whole = classifier(), classifier()
    whole.set_weights(stopped.get_weights())
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[Interrupting()])
    whole.fit(x[:8], y[:8], batch_size=4, shuffle=False, verbose=0)
    for a, b in zip(stopped.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_interrupt_waits_for_the_step_and_a_second_does_not() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), WholeSteps() as steps, steps.step():
        signal.raise_signal(signal.SIGINT)
        reached.append("end of the step")
    assert reached == ["end of the step"]
    with pytest.raises(KeyboardInterrupt), WholeSteps() as steps, steps.step():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached.append("never")
    assert reached == ["end of the step"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_errors_say_what_is_wrong() -> None:
    x, y = data(8)
    with pytest.raises(UninitializedError, match="has not been compiled"):
        Sequential([Dense(1, input_shape=(6,))]).fit(x, y, verbose=0)
    with pytest.raises(ArgumentError, match=r"no loss called 'mean_sqared_error'.*mean_squared_error"):
        classifier(loss="mean_sqared_error")
    with pytest.raises(ArgumentError, match=r"no metric called 'accurracy'"):
        classifier(metrics=["accurracy"])
    with pytest.raises(ArgumentError, match=r"no optimizer called 'adm'.*Adam"):
        classifier(optimizer="adm")
    with pytest.raises(DataError, match=r"as many samples: x has shape .8, 6., y has shape .7."):
        classifier().fit(x, y[:7], verbose=0)
    with pytest.raises(ShapeError, match=r"layer 'dense.*built for inputs of shape \(None, 6\), got \(None, 5\)"):
        classifier().fit(x[:, :5], y, verbose=0)
    model = classifier(loss="mse")
    with pytest.raises(ShapeError, match=r"target has shape \(8, 2\), the model's output \(8, 3\)"):
        model.fit(x, np.zeros((8, 2)), verbose=0)
    with pytest.raises(ShapeError, match="categorical_crossentropy for one-hot"):
        classifier().fit(x, np.eye(3)[y], verbose=0)
    with pytest.raises(DataError, match="there are no targets"):
        classifier().fit(x, verbose=0)
    with pytest.raises(ArgumentError, match="fit does not take 'epoch'"):
        classifier().fit(x, y, epoch=3)
    with pytest.raises(ArgumentError, match="evaluate does not take 'batchsize'"):
        classifier().evaluate(x, y, batchsize=3)
    with pytest.raises(ArgumentError, match="predict does not take 'batchsize'"):
        classifier().predict(x, batchsize=3)
    with pytest.raises(DataError, match="x is None"):
        classifier().fit(None, y)
    with pytest.raises(ArgumentError, match="batch_size must be a positive whole number, got 0"):
        classifier().fit(x, y, batch_size=0)
    for epochs in (-1, 1.5):
        with pytest.raises(ArgumentError, match=f"epochs must be a whole number.*{epochs}"):
            classifier().fit(x, y, epochs=epochs)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="epochs and nb_epoch are two names"):
        classifier().fit(x, y, epochs=3, nb_epoch=2)


def test_options_are_checked_where_they_are_written() -> None:
    with pytest.raises(ArgumentError, match="no initializer called 'glorot'"):
        Dense(3, kernel_initializer="glorot")
    with pytest.raises(ArgumentError, match="no initializer called 'glorot'"):
        Dense(3, init="glorot")
    with pytest.raises(ArgumentError, match="no regularizer called 'l3'"):
        Dense(3, kernel_regularizer="l3")
    with pytest.raises(ArgumentError, match="Dense does not take unit") as caught:
        Dense(3, unit=4)
    assert caught.value.hint is not None and caught.value.hint.startswith("it takes units, activation")
    with pytest.raises(ArgumentTypeError, match="learning_rate must be a number or a schedule, got 'fast'"):
        keras.optimizers.SGD("fast")
    with pytest.raises(ArgumentError, match="momentum must be between 0 and 1, got 2"):
        keras.optimizers.SGD(0.1, momentum=2)
    with pytest.raises(ArgumentError, match="beta_1 must be between 0 and 1, got -1"):
        keras.optimizers.Adam(beta_1=-1)


def test_shapes_in_messages_have_none_for_the_batch() -> None:
    with pytest.raises(ShapeError, match=r"on an input of shape \(None, 3, 3, 1\).*kernel \(5, 5\)"):
        Sequential([keras.Conv2D(3, 5, input_shape=(3, 3, 1))])
    with pytest.raises(ShapeError, match=r"shapes \(None, 3\) and \(None, 4\) do not broadcast") as caught:
        keras.layers.Add()([Input((3,)), Input((4,))])
    assert "in layer" not in str(caught.value), "the message names it already"


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = data(20)
    model = classifier()
    model.fit(x, y, epochs=2, batch_size=10, verbose=1, validation_split=0.5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and len(lines) == 4
    assert re.match(r"1/1 \S{20} \d+s \d+[mu]?s/step - loss: .* - val_loss: ", lines[1])
    model.fit(x, y, epochs=1, verbose=2)
    assert "[" not in capsys.readouterr().out
    model.evaluate(x, y)
    assert re.match(r"1/1 \S{20} ", capsys.readouterr().out)
    model.fit(x, y, verbose=0)
    assert capsys.readouterr().out == ""


def test_targets_of_another_kind_after_a_mistake() -> None:
    x, y = data(8)
    model = classifier(metrics=["accuracy"])
    with pytest.raises(ShapeError):
        model.fit(x, np.eye(3)[y], verbose=0)
    history = model.fit(x, y, verbose=0)
    assert 0 <= history.history["accuracy"][0] <= 1


def test_fit_runs_in_eager_mode() -> None:
    x, y = data(8)
    lazy, eager = classifier(), classifier()
    eager.set_weights(lazy.get_weights())
    with og.eager():
        found = eager.train_on_batch(x, y)
    assert found == lazy.train_on_batch(x, y)


def test_weights_follow_what_is_derived_from_them() -> None:
    """A penalty is computed in the plan, from the weights of each step."""
    model = Sequential(
        [
            Dense(
                1,
                use_bias=False,
                kernel_initializer="ones",
                kernel_regularizer=keras.regularizers.l2(0.5),
                input_shape=(1,),
            )
        ]
    )
    model.compile(keras.optimizers.SGD(0.5), "mse")
    zeros = np.zeros((2, 1))
    assert [model.train_on_batch(zeros, zeros) for _ in range(3)] == [0.5, 0.125, 0.03125]
