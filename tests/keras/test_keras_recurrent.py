"""Recurrent layers: states, masks, dropout, cells of one's own, and training with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.keras import layers as L
from tests.keras.cases import numbers


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    with og.config.using(backend="reference", shape_change_warning=10_000):
        yield


def test_a_stateful_layer_goes_on_where_the_last_batch_ended() -> None:
    x = numbers((2, 6, 3))
    whole = L.LSTM(4)
    last = whole(x).detach().numpy()
    parts = L.LSTM(4, stateful=True)
    parts(keras.Input(batch_shape=(2, None, 3)))
    parts.set_weights(whole.get_weights())
    parts(x[:, :2])
    np.testing.assert_allclose(parts(x[:, 2:]).detach().numpy(), last, rtol=1e-5, atol=1e-6)
    parts.reset_states()
    np.testing.assert_allclose(parts(x).detach().numpy(), last, rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match="stateful with 2 sequences in a batch, got 3"):
        parts(numbers((3, 2, 3)))
    with pytest.raises(ShapeError, match="must know the batch size"):
        L.GRU(4, stateful=True)(keras.Input((5, 3)))
    with pytest.raises(ArgumentError, match="not stateful"):
        whole.reset_states()


def test_states_are_no_weights_and_survive_looking_for_shapes() -> None:
    model = keras.Sequential([L.SimpleRNN(2, stateful=True, batch_input_shape=(4, 3, 1)), L.Dense(1)])
    assert len(model.get_weights()) == 5
    model.compile("sgd", "mse")
    x, y = numbers((8, 3, 1)), numbers((8, 1))
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    state = model.layers[0].states[0].detach().numpy()
    assert np.abs(state).max() > 0
    model.compute_output_shape((None, 3, 1))
    np.testing.assert_array_equal(model.layers[0].states[0].detach().numpy(), state)
    model.reset_states()
    assert not model.layers[0].states[0].detach().numpy().any()


def test_initial_states_of_another_layer() -> None:
    encoder_inputs, decoder_inputs = keras.Input((None, 3)), keras.Input((None, 2))
    _, *states = L.LSTM(4, return_state=True)(encoder_inputs)
    decoded = L.LSTM(4, return_sequences=True)(decoder_inputs, initial_state=states)
    model = keras.Model([encoder_inputs, decoder_inputs], L.Dense(1)(decoded))
    assert model.output_shape == (None, None, 1)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    data = [numbers((2, 5, 3)), numbers((2, 4, 2))]
    found = model.predict(data)
    assert found.shape == (2, 4, 1)
    np.testing.assert_array_equal(copy.predict(data), found)
    assert np.abs(model.predict([data[0] * 2, data[1]]) - found).max() > 1e-3
    old = L.GRU(3)
    zeros = old(data[0], initial_state=[og.zeros(2, 3)]).detach().numpy()
    np.testing.assert_array_equal(old([og.tensor(data[0]), og.zeros(2, 3)]).detach().numpy(), zeros)
    with pytest.raises(ArgumentError, match="has 1 states, initial_state has 2"):
        old(data[0], initial_state=[og.zeros(2, 3)] * 2)


def test_masks_travel_from_the_embedding_to_the_layers_that_use_them() -> None:
    tokens = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    model = keras.Sequential([
        L.Embedding(6, 4, mask_zero=True), L.Dropout(0.5), L.Dense(3), L.LSTM(3, return_sequences=True), L.GRU(2)
    ])  # fmt: skip
    padded = model(tokens).detach().numpy()
    np.testing.assert_allclose(model(tokens[:, :3]).detach().numpy(), padded, rtol=1e-5)
    with pytest.warns(UserWarning, match="does not pass on the mask"):
        L.Flatten()(L.Embedding(6, 4, mask_zero=True)(tokens))


def test_dropout_is_the_same_at_every_step_and_follows_the_seed() -> None:
    x = np.ones((2, 5, 8), np.float32)
    layer = L.SimpleRNN(8, activation="linear", dropout=0.5, seed=3, kernel_initializer="identity",
                        recurrent_initializer="zeros", return_sequences=True)  # fmt: skip
    first = layer(x, training=True).detach().numpy()
    assert set(np.unique(first)) == {0.0, 2.0} and (first == first[:, :1]).all()
    assert (layer(x, training=True).detach().numpy() != first).any()
    again = L.SimpleRNN.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x, training=True).detach().numpy(), first)
    for make in (L.LSTM, L.GRU):
        dropped = make(3, dropout=0.2, recurrent_dropout=0.4, return_sequences=True)
        assert np.abs(dropped(x, training=True).detach().numpy() - dropped(x).detach().numpy()).max() > 1e-3


class Minimal(keras.layers.Layer):
    """The cell of Keras' documentation."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), initializer="uniform", name="own")

    def call(self, inputs: Any, states: Any) -> Any:
        output = inputs @ self.kernel + states[0] @ self.recurrent_kernel
        return output, [output]


def test_cells_of_ones_own() -> None:
    x = numbers((2, 4, 3))
    layer = L.RNN([Minimal(5), Minimal(2)], return_sequences=True)
    found = layer(x).detach().numpy()
    (k1, r1, k2, r2), h1, h2 = layer.get_weights(), np.zeros((2, 5)), np.zeros((2, 2))
    for t in range(4):
        h1 = x[:, t] @ k1 + h1 @ r1
        h2 = h1 @ k2 + h2 @ r2
        np.testing.assert_allclose(found[:, t], h2, rtol=1e-4, atol=1e-6)
    both = L.Bidirectional(L.RNN(Minimal(3)))
    assert both(x).shape == (2, 6) and len(both.weights) == 4
    mask = np.array([[True, False, False, False]] * 2)
    np.testing.assert_allclose(L.RNN(layer.cell)(x, mask=mask).detach().numpy(), found[:, 0], rtol=1e-5)
    with pytest.raises(ArgumentTypeError, match="a cell has a method"):
        L.RNN(L.LSTM(3))


def test_training_learns_to_count(tmp_path: Any) -> None:
    keras.utils.set_random_seed(1)
    tokens = np.random.randint(1, 3, (64, 6))
    lengths = np.random.randint(2, 7, 64)
    tokens[np.arange(6)[None] >= lengths[:, None]] = 0
    wanted = (tokens == 2).sum(1).astype(np.float32)
    model = keras.Sequential([L.Embedding(3, 4, mask_zero=True), L.Bidirectional(L.LSTM(6)), L.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    history = model.fit(tokens, wanted, batch_size=64, epochs=25, verbose=0)
    assert history.history["loss"][-1] < 0.15 * history.history["loss"][0]
    model.save(tmp_path / "model")
    again = keras.models.load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(tokens), model.predict(tokens))


def test_keras_1_spellings() -> None:
    layer = L.LSTM(output_dim=3, input_dim=4, inner_activation="hard_sigmoid", dropout_W=0.2, dropout_U=0.1,
                   consume_less="gpu", forget_bias_init="zero")  # fmt: skip
    layer(numbers((2, 5, 4)))
    assert layer.units == 3 and layer.dropout == 0.2 and not layer.get_weights()[2].any()
    from onegraph.keras.layers import recurrent

    assert recurrent.GRU is L.GRU
