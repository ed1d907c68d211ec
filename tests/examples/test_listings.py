"""Well-known teaching listings of other libraries run unchanged but for their import lines.

The listings are those of lecture 8 of Stanford's CS231n (2017 and 2018): TensorFlow 1, Keras 1 and PyTorch.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

import onegraph as og
import onegraph.static as tf

IMPORTS = {
    "import tensorflow as tf": "import onegraph.static as tf",
    "import torch": "import onegraph as torch",
    "from torch.utils.data import": "from onegraph.utils.data import",
    "from keras.models import Sequential": "from onegraph.keras.models import Sequential",
    "from keras.layers.core import Dense, Activation": "from onegraph.keras.layers.core import Dense, Activation",
    "from keras.optimizers import SGD": "from onegraph.keras.optimizers import SGD",
}

TENSORFLOW_START = """
import numpy as np
import tensorflow as tf
np.random.seed(0)

N, D, H = 64, 1000, 100
x = tf.placeholder(tf.float32, shape=(N, D))
y = tf.placeholder(tf.float32, shape=(N, D))
"""

TENSORFLOW_FED = (
    TENSORFLOW_START
    + """
w1 = tf.placeholder(tf.float32, shape=(D, H))
w2 = tf.placeholder(tf.float32, shape=(H, D))

h = tf.maximum(tf.matmul(x, w1), 0)
y_pred = tf.matmul(h, w2)
diff = y_pred - y
loss = tf.reduce_mean(tf.reduce_sum(diff ** 2, axis=1))
grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])

losses = []
with tf.Session() as sess:
    values = {x: np.random.randn(N, D),
              w1: np.random.randn(D, H),
              w2: np.random.randn(H, D),
              y: np.random.randn(N, D),}
    learning_rate = 1e-5
    for t in range(50):
        out = sess.run([loss, grad_w1, grad_w2],
                       feed_dict=values)
        loss_val, grad_w1_val, grad_w2_val = out
        values[w1] -= learning_rate * grad_w1_val
        values[w2] -= learning_rate * grad_w2_val
        losses.append(loss_val)
"""
)

TENSORFLOW_ASSIGNED = (
    TENSORFLOW_START
    + """
w1 = tf.Variable(tf.random_normal((D, H)))
w2 = tf.Variable(tf.random_normal((H, D)))

h = tf.maximum(tf.matmul(x, w1), 0)
y_pred = tf.matmul(h, w2)
diff = y_pred - y
loss = tf.reduce_mean(tf.reduce_sum(diff ** 2, axis=1))
grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])

learning_rate = 1e-5
new_w1 = w1.assign(w1 - learning_rate * grad_w1)
new_w2 = w2.assign(w2 - learning_rate * grad_w2)
updates = tf.group(new_w1, new_w2)

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    values = {x: np.random.randn(N, D),
              y: np.random.randn(N, D),}
    losses = []
    for t in range(50):
        loss_val, _ = sess.run([loss, updates],
                               feed_dict=values)
        losses.append(loss_val)
"""
)

TENSORFLOW_OPTIMIZED = (
    TENSORFLOW_START
    + """
init = tf.variance_scaling_initializer(2.0)
h = tf.layers.dense(inputs=x, units=H,
    activation=tf.nn.relu, kernel_initializer=init)
y_pred = tf.layers.dense(inputs=h, units=D,
    kernel_initializer=init)

loss = tf.losses.mean_squared_error(y_pred, y)

optimizer = tf.train.GradientDescentOptimizer(1e0)
updates = optimizer.minimize(loss)

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    values = {x: np.random.randn(N, D),
              y: np.random.randn(N, D),}
    losses = []
    for t in range(50):
        loss_val, _ = sess.run([loss, updates],
                               feed_dict=values)
        losses.append(loss_val)
"""
)

KERAS_1 = """
import numpy as np
from keras.models import Sequential
from keras.layers.core import Dense, Activation
from keras.optimizers import SGD
np.random.seed(0)

N, D, H = 64, 1000, 100

model = Sequential()
model.add(Dense(input_dim=D, output_dim=H))
model.add(Activation('relu'))
model.add(Dense(input_dim=H, output_dim=D))

optimizer = SGD(lr=1e0)
model.compile(loss='mean_squared_error',
              optimizer=optimizer)

x = np.random.randn(N, D)
y = np.random.randn(N, D)
history = model.fit(x, y, nb_epoch=50,
                    batch_size=N, verbose=0)
losses = history.history['loss']
"""

PYTORCH_START = """
import torch
torch.manual_seed(0)

device = torch.device('cpu')

N, D_in, H, D_out = 64, 1000, 100, 10
x = torch.randn(N, D_in, device=device)
y = torch.randn(N, D_out, device=device)
losses = []
"""

PYTORCH_BY_HAND = (
    PYTORCH_START
    + """
w1 = torch.randn(D_in, H, device=device)
w2 = torch.randn(H, D_out, device=device)

learning_rate = 1e-6
for t in range(500):
    h = x.mm(w1)
    h_relu = h.clamp(min=0)
    y_pred = h_relu.mm(w2)
    loss = (y_pred - y).pow(2).sum()

    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.t().mm(grad_y_pred)
    grad_h_relu = grad_y_pred.mm(w2.t())
    grad_h = grad_h_relu.clone()
    grad_h[h < 0] = 0
    grad_w1 = x.t().mm(grad_h)

    w1 -= learning_rate * grad_w1
    w2 -= learning_rate * grad_w2
    losses.append(loss.item())
"""
)

PYTORCH_2017 = """
import torch
torch.manual_seed(0)

dtype = torch.FloatTensor

N, D_in, H, D_out = 64, 1000, 100, 10
x = torch.randn(N, D_in).type(dtype)
y = torch.randn(N, D_out).type(dtype)
w1 = torch.randn(D_in, H).type(dtype)
w2 = torch.randn(H, D_out).type(dtype)

learning_rate = 1e-6
losses = []
for t in range(500):
    h = x.mm(w1)
    h_relu = h.clamp(min=0)
    y_pred = h_relu.mm(w2)
    loss = (y_pred - y).pow(2).sum()
    losses.append(loss)

    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.t().mm(grad_y_pred)
    grad_h_relu = grad_y_pred.mm(w2.t())
    grad_h = grad_h_relu.clone()
    grad_h[h < 0] = 0
    grad_w1 = x.t().mm(grad_h)

    w1 -= learning_rate * grad_w1
    w2 -= learning_rate * grad_w2
"""

PYTORCH_AUTOGRAD = (
    PYTORCH_START
    + """
w1 = torch.randn(D_in, H, requires_grad=True)
w2 = torch.randn(H, D_out, requires_grad=True)

learning_rate = 1e-6
for t in range(500):
    y_pred = x.mm(w1).clamp(min=0).mm(w2)
    loss = (y_pred - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        w1 -= learning_rate * w1.grad
        w2 -= learning_rate * w2.grad
        w1.grad.zero_()
        w2.grad.zero_()
    losses.append(loss.item())
"""
)

PYTORCH_FUNCTION = (
    PYTORCH_START
    + """
class ReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad_y):
        x, = ctx.saved_tensors
        grad_input = grad_y.clone()
        grad_input[x < 0] = 0
        return grad_input

w1 = torch.randn(D_in, H, requires_grad=True)
w2 = torch.randn(H, D_out, requires_grad=True)

learning_rate = 1e-6
for t in range(500):
    y_pred = ReLU.apply(x.mm(w1)).mm(w2)
    loss = (y_pred - y).pow(2).sum()
    losses.append(loss.item())
    loss.backward()
    with torch.no_grad():
        w1 -= learning_rate * w1.grad
        w2 -= learning_rate * w2.grad
        w1.grad.zero_()
        w2.grad.zero_()
"""
)

PYTORCH_MODULE = (
    PYTORCH_START
    + """
class TwoLayerNet(torch.nn.Module):
    def __init__(self, D_in, H, D_out):
        super(TwoLayerNet, self).__init__()
        self.linear1 = torch.nn.Linear(D_in, H)
        self.linear2 = torch.nn.Linear(H, D_out)

    def forward(self, x):
        h_relu = self.linear1(x).clamp(min=0)
        y_pred = self.linear2(h_relu)
        return y_pred

from torch.utils.data import TensorDataset, DataLoader
loader = DataLoader(TensorDataset(x, y), batch_size=8)
model = TwoLayerNet(D_in, H, D_out)
criterion = torch.nn.MSELoss(reduction='sum')
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
for epoch in range(10):
    for x_batch, y_batch in loader:
        y_pred = model(x_batch)
        loss = criterion(y_pred, y_batch)

        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    losses.append(loss.item())
"""
)


def run(listing: str) -> dict[str, Any]:
    """Run a listing with other import lines; gives its variables."""
    lines = listing.splitlines()
    for i, line in enumerate(lines):
        for theirs, ours in IMPORTS.items():
            if line == theirs or (theirs.endswith(" import") and line.startswith(theirs)):
                lines[i] = line.replace(theirs, ours)
    names: dict[str, Any] = {"__name__": "listing"}
    with tf.Graph().as_default() if "tensorflow" in listing else contextlib.nullcontext():
        exec(compile("\n".join(lines), "listing.py", "exec"), names)
    return names


@pytest.mark.parametrize(
    ("listing", "factor"),
    [
        pytest.param(TENSORFLOW_FED, 1e-3, id="tensorflow, weights fed"),
        pytest.param(TENSORFLOW_ASSIGNED, 1e-3, id="tensorflow, weights assigned"),
        pytest.param(TENSORFLOW_OPTIMIZED, 0.9, id="tensorflow, layers and optimizer"),
        pytest.param(KERAS_1, 0.9, id="keras 1"),
        pytest.param(PYTORCH_BY_HAND, 1e-2, id="pytorch, gradients by hand"),
        pytest.param(PYTORCH_2017, 1e-2, id="pytorch, of 2017"),
        pytest.param(PYTORCH_AUTOGRAD, 1e-2, id="pytorch, autograd"),
        pytest.param(PYTORCH_FUNCTION, 1e-2, id="pytorch, a function with its own gradient"),
        pytest.param(PYTORCH_MODULE, 0.7, id="pytorch, module and optimizer"),
    ],
)
def test_listing_runs_and_learns(listing: str, factor: float) -> None:
    og.manual_seed(0)
    losses = run(listing)["losses"]
    assert np.isfinite(losses).all()
    assert losses[-1] < factor * losses[0]


def test_the_two_pytorch_listings_agree() -> None:
    """Gradients by hand and by autograd; the seed gives both the same numbers."""
    by_hand = run(PYTORCH_BY_HAND)["losses"]
    found = run(PYTORCH_AUTOGRAD)["losses"]
    assert np.allclose(by_hand[:50], found[:50], rtol=1e-3)
