"""A small network trained in one of several ways, and what comes out: `python -m tests.determinism.program WAY [SEED]`.

Embedding, attention, convolution, batch norm, dropout, Adam. Prints JSON: hashes of the losses, of weights and running
statistics, and of predictions. Two runs with the same hashes gave the same bits. Read next: `test_determinism.py`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import onegraph as og
import onegraph.static as tf
from onegraph import keras, nn
from onegraph.frontend.static.tensor import operation
from onegraph.keras import layers as keras_layers
from onegraph.keras.models import Model
from onegraph.ops.public import PUBLIC

STEPS = 4
SEED = 7
BATCH = 8
_random = np.random.default_rng(0)
IMAGES = _random.normal(size=(STEPS, BATCH, 3, 32, 32)).astype(np.float32)
TOKENS = _random.integers(0, 20, (STEPS, BATCH, 6))
LABELS = _random.integers(0, 5, (STEPS, BATCH))

Result = dict[str, str]


def digest(values: Iterable[Any]) -> str:
    """A hash of the bits of arrays, in order."""
    found = hashlib.sha256()
    for value in values:
        array = np.ascontiguousarray(value.detach().numpy() if isinstance(value, og.Tensor) else value)
        found.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return found.hexdigest()[:16]


class Network(nn.Module):
    """Pictures through a convolution, words through attention, and a class for both."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.embedding = nn.Embedding(20, 16)
        self.attention = nn.MultiheadAttention(16, 2, dropout=0.1, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(24, 5)

    def forward(self, images: Any, tokens: Any) -> Any:
        """Logits."""
        seen = self.dropout(og.relu(self.norm(self.convolution(images)))).mean((2, 3))
        words = self.embedding(tokens)
        read, _ = self.attention(words, words, words, need_weights=False)
        return self.out(og.cat([seen, self.dropout(read.mean(1))], 1))


def _trained(wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> tuple[Network, list[Any]]:
    og.manual_seed(SEED)
    network = Network()
    optimizer = og.optim.Adam(network.parameters(), lr=0.01)

    def step(images: Any, tokens: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images, tokens), labels)
        loss.backward()
        optimizer.step()
        return loss

    run = wrap(step)
    losses = [run(*[og.tensor(a[i]) for a in (IMAGES, TOKENS, LABELS)]).detach() for i in range(STEPS)]
    return network, losses


def _result(network: Network, losses: list[Any], predict: Callable[..., Any]) -> Result:
    network.eval()
    with og.no_grad():
        predictions = predict(og.tensor(IMAGES[0]), og.tensor(TOKENS[0]))
    return {
        "losses": digest(losses),
        "state": digest(network.state_dict().values()),
        "predictions": digest([predictions]),
    }


def define_by_run() -> Result:
    """An ordinary loop."""
    network, losses = _trained(lambda step: step)
    return _result(network, losses, network)


def traced() -> Result:
    """The step is a function under `og.jit`."""
    network, losses = _trained(og.jit)
    return _result(network, losses, og.jit(network))


def loaded() -> Result:
    """Predictions of the model that was saved and loaded again."""
    network, losses = _trained(lambda step: step)
    network.eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        og.save_model(path, network, (og.tensor(IMAGES[0]), og.tensor(TOKENS[0])))
        model = og.load_model(path)
        return _result(network, losses, model)


# ---- define-and-run: the same functions, on tensors and on nodes of a static graph


def _functions(namespace: str) -> SimpleNamespace:
    named = {n: e.function for e in PUBLIC if e.namespace == namespace for n in e.names}
    return SimpleNamespace(**{n: operation(n)(f) for n, f in named.items()})


def _weights() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    shapes = {"kernel": (8, 3, 3, 3), "scale": (1, 8, 1, 1), "shift": (1, 8, 1, 1), "table": (20, 16), "query": (16, 16),
              "key": (16, 16), "out": (24, 5)}  # fmt: skip
    return {n: draw.normal(0, 0.3, s).astype(np.float32) for n, s in shapes.items()}


def _loss(w: Any, images: Any, tokens: Any, labels: Any, top: Any, functional: Any, dropout: Any) -> Any:
    seen = functional.conv2d(images, w["kernel"], padding=1)
    mean = top.mean(seen, (0, 2, 3), keepdim=True)
    spread = top.var(seen, (0, 2, 3), correction=0, keepdim=True)
    scaled = top.mul(top.sub(seen, mean), top.rsqrt(top.add(spread, 1e-5)))
    seen = dropout(top.relu(top.add(top.mul(scaled, w["scale"]), w["shift"])))
    words = functional.embedding(tokens, w["table"])
    read = functional.scaled_dot_product_attention(top.matmul(words, w["query"]), top.matmul(words, w["key"]), words)
    both = top.cat([top.mean(seen, (2, 3)), dropout(top.mean(read, 1))], 1)
    return functional.cross_entropy(top.matmul(both, w["out"]), labels)


def functions() -> Result:
    """The functions on tensors, in a loop, SGD with momentum."""
    og.manual_seed(SEED)
    weights = {n: og.tensor(v, requires_grad=True) for n, v in _weights().items()}
    optimizer = og.optim.SGD(list(weights.values()), lr=0.1, momentum=0.9)
    losses = []
    for i in range(STEPS):
        optimizer.zero_grad()
        batch = [og.tensor(a[i]) for a in (IMAGES, TOKENS, LABELS)]
        loss = _loss(weights, *batch, og, nn.functional, lambda x: nn.functional.dropout(x, 0.3))
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return {"losses": digest(losses), "state": digest(weights.values())}


def static() -> Result:
    """The same functions on nodes, run by a Session."""
    og.manual_seed(SEED)
    with tf.Graph().as_default():
        weights = {n: tf.Variable(v, name=n) for n, v in _weights().items()}
        fed = [
            tf.placeholder(kind, a.shape[1:])
            for kind, a in ((tf.float32, IMAGES), (tf.int64, TOKENS), (tf.int64, LABELS))
        ]
        loss = _loss(weights, *fed, _functions(""), _functions("nn.functional"), lambda x: tf.nn.dropout(x, rate=0.3))
        train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            losses = [
                session.run([loss, train], dict(zip(fed, (IMAGES[i], TOKENS[i], LABELS[i]), strict=True)))[0]
                for i in range(STEPS)
            ]
            return {"losses": digest(losses), "state": digest(session.run(list(weights.values())))}


# ---- Keras


def _keras_model() -> Any:
    og.manual_seed(SEED)
    images, tokens = keras_layers.Input((32, 32, 3)), keras_layers.Input((6,), dtype="int64")
    seen = keras_layers.Conv2D(8, 3, padding="same")(images)
    seen = keras_layers.Activation("relu")(keras_layers.BatchNormalization()(seen))
    seen = keras_layers.GlobalAveragePooling2D()(keras_layers.Dropout(0.3)(seen))
    words = keras_layers.Embedding(20, 16)(tokens)
    read = keras_layers.GlobalAveragePooling1D()(keras_layers.MultiHeadAttention(2, 8)(words, words))
    both = keras_layers.Dropout(0.3)(keras_layers.Concatenate()([seen, read]))
    model = Model([images, tokens], keras_layers.Dense(5, activation="softmax")(both))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def _keras_result(model: Any, losses: Any) -> Result:
    pictures = np.ascontiguousarray(IMAGES[0].transpose(0, 2, 3, 1))
    predictions = model.predict([pictures, TOKENS[0]], verbose=0)
    return {"losses": digest(losses), "state": digest(model.get_weights()), "predictions": digest([predictions])}


def keras_fit() -> Result:
    """`fit`, batches in order, an epoch a batch so that each loss is seen."""
    model = _keras_model()
    losses: list[Any] = []
    for i in range(STEPS):
        pictures = np.ascontiguousarray(IMAGES[i].transpose(0, 2, 3, 1))
        losses += model.fit([pictures, TOKENS[i]], LABELS[i], batch_size=BATCH, verbose=0, shuffle=False).history[
            "loss"
        ]
    return _keras_result(model, np.float32(losses))


def keras_batches() -> Result:
    """`train_on_batch`, in a loop of one's own."""
    model = _keras_model()
    losses = []
    for i in range(STEPS):
        pictures = np.ascontiguousarray(IMAGES[i].transpose(0, 2, 3, 1))
        losses.append(model.train_on_batch([pictures, TOKENS[i]], LABELS[i]))
    return _keras_result(model, np.float32(losses))


def keras_loop() -> Result:
    """The same layers in a loop of one's own, with `backward` and the optimizer's `apply`."""
    model = _keras_model()
    losses = []
    weights = model.trainable_weights
    for i in range(STEPS):
        pictures = og.tensor(np.ascontiguousarray(IMAGES[i].transpose(0, 2, 3, 1)))
        predicted = model([pictures, og.tensor(TOKENS[i])], training=True)
        loss = keras.losses.SparseCategoricalCrossentropy()(og.tensor(LABELS[i]), predicted)
        gradients = og.autograd.grad(loss, weights)
        model.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        losses.append(loss.detach().numpy())
    return _keras_result(model, np.float32(losses))


WAYS: dict[str, Callable[[], Result]] = {
    f.__name__: f for f in (define_by_run, traced, loaded, functions, static, keras_fit, keras_batches, keras_loop)
}

if __name__ == "__main__":
    SEED = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    print(json.dumps(WAYS[sys.argv[1]]()))
