"""Models: functional, sequential, subclassed; summaries; saving and loading."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import (
    ArgumentError,
    ArgumentTypeError,
    StateError,
    StorageError,
    UninitializedError,
    UnsupportedError,
)
from onegraph.keras import Concatenate, Conv2D, Dense, Flatten, Input, Lambda, Model, Sequential, load_model


@pytest.fixture(autouse=True)
def seed() -> None:
    keras.utils.set_random_seed(7)
    keras.backend.clear_session()


x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


@keras.utils.register_keras_serializable()
class Twice(Model):
    """A subclassed model with a list of layers."""

    def __init__(self, units: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = [Dense(units, activation="relu") for _ in range(2)]
        self.out = Dense(2)

    def call(self, inputs: Any, training: bool = False) -> Any:
        for layer in self.hidden:
            inputs = layer(inputs)
        return self.out(inputs)


def shared() -> Model:
    a, b = Input((4,), name="a"), Input((4,), name="b")
    tower = Sequential([Dense(3, activation="relu", input_shape=(4,))], name="tower")
    joined = Concatenate()([tower(a), tower(b)])
    return Model(inputs=[a, b], outputs=Dense(2, name="out")(joined), name="twins")


def test_shared_layers_have_one_set_of_weights() -> None:
    model = shared()
    assert model.count_params() == 4 * 3 + 3 + 6 * 2 + 2
    kernel, bias, out, out_bias = model.get_weights()
    hidden = [np.maximum(v @ kernel + bias, 0) for v in (x, 2 * x)]
    wanted = np.concatenate(hidden, 1) @ out + out_bias
    np.testing.assert_allclose(model.predict([x, 2 * x]), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.predict({"b": 2 * x, "a": x}), model.predict([x, 2 * x]))
    with pytest.raises(ArgumentError, match=r"has 2 inputs \(a, b\), 1 were given"):
        model.predict(x)
    with pytest.raises(ArgumentError, match="missing: b"):
        model.predict({"a": x})


def test_a_part_of_a_model_is_a_model() -> None:
    model = shared()
    part = Model(model.inputs, model.get_layer("tower")(model.inputs[0]))
    np.testing.assert_allclose(
        part.predict([x, x]), np.maximum(x @ model.get_weights()[0] + model.get_weights()[1], 0), rtol=1e-5, atol=1e-6
    )


def test_subclassed_models() -> None:
    model = Twice()
    assert model.predict(x).shape == (5, 2)
    assert len(model.trainable_weights) == 6 and len(model.layers) == 3
    model.compile("adam", "mse")
    model.fit(x, np.zeros((5, 2)), verbose=0)
    assert model.optimizer.iterations == 1


def test_dicts_of_outputs() -> None:
    a = Input((4,), name="a")
    model = Model(a, {"one": Dense(1)(a), "two": Dense(2)(a)})
    model.compile("sgd", {"one": "mse", "two": "mae"})
    logs = model.fit(x, {"two": np.zeros((5, 2)), "one": np.zeros(5)}, verbose=0).history
    assert set(logs) == {"loss", "one_loss", "two_loss"}
    assert model.predict(x)["two"].shape == (5, 2)


def test_sequential_add_and_pop() -> None:
    model = Sequential()
    model.add(Input((4,)))
    model.add(Dense(3))
    model.add(Dense(2))
    assert model.output_shape == (None, 2) and model.input_shape == (None, 4)
    model.pop()
    assert model.output_shape == (None, 3) and model.predict(x).shape == (5, 3)
    with pytest.raises(ArgumentTypeError, match=r"expected a layer(?s:.)*write Dense\(10\), not Dense"):
        model.add(Dense)
    with pytest.raises(ArgumentError, match="an Input must come first"):
        model.add(Input((4,)))
    with pytest.raises(ArgumentError, match="already called 'same'"):
        Sequential([Dense(1, name="same"), Dense(1, name="same")])


def test_inputs_and_outputs_of_each_layer() -> None:
    model = Sequential([keras.Input((5,)), Dense(3, name="one")])
    functional = Model(model.inputs, model.outputs)
    assert [(layer.input_shape, layer.output_shape) for layer in functional.layers] == [
        ((None, 5), (None, 5)),
        ((None, 5), (None, 3)),
    ]
    assert functional.layers[0].output is functional.inputs[0]
    inner = Model(model.layers[0].output, Dense(2)(model.output))  # starts where another one is in the middle
    start = Input(tensor=model.layers[0].output)
    assert start is model.layers[0].output
    assert inner.layers[0].output is start
    with pytest.raises(ArgumentError, match="the tensor is float32"):
        Input(tensor=start, dtype="int32")


def test_names_of_layers() -> None:
    model = Sequential([Dense(3, input_shape=(4,)), Dense(3), keras.MaxPooling2D()][:2])
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
    assert model.get_layer("dense_1") is model.get_layer(index=1) is model.layers[1]
    with pytest.raises(ArgumentError, match="no layer is called 'dens'; there are dense, dense_1"):
        model.get_layer("dens")


def test_a_model_with_an_input_left_out() -> None:
    a, b = Input((4,), name="a"), Input((4,), name="b")
    with pytest.raises(ArgumentError, match="depend on input 'b'"):
        Model(a, keras.layers.add([a, b]))
    with pytest.raises(ArgumentTypeError, match=r"must come from keras\.Input"):
        Model(x, x)  # type: ignore[arg-type]


def summary_of(model: Model) -> list[str]:
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return lines


def test_summary() -> None:
    model = Sequential([Conv2D(8, 3, input_shape=(28, 28, 1)), keras.BatchNormalization(), Flatten(), Dense(10)])
    assert summary_of(model) == [
        'Model: "sequential"',
        "_" * 78,
        " Layer (type)                              Output Shape              Param #",
        "=" * 78,
        " conv2d (Conv2D)                           (None, 26, 26, 8)         80",
        " batch_normalization (BatchNormalization)  (None, 26, 26, 8)         32",
        " flatten (Flatten)                         (None, 5408)              0",
        " dense (Dense)                             (None, 10)                54,090",
        "=" * 78,
        "Total params: 54,202",
        "Trainable params: 54,186",
        "Non-trainable params: 16",
        "_" * 78,
    ]
    narrow: list[str] = []
    model.summary(line_length=50, print_fn=narrow.append)
    assert max(map(len, narrow)) == 50, "a given length is kept, and names are cut"
    assert " batch_normalization   (None, 26, 26, 8)   32" in narrow
    with pytest.raises(UninitializedError, match="has not been built"):
        Sequential([Dense(3)]).summary()
    lines = summary_of(shared())
    assert "Connected to" in lines[2]
    assert any("tower (Sequential)" in line and "a[0][0]" in line for line in lines)


@pytest.mark.parametrize(
    "make", [shared, lambda: Sequential([Dense(3, activation="relu", input_shape=(4,)), Dense(2)]), Twice]
)
def test_saving_brings_everything_back(make: Any, tmp_path: Path) -> None:
    model = make()
    inputs = [x, 2 * x] if len(model.input_names) == 2 else x
    model.compile(keras.optimizers.Adam(0.01), keras.losses.Huber(0.5), metrics=["mae"])
    y = np.ones((5, 2))
    model.fit(inputs, y, epochs=2, verbose=0)
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.predict(inputs), loaded.predict(inputs))
    assert loaded.optimizer.iterations == 2
    going_on = [m.fit(inputs, y, epochs=2, shuffle=False, verbose=0).history for m in (model, loaded)]
    assert going_on[0] == going_on[1] and set(going_on[0]) == {"loss", "mae"}
    assert sorted(os.listdir(tmp_path / "model")) == ["model.json", "optimizer.safetensors", "weights.safetensors"]
    assert not load_model(tmp_path / "model", compile=False).compiled


def test_saved_weights(tmp_path: Path) -> None:
    model, other = shared(), shared()
    model.save_weights(tmp_path / "w.safetensors")
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(model.predict([x, x]), other.predict([x, x]))
    wrong = Sequential([Dense(3, input_shape=(4,), name="out")])
    with pytest.raises(StateError, match=r"out\.kernel: \(6, 2\) in the file, \(4, 3\) in the model") as caught:
        wrong.load_weights(tmp_path / "w.safetensors")
    assert "not in the model" in str(caught.value)
    fitting = Sequential([Dense(2, input_shape=(6,), name="out")])
    fitting.load_weights(tmp_path / "w.safetensors", by_name=True)
    np.testing.assert_array_equal(fitting.get_weights()[0], model.get_weights()[2])
    with pytest.raises(StorageError, match="is there already"):
        model.save_weights(tmp_path / "w.safetensors", overwrite=False)
    with pytest.raises(ArgumentError, match="has no weights yet"):
        Sequential([Dense(1)]).save_weights(tmp_path / "none")


def test_a_failed_save_leaves_the_old_model(tmp_path: Path) -> None:
    model = Sequential([Dense(2, input_shape=(4,))])
    model.save(tmp_path / "model")
    with_lambda = Sequential([Dense(2, input_shape=(4,)), Lambda(lambda v: v * 2)])
    with pytest.raises(UnsupportedError, match="cannot be saved, since a saved model holds no code"):
        with_lambda.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").get_weights()[0], model.get_weights()[0])


def test_damaged_and_unknown_models(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        load_model(tmp_path / "absent")
    model = Sequential([Dense(2, input_shape=(4,))])
    model.save(tmp_path / "model")
    description = json.loads((tmp_path / "model" / "model.json").read_text())
    description["model"]["config"]["layers"][0]["class_name"] = "Densee"
    (tmp_path / "model" / "model.json").write_text(json.dumps(description))
    with pytest.raises(ArgumentError, match=r"no layer called 'Densee'(?s:.)*did you mean 'Dense'"):
        load_model(tmp_path / "model")
    whole = (tmp_path / "model" / "model.json").read_text()
    for damaged in (whole[: len(whole) // 2], "[]", "3", '{"format": "onegraph keras model", "version": 1}'):
        (tmp_path / "model" / "model.json").write_text(damaged)
        with pytest.raises(StorageError, match="cannot read"):
            load_model(tmp_path / "model")
    (tmp_path / "file").write_text("no model")
    with pytest.raises(StorageError, match="it is a file, and a saved model is a folder"):
        load_model(tmp_path / "file")


def test_weights_of_another_model_are_compared_one_by_one(tmp_path: Path) -> None:
    Sequential([Dense(8, input_shape=(4,)), Dense(2)]).save_weights(tmp_path / "w.safetensors")
    other = Sequential([Dense(9, input_shape=(4,)), Dense(2)])
    with pytest.raises(StateError, match=r"kernel: \(4, 8\) in the file, \(4, 9\) in the model") as caught:
        other.load_weights(tmp_path / "w.safetensors")
    assert "missing" not in caught.value.message


def test_own_classes_by_custom_objects(tmp_path: Path) -> None:
    class Doubling(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2

    model = Sequential([Doubling(input_shape=(4,))])
    model.save(tmp_path / "model")
    with pytest.raises(ArgumentError, match="custom_objects"):
        load_model(tmp_path / "model")
    loaded = load_model(tmp_path / "model", custom_objects={"Doubling": Doubling})
    np.testing.assert_array_equal(loaded.predict(x), 2 * x)


def test_frozen_layers_stay_frozen_when_loaded(tmp_path: Path) -> None:
    model = shared()
    model.get_layer("tower").trainable = False
    model.save(tmp_path / "model")
    assert len(load_model(tmp_path / "model").trainable_weights) == 2


def test_architecture_as_json_and_clones() -> None:
    model = shared()
    for copy in (keras.models.model_from_json(model.to_json()), keras.models.clone_model(model)):
        assert [w.shape for w in copy.get_weights()] == [w.shape for w in model.get_weights()]
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy.predict([x, x]), model.predict([x, x]))


def test_a_keras_model_is_a_module() -> None:
    model = Sequential([Dense(3, input_shape=(4,)), Dense(2)])
    assert list(model.state_dict()) == ["dense.kernel", "dense.bias", "dense_1.kernel", "dense_1.bias"]
    optimizer = og.optim.SGD(model.parameters(), lr=0.1)
    loss = (model(og.tensor(x)) ** 2).mean()
    loss.backward()
    optimizer.step()
    assert (model(og.tensor(x)) ** 2).mean().item() < loss.item()


def test_set_weights_changes_nothing_when_something_does_not_fit() -> None:
    model = Sequential([Dense(3, input_shape=(4,)), Dense(2)])
    before = model.get_weights()
    with pytest.raises(StateError, match="has 4 weights, 3 arrays"):
        model.set_weights(before[:3])
    with pytest.raises(StateError):
        model.set_weights([before[0] + 1, before[1], before[2].T, before[3]])
    np.testing.assert_array_equal(before[0], model.get_weights()[0])
