"""A two-layer ReLU network, define-and-run: build a graph, differentiate it, then run it many times in a session.

    python examples/static101.py

`eager101.py` and `keras101.py` train the same network in the two other styles.
"""

import numpy as np

import onegraph.static as tf

N, D, H = 64, 1000, 100


def by_hand(steps=50, learning_rate=1e-5):
    """Weights are fed; NumPy updates them between the runs."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, shape=(N, D))
        y = tf.placeholder(tf.float32, shape=(N, D))
        w1 = tf.placeholder(tf.float32, shape=(D, H))
        w2 = tf.placeholder(tf.float32, shape=(H, D))

        h = tf.maximum(tf.matmul(x, w1), 0)
        y_pred = tf.matmul(h, w2)
        diff = y_pred - y
        loss = tf.reduce_mean(tf.reduce_sum(diff**2, axis=1))
        grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])

        with tf.Session() as sess:
            values = {
                x: np.random.randn(N, D),
                w1: np.random.randn(D, H),
                w2: np.random.randn(H, D),
                y: np.random.randn(N, D),
            }
            for t in range(steps):
                out = sess.run([loss, grad_w1, grad_w2], feed_dict=values)
                loss_val, grad_w1_val, grad_w2_val = out
                values[w1] -= learning_rate * grad_w1_val
                values[w2] -= learning_rate * grad_w2_val
                if t % 10 == 0:
                    print(f"  step {t:2}  loss {loss_val:.4f}")
    return float(loss_val)


def with_variables(steps=50, learning_rate=1e-5):
    """Weights stay in the session from run to run; the update is a part of the graph."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, shape=(N, D))
        y = tf.placeholder(tf.float32, shape=(N, D))
        w1 = tf.Variable(tf.random_normal((D, H)))
        w2 = tf.Variable(tf.random_normal((H, D)))

        h = tf.maximum(tf.matmul(x, w1), 0)
        y_pred = tf.matmul(h, w2)
        diff = y_pred - y
        loss = tf.reduce_mean(tf.reduce_sum(diff**2, axis=1))
        grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])

        new_w1 = w1.assign(w1 - learning_rate * grad_w1)
        new_w2 = w2.assign(w2 - learning_rate * grad_w2)
        updates = tf.group(new_w1, new_w2)

        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            values = {x: np.random.randn(N, D), y: np.random.randn(N, D)}
            for t in range(steps):
                loss_val, _ = sess.run([loss, updates], feed_dict=values)
                if t % 10 == 0:
                    print(f"  step {t:2}  loss {loss_val:.4f}")
    return float(loss_val)


def with_optimizer(steps=50, learning_rate=0.1):
    """Layers, a loss and an optimizer."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, shape=(N, D))
        y = tf.placeholder(tf.float32, shape=(N, D))
        h = tf.layers.dense(inputs=x, units=H, activation=tf.nn.relu)
        y_pred = tf.layers.dense(inputs=h, units=D)
        loss = tf.losses.mean_squared_error(y, y_pred)
        updates = tf.train.GradientDescentOptimizer(learning_rate).minimize(loss)

        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            values = {x: np.random.randn(N, D), y: np.random.randn(N, D)}
            for t in range(steps):
                loss_val, _ = sess.run([loss, updates], feed_dict=values)
                if t % 10 == 0:
                    print(f"  step {t:2}  loss {loss_val:.4f}")
    return float(loss_val)


if __name__ == "__main__":
    np.random.seed(0)
    print("weights fed, updated by NumPy")
    by_hand()
    print("weights in variables")
    with_variables()
    print("layers and an optimizer")
    print(f"final loss {with_optimizer():.4f}")
