"""Layers that turn features and texts into numbers: hashes, lookups, vocabularies, bins, and models that begin with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, ArgumentTypeError, DataError, OutOfRangeError, ShapeError, UninitializedError
from onegraph.keras import layers as L
from onegraph.keras.layers.fingerprints import farmhash, siphash


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    with og.config.using(backend="reference", shape_change_warning=10_000):
        yield


# FarmHash's own Fingerprint64 of the first n bytes of 0, 1, 2, ... 255, 0, ...
FARM = {
    0: 0x9AE16A3B2F90404F,
    1: 0xBE6056EDF5E94B54,
    3: 0x94A13D22E9EBA49A,
    4: 0x82BFFD898958E540,
    7: 0xA2E0BFF20DB0A6A1,
    8: 0xAD5A13E1E8E93B98,
    16: 0x0EFD25A0A34156D4,
    17: 0xBBB6A6F8F20D1F1C,
    32: 0x1A9D8199972CDF49,
    33: 0xE8756EC1CB75524E,
    64: 0xF58504BB53DECC4B,
    65: 0xC6A3282C3E793DBE,
    127: 0xEA8BE9FA05393DB5,
    128: 0x1C484C95F0EA5DD3,
    300: 0xAA66CE5F3E21DA23,
}


def test_hashes_are_those_of_the_well_known_libraries() -> None:
    for size, wanted in FARM.items():
        assert farmhash(bytes(i % 256 for i in range(size))) == wanted, size
    # The example of the paper on SipHash, appendix A.
    assert siphash(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)) == 0xA129CA6149BE45E5


def test_hashing_puts_values_into_keras_bins() -> None:
    words = [["A"], ["B"], [""], ["C"], ["D"]]
    assert L.Hashing(3, mask_value="")(words).reshape(-1).tolist() == [1, 1, 0, 2, 2]
    assert L.Hashing(3, salt=[133, 137])([["A"], ["B"], ["C"], ["D"], ["E"]]).reshape(-1).tolist() == [1, 2, 1, 0, 2]
    assert L.Hashing(3, salt=133)([["A"], ["B"], ["C"], ["D"], ["E"]]).reshape(-1).tolist() == [0, 0, 2, 1, 0]
    numbers = L.Hashing(5)(np.array([7, 12]))
    assert numbers.tolist() == [farmhash(b"7") % 5, farmhash(b"12") % 5]
    crossed = L.HashedCrossing(5, "one_hot")((np.array(["A", "B"]), np.array([101, 102])))
    assert crossed.argmax(-1).tolist() == [1, 1] and crossed.shape == (2, 5)
    with pytest.raises(ShapeError, match="features of one shape"):
        L.HashedCrossing(5)((np.array(["A"]), np.array([1, 2])))


def test_string_lookup_with_a_given_vocabulary() -> None:
    layer = L.StringLookup(vocabulary=["a", "b", "c", "d"], mask_token="")
    data = [["a", "c", "d"], ["d", "z", ""]]
    assert layer(data).tolist() == [[2, 4, 5], [5, 1, 0]]
    assert layer.get_vocabulary() == ["", "[UNK]", "a", "b", "c", "d"]
    assert layer.get_vocabulary(include_special_tokens=False) == ["a", "b", "c", "d"] and layer.vocabulary_size() == 6
    several = L.StringLookup(vocabulary=["a", "b", "c", "d"], num_oov_indices=2)
    assert several([["a", "c", "d"], ["m", "z", "b"]]).tolist() == [[2, 4, 5], [0, 1, 3]]  # Keras' documentation
    again = L.StringLookup.from_config(layer.get_config())
    assert again(np.array([b"b", b"q"])).tolist() == [3, 1]
    back = L.StringLookup(vocabulary=layer.get_vocabulary(), mask_token="", invert=True)
    assert back(layer(data)).tolist() == [["a", "c", "d"], ["d", "[UNK]", ""]]
    for wrong, message in ((["a", "a"], "'a' more than once"), ([], "is empty"), (["a", ""], "in the middle")):
        with pytest.raises(ArgumentError, match=message):
            L.StringLookup(vocabulary=wrong, mask_token="")
    with pytest.raises(DataError, match="'z' is not in the vocabulary"):
        L.StringLookup(vocabulary=["a"], num_oov_indices=0)(["z"])
    with pytest.raises(ArgumentTypeError, match="takes strings, got"):
        layer(np.array([1.5]))


def test_output_modes_of_lookups() -> None:
    words = ["a", "b", "c", "d"]
    data = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
    assert L.StringLookup(vocabulary=words, output_mode="multi_hot")(data).tolist() == [
        [0, 1, 0, 1, 1],
        [1, 0, 1, 0, 1],
    ]
    assert L.StringLookup(vocabulary=words, output_mode="count")(data).tolist() == [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]
    one = L.StringLookup(vocabulary=words, output_mode="one_hot")(["a", "z"])
    assert one.tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]
    weighted = L.StringLookup(output_mode="tf_idf")
    weighted.set_vocabulary(words, idf_weights=[0.25, 0.75, 0.6, 0.4])
    np.testing.assert_allclose(  # Keras' documentation
        weighted(data).numpy(), [[0.0, 0.25, 0.0, 0.6, 0.8], [1.0, 0.0, 0.75, 0.0, 0.4]], rtol=1e-6
    )
    padded = L.StringLookup(vocabulary=words, output_mode="multi_hot", max_tokens=7, pad_to_max_tokens=True)
    assert padded(data).shape == (2, 7)


def test_lookups_learn_their_vocabulary(tmp_path: Any) -> None:
    layer = L.StringLookup(max_tokens=4)
    layer.adapt(["b", "a", "c", "b", "a", "d"])
    assert layer.get_vocabulary() == ["[UNK]", "b", "a", "d"]  # ties: the last in order first
    batches = L.IntegerLookup()
    batches.adapt(iter([np.array([[5, 5]]), np.array([[7, 5]])]))
    assert batches.get_vocabulary() == [-1, 5, 7]
    documents = L.StringLookup(output_mode="tf_idf")
    documents.adapt([["x", "y"], ["x", "x"]])
    np.testing.assert_allclose(documents._idf[1:], np.log([1 + 2 / 3, 1 + 2 / 2]), rtol=1e-6)
    path = tmp_path / "words.txt"
    path.write_text("earth\nwind\nfire\n")
    assert L.StringLookup(vocabulary=str(path))(["fire"]).tolist() == [3]
    with pytest.raises(ArgumentError, match="cannot adapt"):
        L.StringLookup(vocabulary=["a"]).adapt(["b"])
    with pytest.raises(UninitializedError, match="no vocabulary yet"):
        L.StringLookup(output_mode="count")(["a"])


def test_integer_lookup_runs_in_the_graph() -> None:
    layer = L.IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=2, mask_token=0)
    data = np.array([[12, 1138, 42], [37, 1000, 0]])
    assert layer(data).tolist() == [[3, 5, 6], [2, 1, 0]]
    model = keras.Sequential([keras.Input((3,), dtype="int64"), layer, L.Embedding(7, 2)])
    assert model.predict(data).shape == (2, 3, 2)
    assert L.IntegerLookup(vocabulary=[12, 36], invert=True)(np.array([1, 2, 0])).tolist() == [12, 36, -1]
    assert L.IntegerLookup(vocabulary=[3], output_mode="one_hot")(og.tensor([3, 4])).tolist() == [[0, 1], [1, 0]]


def test_text_vectorization() -> None:
    texts = ["foo Bar, baz", "foo qux!", "Bar foo"]
    layer = L.TextVectorization()
    layer.adapt(texts)
    assert layer.get_vocabulary() == ["", "[UNK]", "foo", "bar", "qux", "baz"]
    assert layer(["foo qux nope", "baz"]).tolist() == [[2, 4, 1], [5, 0, 0]]
    assert layer(np.array([["foo"], ["bar baz"]])).tolist() == [[2, 0], [3, 5]]
    assert layer("bar foo").tolist() == [3, 2]
    fixed = L.TextVectorization(output_sequence_length=2, vocabulary=["foo", "bar"])
    assert fixed(["foo", "bar foo foo"]).tolist() == [[2, 0], [3, 2]]
    counted = L.TextVectorization(output_mode="count", vocabulary=["foo", "bar"])
    assert counted(["foo x foo", "bar"]).tolist() == [[1, 2, 0], [0, 0, 1]]
    pairs = L.TextVectorization(ngrams=2)
    pairs.adapt(["a b a b"])
    assert pairs.get_vocabulary() == ["", "[UNK]", "b", "a b", "a", "b a"]
    letters = L.TextVectorization(split="character", standardize=None, vocabulary=["a", "B"])
    assert letters(["aBc"]).tolist() == [[2, 3, 1]]
    own = L.TextVectorization(
        standardize=lambda t: np.char.replace(t, "x", " "),
        split=lambda t: [s.split(" ") for s in t],
        vocabulary=["1", "2"],
    )
    assert own(["1x2"]).tolist() == [[2, 3]]
    batches = L.TextVectorization(max_tokens=3)
    batches.adapt(iter([["a b"], ["b"]]), steps=2)
    assert batches.get_vocabulary() == ["", "[UNK]", "b"]
    again = L.TextVectorization.from_config(layer.get_config())
    assert again(["foo qux nope"]).tolist() == [[2, 4, 1]]


def test_a_model_from_text_to_number(tmp_path: Any) -> None:
    texts = L.TextVectorization(output_mode="multi_hot", vocabulary=["good", "bad"])
    inputs = keras.Input((1,), dtype="string")
    model = keras.Model(inputs, L.Dense(1, use_bias=False, kernel_initializer="ones")(texts(inputs)))
    assert model.output_shape == (None, 1)
    data = np.array([["good and bad"], ["good"]], dtype=object)
    np.testing.assert_array_equal(model.predict(data), [[3], [1]])
    np.testing.assert_array_equal(model(data).detach().numpy(), [[3], [1]])
    sequence = keras.Sequential(
        [L.TextVectorization(vocabulary=["good"]), L.Embedding(3, 2), L.GlobalAveragePooling1D()]
    )
    assert sequence.predict(["good bad", "bad"]).shape == (2, 2)


def test_normalization_measures_arrays_and_batches() -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(3, 2, (40, 5, 3)).astype(np.float32)
    layer, parts = L.Normalization(), L.Normalization(axis=(1, 2))
    layer.adapt(data)
    normal = layer(data).numpy()
    np.testing.assert_allclose(normal.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(normal.std((0, 1)), 1, rtol=1e-5)
    parts.adapt(iter([data[:7], data[7:]]))
    np.testing.assert_allclose(parts.mean.numpy(), data.mean(0, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(parts.variance.numpy(), data.var(0, keepdims=True), rtol=1e-4)
    assert [w.shape for w in parts.weights] == [(5, 3), (5, 3), ()]
    back = L.Normalization(mean=layer.mean, variance=layer.variance, invert=True)
    np.testing.assert_allclose(back(normal).numpy(), data, rtol=1e-4, atol=1e-4)
    given = L.Normalization(axis=None, mean=5.0, variance=4.0)
    np.testing.assert_allclose(given(np.array([[5.0, 9.0]], np.float32)).numpy(), [[0, 2]])
    with pytest.raises(ShapeError, match="adapt got"):
        layer.adapt(data[..., :2])


def test_categories_and_bins() -> None:
    numbers = np.array([[0, 1], [0, 0], [1, 2], [3, 1]])
    assert L.CategoryEncoding(4)(numbers).tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]]
    assert L.CategoryEncoding(4, "one_hot")(np.array([3, 0])).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    weights = np.array([[0.1, 0.2], [0.1, 0.1], [0.2, 0.3], [0.2, 0.2]], np.float32)
    counted = L.CategoryEncoding(4, "count")(numbers, count_weights=weights)
    np.testing.assert_allclose(counted.numpy()[:2], [[0.1, 0.2, 0, 0], [0.2, 0, 0, 0]], rtol=1e-6)
    with pytest.raises(OutOfRangeError, match="7 is not from 0 to 3"):
        L.CategoryEncoding(4)(np.array([7]))
    with pytest.raises(ArgumentError, match="num_tokens must be"):
        L.CategoryEncoding()
    bins = L.Discretization(num_bins=4, epsilon=0.01)
    bins.adapt(np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]]))
    assert bins(np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])).tolist() == [[0, 2, 3, 2], [1, 3, 3, 1]]
    quarters = L.Discretization(num_bins=4)
    quarters.adapt(iter(np.split(np.sin(np.arange(1000.0)).astype(np.float32), 10)))
    np.testing.assert_allclose(quarters.bin_boundaries, [-0.70365470, -0.00280862, 0.70865530], rtol=1e-5)  # Keras 3
    again = L.Discretization.from_config(quarters.get_config())
    assert again(np.array([-1.0, 1.0])).tolist() == [0, 3]
    assert L.Discretization([0.0], output_mode="one_hot")(np.array([1.0])).tolist() == [[0, 1]]
