"""Branches and loops inside a traced function: `og.cond`, `og.while_loop` and `og.scan`.

Python's own `if` and `while` are fine outside of `og.jit`: they look at a value, which is then computed. Inside, values
do not exist yet, so the choice becomes part of the graph.

    python examples/control_flow.py
"""

import onegraph as og


@og.jit
def clipped(gradient, limit):
    """The gradient, scaled down to a norm of `limit` where it is longer. Only the branch that is taken is computed."""
    norm = (gradient * gradient).sum().sqrt()
    return og.cond(norm > limit, lambda g, n: g * (limit / n), lambda g, n: g, (gradient, norm))


@og.jit
def square_root(a, tolerance):
    """Newton's iteration, for as long as it takes: the number of rounds depends on the values."""

    def too_far(x, rounds):
        return (x * x - a).abs() > tolerance * a

    def improve(x, rounds):
        return (x + a / x) / 2, rounds + 1

    return og.while_loop(too_far, improve, (a, og.tensor(0)))


@og.jit
def smoothed(series, keep):
    """Exponential smoothing: a value carried along a sequence."""

    def step(level, x):
        level = keep * level + (1 - keep) * x
        return level, level

    return og.scan(step, series[0], series)[1]


def learn_smoothing(series, steps=40):
    """The factor with which the smoothed series predicts the next value best: a gradient through the loop."""
    raw = og.zeros((), requires_grad=True)
    optimizer = og.optim.SGD([raw], lr=2.0)
    for _ in range(steps):
        keep = raw.sigmoid()

        def step(level, x, keep=keep):
            error = (x - level) ** 2
            return keep * level + (1 - keep) * x, error

        loss = og.scan(step, series[0], series)[1].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return raw.detach().sigmoid().item(), loss.item()


def main():
    """Show all of them."""
    print("clipped to length 1:", clipped(og.tensor([3.0, 4.0]), og.tensor(1.0)).tolist())
    print("short enough:", clipped(og.tensor([0.3, 0.4]), og.tensor(1.0)).tolist())
    for value in (2.0, 1e6):
        root, rounds = square_root(og.tensor(value), og.tensor(1e-6))
        print(f"the root of {value:g} is {root.item():.4f}, after {rounds.item()} rounds")
    og.manual_seed(0)
    series = og.cumsum(0.1 * og.randn(60), 0) + 0.5 * og.randn(60)
    print("smoothed:", [round(v, 3) for v in smoothed(series, og.tensor(0.8))[:4].tolist()])
    keep, loss = learn_smoothing(series)
    print(f"best factor {keep:.3f}, mean squared error {loss:.4f}")
    return keep


if __name__ == "__main__":
    main()
