"""Names that well-known books and examples of Keras use: each is there and takes the arguments used.

The most used ones have a small expression here whose value is compared (`cases_names.py`, `CHECKS`); of the others only
that another test uses the name.

`surface.tsv` has a name, how often it is used, and the keyword arguments that it was seen with. `<obj>.` are methods.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import keras
from onegraph.errors import ArgumentError, DownloadError, StateError
from tests.keras.cases_names import VALUES

HERE = Path(__file__).parent
ROWS = [line.split("\t") for line in (HERE / "surface.tsv").read_text().splitlines()]
TESTS = "".join(p.read_text() for p in HERE.glob("test_*.py") if p.name != "test_keras_names.py") + "".join(
    p.read_text() for p in HERE.glob("cases*.py") if p.name != "cases_names.py"
)
COUNTS = {  # parameters with the head, and without it
    "VGG16": (138_357_544, 14_714_688),
    "VGG19": (143_667_240, 20_024_384),
    "ResNet50": (25_636_712, 23_587_712),
    "ResNet50V2": (25_613_800, 23_564_800),
    "InceptionV3": (23_851_784, 21_802_784),
    "Xception": (22_910_480, 20_861_480),
    "MobileNet": (4_253_864, 3_228_864),
    "MobileNetV2": (3_538_984, 2_257_984),
    "DenseNet121": (8_062_504, 7_037_504),
}
K, A = keras.backend, keras.applications
IMAGE = np.full((1, 2, 2, 3), 127.5, "float32")


def _is_network(module: str, name: str) -> bool:
    made = getattr(getattr(A, module), name)
    return made is getattr(A, name) and "include_top" in inspect.signature(made).parameters


def _prepared(module: str) -> list[float]:
    return [round(float(v), 3) for v in getattr(A, module).preprocess_input(IMAGE)[0, 0, 0]]


CAFFE = [23.561, 10.721, 3.82]
CHECKS: dict[str, Any] = {  # names that no other test here uses -> whether they behave
    "keras.__version__": lambda: keras.__version__.startswith("3."),
    "keras.backend.pow": lambda: K.eval(K.pow(K.constant([3.0]), 2)).tolist() == [9.0],
    "keras.backend.permute_dimensions": lambda: K.int_shape(K.permute_dimensions(np.zeros((2, 3)), (1, 0))) == (3, 2),
    "keras.backend.set_learning_phase": lambda: _phase(),
    "keras.applications.vgg16": lambda: _is_network("vgg16", "VGG16"),
    "keras.applications.vgg16.VGG16": lambda: _is_network("vgg16", "VGG16"),
    "keras.applications.VGG16": lambda: _is_network("vgg16", "VGG16"),
    "keras.applications.vgg19": lambda: _is_network("vgg19", "VGG19"),
    "keras.applications.vgg19.VGG19": lambda: _is_network("vgg19", "VGG19"),
    "keras.applications.inception_v3": lambda: _is_network("inception_v3", "InceptionV3"),
    "keras.applications.inception_v3.InceptionV3": lambda: _is_network("inception_v3", "InceptionV3"),
    "keras.applications.resnet50.ResNet50": lambda: _is_network("resnet50", "ResNet50"),
    "keras.applications.xception.Xception": lambda: _is_network("xception", "Xception"),
    "keras.applications.vgg16.preprocess_input": lambda: _prepared("vgg16") == CAFFE,
    "keras.applications.vgg19.preprocess_input": lambda: _prepared("vgg19") == CAFFE,
    "keras.applications.resnet50.preprocess_input": lambda: _prepared("resnet50") == CAFFE,
    "keras.applications.inception_v3.preprocess_input": lambda: _prepared("inception_v3") == [0, 0, 0],
    "keras.applications.xception.preprocess_input": lambda: _prepared("xception") == [0, 0, 0],
    "keras.applications.xception.decode_predictions": lambda: _decoded(),
    "keras.layers.Convolution1D": lambda: _shape(keras.layers.Convolution1D(2, 3), (8, 4)) == (None, 6, 2),
    "keras.layers.Convolution3D": lambda: _shape(keras.layers.Convolution3D(2, 3), (5, 5, 5, 1)) == (None, 3, 3, 3, 2),
    "keras.layers.Deconvolution2D": lambda: _shape(keras.layers.Deconvolution2D(2, 3), (4, 4, 1)) == (None, 6, 6, 2),
    "keras.layers.AlphaDropout": lambda: _same(keras.layers.AlphaDropout(0.5)),
    "keras.regularizers.l1": lambda: float(keras.regularizers.l1(0.5)(K.constant([2.0, -2.0]))) == 2.0,
    "keras.initializers.Zeros": lambda: float(keras.initializers.Zeros()((3,)).sum()) == 0.0,
    "keras.initializers.Identity": lambda: keras.initializers.Identity(2.0)((2, 2)).tolist() == [[2, 0], [0, 2]],
    "keras.initializers.GlorotUniform": lambda: float(abs(keras.initializers.GlorotUniform()((50, 50))).max()) <= 0.245,
    "keras.initializers.GlorotNormal": lambda: 0.1 < float(keras.initializers.GlorotNormal()((50, 50)).std()) < 0.2,
    "keras.preprocessing.image.random_rotation": lambda: _turned(),
    "keras.utils.generic_utils.Progbar": lambda: keras.utils.generic_utils.Progbar(3).target == 3,
    "keras.engine.training.slice_X": lambda: keras.engine.training.slice_X([np.arange(5)], 1, 3)[0].tolist() == [1, 2],
    "keras.config.set_dtype_policy": lambda: _policy(),
    "keras.config.disable_traceback_filtering": lambda: _filtering(),
    "keras.optimizers.schedules.LearningRateSchedule": lambda: issubclass(
        keras.optimizers.schedules.ExponentialDecay, keras.optimizers.schedules.LearningRateSchedule
    ),
}


def _shape(layer: Any, size: tuple[int, ...]) -> Any:
    return layer(keras.Input(size)).shape


def _same(layer: Any) -> bool:
    x = np.ones((2, 3), "float32")
    return bool((layer(x, training=False).numpy() == x).all() and (layer(x, training=True).numpy() != x).any())


def _turned() -> bool:
    x = np.random.default_rng(0).random((3, 6, 6)).astype("float32")
    return bool(
        (keras.preprocessing.image.random_rotation(x, 0) == x).all()
        and (keras.preprocessing.image.random_rotation(x, 60) != x).any()
    )


def _decoded() -> bool:
    scores = np.zeros((1, 1000))
    scores[0, 207] = 1.0
    return A.xception.decode_predictions(scores, top=1) == [[("n02099601", "golden_retriever", 1.0)]]


def _phase() -> bool:
    layer, x = keras.layers.Dropout(0.5), np.ones((1, 50), "float32")
    try:
        K.set_learning_phase(1)
        return bool((layer(x).numpy() != x).any()) and K.learning_phase() == 1
    finally:
        K.set_learning_phase(0)
        K.graph._phase["value"], K.graph.context.training = None, None


def _policy() -> bool:
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        layer = keras.layers.Dense(2)
        return layer(np.ones((1, 2), "float32")).dtype.name == "bfloat16" and layer.kernel.dtype.name == "float32"
    finally:
        keras.config.set_dtype_policy(None)


def _filtering() -> bool:
    keras.config.enable_traceback_filtering()
    keras.config.disable_traceback_filtering()
    return not keras.config.is_traceback_filtering_enabled()


def _run(layer: Any, value: Any) -> Any:
    return layer(value).detach().numpy().tolist()


def _moved(optimizer: Any) -> float:
    """Where a weight of 1 is after one step with the gradient 1."""
    weight = keras.Variable(1.0)
    optimizer.apply([K.constant(1.0)], [weight])
    return round(float(weight.numpy()), 4)


def find(name: str) -> Any:
    found: Any = keras
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", [row[0] for row in ROWS if not row[0].startswith("<obj>")])
def test_the_name_is_there(name: str) -> None:
    assert find(name) is not None


@pytest.mark.parametrize(
    "row", [row for row in ROWS if len(row) > 2 and not row[0].startswith("<obj>")], ids=lambda r: r[0]
)
def test_it_takes_the_arguments_that_are_used(row: list[str]) -> None:
    found = find(row[0])
    old = getattr(found, "legacy_names", {})
    parameters = inspect.signature(found).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    assert [k for k in row[2].split(",") if not (k in parameters or k in old or anything)] == []


@pytest.mark.parametrize("name", VALUES)
def test_it_gives_the_expected_value(name: str) -> None:
    expression, expected = VALUES[name]
    assert name.rpartition(".")[2] in expression
    x = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    names = {"k": keras, "K": K, "L": keras.layers, "np": np, "x": x, "shape": _shape, "run": _run, "moved": _moved}
    with og.config.using(backend="reference", shape_change_warning=10_000):
        assert eval(expression, names) == expected


@pytest.mark.parametrize("name", [row[0] for row in ROWS if row[0] not in VALUES])
def test_it_is_checked_or_used_in_another_test(name: str) -> None:
    if name in CHECKS:
        with og.config.using(backend="reference"):
            assert CHECKS[name]()
    else:
        assert re.search(rf"\b{name.rpartition('.')[2]}\b", TESTS), f"no test uses {name}"


def test_how_many_there_are() -> None:
    assert len(ROWS) == 293
    assert {row[0] for row in ROWS} >= {*VALUES, *CHECKS}
    assert len(VALUES) + len(CHECKS) > 130
    assert sum(row[0].startswith("<obj>") for row in ROWS) > 30


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.slow
def test_networks_have_as_many_parameters_as_in_keras(name: str) -> None:
    make = getattr(A, name)
    assert make(weights=None).count_params() == COUNTS[name][0]
    assert make(weights=None, include_top=False, input_shape=(96, 96, 3)).count_params() == COUNTS[name][1]


def test_a_network_has_the_names_of_keras() -> None:
    x = K.concatenate([K.variable(np.ones((1, 32, 32, 3))), K.placeholder((1, 32, 32, 3))], axis=0)
    model = A.VGG16(weights=None, include_top=False, input_tensor=x)
    assert model.get_layer("block5_conv1").output.shape == (2, 2, 2, 512)
    with pytest.raises(ArgumentError, match="at least 32"):
        A.VGG16(weights=None, include_top=False, input_shape=(16, 16, 3))
    with pytest.raises(ArgumentError, match="1000 classes"):
        A.VGG16(classes=10)


def test_weights_in_files_of_keras(tmp_path: Path) -> None:
    pytest.importorskip("h5py")

    def make(names: tuple[str, str]) -> Any:
        x = keras.Input((8, 8, 2))
        y = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv2D(3, 3, name=names[0])(x))
        return keras.Model(x, keras.layers.Dense(2, name="head")(keras.layers.Conv2D(2, 3, name=names[1])(y)))

    one, other = make(("conv2d", "conv2d_1")), make(("conv2d_7", "conv2d_9"))
    for name in ("w.weights.h5", "w.h5"):
        one.save_weights(tmp_path / name)
        other.set_weights([np.zeros_like(w) for w in other.get_weights()])
        other.load_weights(tmp_path / name)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    small = keras.Sequential([keras.layers.Dense(2, name="head", input_shape=(3,))])
    with pytest.raises(StateError, match="not in the model"):
        small.load_weights(tmp_path / "w.weights.h5")
    with pytest.raises(StateError, match="head"):
        small.load_weights(tmp_path / "w.weights.h5", by_name=True)
    small.load_weights(tmp_path / "w.weights.h5", by_name=True, skip_mismatch=True)


def test_without_a_network_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError("no route to host")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("onegraph.interop.download.RETRIES", 1, raising=False)
    with og.config.using(download_folder=str(tmp_path)), pytest.raises(DownloadError, match="mnist"):
        keras.datasets.mnist.load_data()
