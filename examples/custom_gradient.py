"""An operation with a gradient of your own: the straight-through estimator of Bengio, Leonard and Courville (2013).

Rounding has derivative zero almost everywhere, so nothing before it learns. `RoundThrough` rounds, and lets the gradient
through as if it had not. Here it finds whole numbers that fit a line.

    python examples/custom_gradient.py
"""

import onegraph as og


class RoundThrough(og.autograd.Function):
    """Nearest integer, with the gradient of the identity where the value is within `limit`."""

    @staticmethod
    def forward(ctx, x, limit):
        ctx.save_for_backward(x)
        ctx.limit = limit
        return og.round(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() <= ctx.limit), None  # `limit` is a number and has no gradient


def main(steps=60):
    """Fit y = 3 x - 2 by whole numbers; gives the slope and the offset found."""
    og.manual_seed(0)
    x = og.linspace(-1, 1, 50)
    y = 3 * x - 2 + 0.05 * og.randn(50)
    slope, offset = og.zeros(1, requires_grad=True), og.zeros(1, requires_grad=True)
    optimizer = og.optim.SGD([slope, offset], lr=0.1)
    for step in range(steps):
        y_pred = RoundThrough.apply(slope, 8.0) * x + RoundThrough.apply(offset, 8.0)
        loss = ((y_pred - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            print(f"step {step:2}  loss {loss.item():.4f}  slope {slope.item():+.3f}  offset {offset.item():+.3f}")
    found = round(slope.item()), round(offset.item())
    print(f"y = {found[0]} x + {found[1]}")
    return found


if __name__ == "__main__":
    main()
