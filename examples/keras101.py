"""A two-layer ReLU network as a stack of layers: `add`, `compile`, `fit`.

    python examples/keras101.py

`eager101.py` and `static101.py` train the same network in the two other styles.
"""

import numpy as np

from onegraph.keras.layers import Activation, Dense
from onegraph.keras.models import Sequential
from onegraph.keras.optimizers import SGD

N, D, H = 64, 1000, 100


def main(steps=50):
    """Train for some epochs of one batch each; gives the last loss."""
    model = Sequential()
    model.add(Dense(input_dim=D, output_dim=H))
    model.add(Activation("relu"))
    model.add(Dense(input_dim=H, output_dim=D))

    optimizer = SGD(lr=1e0)
    model.compile(loss="mean_squared_error", optimizer=optimizer)

    x = np.random.randn(N, D)
    y = np.random.randn(N, D)
    history = model.fit(x, y, nb_epoch=steps, batch_size=N, verbose=0)

    losses = history.history["loss"]
    for t in range(0, steps, 10):
        print(f"  epoch {t:2}  loss {losses[t]:.4f}")
    print(f"final loss {losses[-1]:.4f}")
    return losses[-1]


if __name__ == "__main__":
    np.random.seed(0)
    main()
