"""Callbacks and optimizers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.board.reader import read_events
from onegraph.errors import ArgumentError, ArgumentTypeError, StorageError
from onegraph.keras import Dense, Sequential, callbacks, load_model, optimizers
from onegraph.keras.optimizers import schedules

x = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
y = x.sum(1, keepdims=True)


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    with og.config.using(backend="reference", shape_change_warning=10_000):  # nothing here is about compiling
        yield


def model(rate: float = 0.05, **options: Any) -> Sequential:
    keras.utils.set_random_seed(3)
    made = Sequential([Dense(1, input_shape=(4,))])
    made.compile(keras.optimizers.SGD(rate, **options), "mse")
    return made


class Recording(callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_") and name not in ("on_batch_begin", "on_batch_end"):
            self.calls.append(name)
        return super().__getattribute__(name)


def test_the_order_of_calls() -> None:
    recording = Recording()
    model().fit(x, y, batch_size=6, validation_data=(x, y), callbacks=[recording], verbose=0)
    batch = ["on_train_batch_begin", "on_train_batch_end"]
    test = ["on_test_begin", *["on_test_batch_begin", "on_test_batch_end"] * 2, "on_test_end"]
    assert recording.calls == [
        "on_train_begin",
        "on_epoch_begin",
        *batch,
        *batch,
        *test,
        "on_epoch_end",
        "on_train_end",
    ]
    assert recording.params == {"epochs": 1, "steps": 2, "verbose": 0}
    with pytest.raises(ArgumentTypeError, match=r"objects of keras\.callbacks\.Callback"):
        model().fit(x, y, callbacks=[print], verbose=0)


def test_early_stopping_and_the_best_weights() -> None:
    trained = model()
    best = []

    class Spoil(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                best.extend(self.model.get_weights())
            if epoch >= 2:
                self.model.optimizer.learning_rate = 2.0

    stopping = callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    history = trained.fit(x, y, validation_data=(x, y), epochs=50, callbacks=[Spoil(), stopping], verbose=0)
    assert len(history.epoch) == 5 and stopping.stopped_epoch == 4 and stopping.best_epoch == 2
    for a, b in zip(trained.get_weights(), best, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ArgumentError, match=r"no 'val_loss' to watch; there are loss(?s:.)*validation_data"):
        trained.fit(x, y, callbacks=[callbacks.EarlyStopping()], verbose=0)


def test_checkpoints(tmp_path: Path) -> None:
    trained = model()
    every = callbacks.ModelCheckpoint(tmp_path / "m-{epoch:02d}-{loss:.3f}")
    best = callbacks.ModelCheckpoint(
        tmp_path / "best", monitor="loss", save_best_only=True, initial_value_threshold=-1.0
    )
    weights = callbacks.ModelCheckpoint(tmp_path / "w-{epoch}.safetensors", save_weights_only=True, save_freq=4)
    history = trained.fit(x, y, epochs=2, batch_size=4, callbacks=[every, best, weights], verbose=0)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [f"m-0{i + 1}-{v:.3f}" for i, v in enumerate(history.history["loss"])] + ["w-2.safetensors"]
    np.testing.assert_array_equal(load_model(tmp_path / names[1]).get_weights()[0], trained.get_weights()[0])
    with pytest.raises(ArgumentError, match="the path names 'vl'"):
        trained.fit(x, y, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{vl}")], verbose=0)


def test_learning_rates_that_change() -> None:
    trained = model()
    history = trained.fit(
        x, y, epochs=3, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)]
    )
    assert history.history["learning_rate"] == [0.025, 0.0125, 0.00625]
    reduce = callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=1, min_lr=0.3)
    constant = Sequential([Dense(1, input_shape=(4,))])
    constant.compile(keras.optimizers.SGD(1.0), "mse")
    history = constant.fit(np.zeros((4, 4)), np.zeros(4), epochs=5, callbacks=[reduce], verbose=0)
    assert history.history["learning_rate"] == [1.0, 1.0, 0.5, 0.3, 0.3]


def test_nan_stops_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    spoiled = x.copy()
    spoiled[9] = np.nan
    history = model().fit(
        spoiled, y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[callbacks.TerminateOnNaN()]
    )
    assert len(history.epoch) == 1
    assert capsys.readouterr().out == "Epoch 1, batch 3: the loss is nan, training stops\n"


def test_logs_in_files(tmp_path: Path) -> None:
    trained = model()
    for _ in range(2):
        history = trained.fit(
            x,
            y,
            epochs=2,
            validation_data=(x, y),
            verbose=0,
            callbacks=[callbacks.CSVLogger(tmp_path / "log.csv", append=True)],
        )
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,val_loss" and len(lines) == 5
    assert float(lines[4].split(",")[1]) == history.history["loss"][1]
    with pytest.raises(StorageError, match=r"cannot write '.*absent/log\.csv'"):
        trained.fit(x, y, verbose=0, callbacks=[callbacks.CSVLogger(tmp_path / "absent" / "log.csv")])
    board = callbacks.TensorBoard(tmp_path / "logs", histogram_freq=1, update_freq=1)
    history = trained.fit(x, y, epochs=2, validation_data=(x, y), verbose=0, callbacks=[board])
    assert {p.name for p in (tmp_path / "logs").iterdir()} == {"train", "validation"}
    tags = {value.tag for event in read_events(next((tmp_path / "logs" / "train").iterdir())) for value in event.values}
    assert {"epoch_loss", "batch_loss", "epoch_learning_rate"} <= tags
    assert any(tag.endswith("/kernel") for tag in tags)


def test_lambda_callbacks() -> None:
    seen: list[Any] = []
    model().fit(
        x,
        y,
        epochs=2,
        verbose=0,
        callbacks=[callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, set(logs))))],
    )
    assert seen == [(0, {"loss"}), (1, {"loss"})]
    with pytest.raises(ArgumentError, match="no 'on_epoch' in a callback"):
        callbacks.LambdaCallback(on_epoch=print)


PAIRS: list[tuple[Any, Any]] = [
    (
        lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        lambda p: og.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    ),
    (lambda: optimizers.Adam(0.1, amsgrad=True), lambda p: og.optim.Adam(p, lr=0.1, eps=1e-7, amsgrad=True)),
    (lambda: optimizers.AdamW(0.1), lambda p: og.optim.AdamW(p, lr=0.1, eps=1e-7, weight_decay=0.004)),
    (lambda: optimizers.Adamax(0.1), lambda p: og.optim.Adamax(p, lr=0.1, eps=1e-7)),
    (lambda: optimizers.Nadam(0.1), lambda p: og.optim.NAdam(p, lr=0.1, eps=1e-7, momentum_decay=1.0)),
    (
        lambda: optimizers.RMSprop(0.1, momentum=0.5),
        lambda p: og.optim.RMSprop(p, lr=0.1, alpha=0.9, eps=1e-7, momentum=0.5),
    ),
    (lambda: optimizers.Adagrad(0.1), lambda p: og.optim.Adagrad(p, lr=0.1, eps=1e-7, initial_accumulator_value=0.1)),
    (lambda: optimizers.Adadelta(1.0), lambda p: og.optim.Adadelta(p, lr=1.0, rho=0.95, eps=1e-7)),
]


@pytest.mark.parametrize(("make", "by_hand"), PAIRS, ids=lambda f: "")
def test_optimizers_are_those_of_optim(make: Any, by_hand: Any) -> None:
    trained, ours = model(), model()
    trained.compile(make(), "mse")
    optimizer = by_hand(ours.parameters())
    for _ in range(3):
        trained.train_on_batch(x, y)
        optimizer.zero_grad()
        og.nn.functional.mse_loss(ours(og.tensor(x)), og.tensor(y)).backward()
        optimizer.step()
    np.testing.assert_array_equal(trained.get_weights()[0], ours.get_weights()[0])
    again = type(make()).from_config(make().get_config())
    assert again.get_config() == make().get_config()


def test_optimizers_by_name_and_old_spellings() -> None:
    assert type(optimizers.get("adam")) is optimizers.Adam and optimizers.get("RMSprop").learning_rate == 0.001
    old = optimizers.SGD(lr=0.5, decay=1.0)
    assert old.lr == 0.5
    old.iterations = 4
    assert old.learning_rate == 0.1
    with pytest.raises(ArgumentError, match="only one of"):
        optimizers.SGD(clipnorm=1, clipvalue=1)
    with pytest.raises(ArgumentTypeError, match=r"keras\.optimizers\.Adam"):
        Sequential([Dense(1)]).compile(lambda: None, "mse")


def test_clipping_by_norm() -> None:
    for options in ({"clipnorm": 0.1}, {"global_clipnorm": 0.1}):
        trained = model(1.0, **options)
        before = trained.get_weights()
        trained.train_on_batch(x, y * 100)
        moved = [a - b for a, b in zip(trained.get_weights(), before, strict=True)]
        norms = [np.linalg.norm(m) for m in moved]
        if "clipnorm" in options:
            np.testing.assert_allclose(norms, [0.1, 0.1], rtol=1e-4)
        else:
            assert math.hypot(*norms) == pytest.approx(0.1, rel=1e-4)


def test_schedules() -> None:
    assert schedules.ExponentialDecay(1.0, 10, 0.5, staircase=True)(19) == 0.5
    assert schedules.InverseTimeDecay(1.0, 10, 0.5)(20) == 0.5
    assert schedules.PolynomialDecay(1.0, 10, 0.0, power=2)(5) == 0.25
    assert schedules.PolynomialDecay(1.0, 10, 0.0, cycle=True)(15) == 0.25
    assert schedules.CosineDecay(1.0, 10, alpha=0.5)(10) == 0.5
    assert schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)(2) == 0.5
    assert schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)(9) == pytest.approx(0.5)
    restarts = schedules.CosineDecayRestarts(1.0, 10, m_mul=0.5)
    assert restarts(10) == 0.5 and restarts(20) == pytest.approx(0.25)
    with pytest.raises(ArgumentError, match="one value more than boundaries"):
        schedules.PiecewiseConstantDecay([1], [0.1])


def test_a_schedule_sets_the_rate_of_each_step_and_traces_once() -> None:
    trained, ours = model(), model()
    schedule = schedules.ExponentialDecay(0.1, 1, 0.5)
    trained.compile(optimizers.SGD(schedule), "mse")
    trained.fit(x, y, batch_size=12, epochs=3, shuffle=False, verbose=0)
    assert trained._functions["train"].traces == 1
    for step in range(3):
        ours.compile(optimizers.SGD(0.1 * 0.5**step), "mse")
        ours.train_on_batch(x, y)
    np.testing.assert_array_equal(trained.get_weights()[0], ours.get_weights()[0])
    again = optimizers.SGD.from_config(trained.optimizer.get_config())
    assert again.learning_rate == 0.1 and again._rate(1) == 0.05


def test_gradients_applied_by_hand() -> None:
    weight = og.nn.Parameter(og.ones(2))
    optimizer = optimizers.SGD(0.5)
    optimizer.apply_gradients([(og.tensor([1.0, 2.0]), weight)])
    assert weight.tolist() == [0.5, 0.0] and optimizer.iterations == 1


def make_model() -> Any:
    keras.utils.set_random_seed(3)
    made = keras.Sequential([keras.layers.Dense(1, input_shape=(3,))])
    made.compile(keras.optimizers.Adam(0.05), "mse")
    return made


@pytest.mark.slow
@pytest.mark.parametrize("double", [False, True])
def test_training_goes_on_from_a_backup(tmp_path: Any, double: bool) -> None:
    data, targets = np.random.default_rng(0).normal(size=(16, 3)), np.ones((16, 1))

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    whole = make_model()
    whole.fit(data, targets, epochs=4, batch_size=4, verbose=0)
    parts = make_model()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", double_checkpoint=double)
    with pytest.raises(KeyboardInterrupt):
        parts.fit(data, targets, epochs=4, batch_size=4, verbose=0, callbacks=[backup, Stop()])
    assert (tmp_path / "backup").exists()
    assert (tmp_path / "backup_prev").exists() == double
    again = make_model()
    history = again.fit(data, targets, epochs=4, batch_size=4, verbose=0, callbacks=[backup])
    assert history.epoch == [2, 3]
    np.testing.assert_array_equal(again.get_weights()[0], whole.get_weights()[0])
    assert not (tmp_path / "backup").exists()


def test_averages_are_evaluated() -> None:
    model = make_model()
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=100), "mse")
    data, targets = np.random.default_rng(0).normal(size=(16, 3)), np.ones((16, 1))
    swap = keras.callbacks.SwapEMAWeights()
    model.fit(data, targets, epochs=1, batch_size=8, verbose=0)
    model.train_on_batch(data, targets)  # fit ends with the averages, so that there is no difference
    weights, average = model.get_weights()[0], model.optimizer._averages[0].numpy()
    assert np.abs(weights - average).max() > 0
    plain, averaged = (
        model.evaluate(data, targets, verbose=0),
        model.evaluate(data, targets, verbose=0, callbacks=[swap]),
    )
    assert plain != averaged
    np.testing.assert_array_equal(model.get_weights()[0], weights)
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="averages"):
        model.evaluate(data, targets, verbose=0, callbacks=[swap])


def test_a_server_is_told(tmp_path: Any) -> None:
    import http.server
    import threading

    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Be silent."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        root = f"http://127.0.0.1:{server.server_address[1]}"
        keras.callbacks.RemoteMonitor(root, send_as_json=True).on_epoch_end(0, {"loss": 0.5})
        keras.callbacks.RemoteMonitor(root).on_epoch_end(1, {"loss": 0.25})
        server.shutdown()
        thread.join()
    assert bodies[0] == b'{"epoch": 0, "loss": 0.5}'
    assert bodies[1].startswith(b"data=%7B%22epoch%22")
    with pytest.warns(UserWarning, match="does not answer"):
        keras.callbacks.RemoteMonitor(root).on_epoch_end(2, {"loss": 0.1})


def test_tensorboard_takes_what_keras_takes(tmp_path: Any) -> None:
    from onegraph.board.reader import read_events

    model = make_model()
    board = keras.callbacks.TensorBoard(tmp_path, 1, write_images=True, write_steps_per_second=True, profile_batch=0)
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0, callbacks=[board])
    text = b"".join(p.read_bytes() for p in (tmp_path / "train").iterdir())
    assert len(list(read_events(next((tmp_path / "train").iterdir())))) > 5
    for tag in (b"epoch_loss", b"epoch_steps_per_second", b"kernel/image", b"model"):
        assert tag in text
