"""Record whole models that Keras 3 wrote, and what they give, into `fixtures/files/`.

Run it where Keras and PyTorch are installed: `KERAS_BACKEND=torch python tests/keras/record_files.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

FOLDER = Path(__file__).parent / "fixtures" / "files"


def main() -> None:
    """Write the files."""
    import keras
    from keras import layers

    FOLDER.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    first, second = keras.Input((4,), name="first"), keras.Input((4,), name="second")
    shared = layers.Dense(3, activation="relu", kernel_regularizer="l2", name="shared")
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.BatchNormalization()], name="inner")
    total = shared(first) + 2 * shared(second)
    model = keras.Model([first, second], [inner(total), layers.Dense(1, name="last")(total)])
    model.compile(
        keras.optimizers.Adam(0.01),
        ["mse", keras.losses.MeanAbsoluteError()],
        metrics=[["mae"], [keras.metrics.Mean()]],
    )
    x = np.linspace(-1, 1, 8).reshape(2, 4).astype("float32")
    sequence = keras.Sequential(
        [keras.Input((3, 4)), layers.Bidirectional(layers.LSTM(2)), layers.Dense(2, "softmax", trainable=False)]
    )
    unsafe = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda v: v + 1, name="secret")])
    model.save(FOLDER / "functional.keras")
    model.save(FOLDER / "functional.h5")
    sequence.save(FOLDER / "sequence.keras")
    unsafe.save(FOLDER / "lambda.keras")
    given = np.linspace(-1, 1, 24).reshape(2, 3, 4).astype("float32")
    one, two = model.predict([x, x[::-1]], verbose=0)
    np.savez_compressed(FOLDER / "outputs.npz", one=one, two=two, sequence=sequence.predict(given, verbose=0))


if __name__ == "__main__":
    main()
