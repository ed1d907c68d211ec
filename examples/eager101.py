"""A two-layer ReLU network, define-by-run: ordinary Python, then with layers and an optimizer, then traced with `og.jit`.

    python examples/eager101.py

`static101.py` and `keras101.py` train the same network in the two other styles.
"""

import onegraph as og

N, D, H = 64, 1000, 100


def by_hand(steps=50, learning_rate=1e-5):
    """Weights, gradients and updates written out."""
    x, y = og.randn(N, D), og.randn(N, D)
    w1 = og.randn(D, H, requires_grad=True)
    w2 = og.randn(H, D, requires_grad=True)
    for t in range(steps):
        y_pred = og.maximum(x @ w1, 0) @ w2
        loss = ((y_pred - y) ** 2).sum(1).mean()
        loss.backward()
        with og.no_grad():
            w1 -= learning_rate * w1.grad
            w2 -= learning_rate * w2.grad
        w1.grad = w2.grad = None
        if t % 10 == 0:
            print(f"  step {t:2}  loss {loss.item():.4f}")
    return loss.item()


def by_hand_traced(steps=50, learning_rate=1e-5):
    """The same step as a function that is traced once and then runs as one plan."""
    x, y = og.randn(N, D), og.randn(N, D)
    w1 = og.randn(D, H, requires_grad=True)
    w2 = og.randn(H, D, requires_grad=True)

    @og.jit
    def train_step(x, y):
        loss = ((og.maximum(x @ w1, 0) @ w2 - y) ** 2).sum(1).mean()
        grad_w1, grad_w2 = og.autograd.grad(loss, [w1, w2])
        with og.no_grad():
            w1.sub_(learning_rate * grad_w1)
            w2.sub_(learning_rate * grad_w2)
        return loss.detach()

    for t in range(steps):
        loss = train_step(x, y)
        if t % 10 == 0:
            print(f"  step {t:2}  loss {loss.item():.4f}")
    return loss.item()


def with_layers(steps=50, learning_rate=0.1, trace=False):
    """`nn` keeps the weights, `optim` updates them."""
    x, y = og.randn(N, D), og.randn(N, D)
    model = og.nn.Sequential(og.nn.Linear(D, H), og.nn.ReLU(), og.nn.Linear(H, D))
    loss_fn = og.nn.MSELoss()
    optimizer = og.optim.SGD(model.parameters(), lr=learning_rate)

    def train_step(x, y):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    if trace:
        train_step = og.jit(train_step)
    for t in range(steps):
        loss = train_step(x, y)
        if t % 10 == 0:
            print(f"  step {t:2}  loss {loss.item():.4f}")
    return loss.item()


if __name__ == "__main__":
    og.manual_seed(0)
    print("gradients by hand")
    by_hand()
    print("the same, traced")
    og.manual_seed(0)
    by_hand_traced()
    print("layers and an optimizer")
    og.manual_seed(0)
    first = with_layers()
    print("the same, traced")
    og.manual_seed(0)
    second = with_layers(trace=True)
    print(f"final loss {second:.4f}, {'the same bits' if first == second else 'DIFFERENT BITS'} as without tracing")
