"""The update rules that are used less often: averaged SGD, Rprop, Adam by rows, Adafactor and Muon. Read first: `rules.py`.

Adafactor and Muon look at a matrix as a whole: one keeps its mean squares by rows and by columns, the other makes the
step orthogonal.
"""

from __future__ import annotations

import math

import numpy as np

from onegraph.ir.dtype import bfloat16, float64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, DIV, EQ, GT, MAXIMUM, MINIMUM, MUL, NE, POW, SUB, add, div, mul, sub
from onegraph.ops.cast import cast
from onegraph.ops.contraction import matmul, transpose_last
from onegraph.ops.elementwise import NEG, SQRT, WHERE, sign
from onegraph.ops.leaf import constant
from onegraph.ops.reduction import sum_
from onegraph.ops.statistics import any as any_
from onegraph.ops.statistics import mean
from onegraph.optim.rules import STEP, Hyper, Rule, Slot, State, corrections, count, direction_of

# ---- averaged stochastic gradient descent


def _asgd(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    t, eta, mu = count(state, hyper), state["eta"], state["mu"]
    kept = hyper.once(("kept", eta), lambda: sub(1.0, MUL(hyper["lambd"], eta)))
    param = SUB(MUL(param, hyper.as_dtype(kept, param.dtype)), MUL(g, hyper.as_dtype(eta, param.dtype)))
    whole = hyper.once(("whole", mu), lambda: EQ(mu, constant(1.0, float64)))
    moved = ADD(state["ax"], MUL(SUB(param, state["ax"]), hyper.as_dtype(mu, param.dtype)))
    average = WHERE(whole, param, moved)
    next_eta = hyper.once(
        ("eta", t),
        lambda: DIV(hyper["lr"], POW(add(MUL(MUL(hyper["lambd"], hyper["lr"]), t), 1.0), hyper["alpha"])),
    )
    next_mu = hyper.once(("mu", t), lambda: div(1.0, MAXIMUM(constant(1.0, float64), SUB(t, hyper["t0"]))))
    return param, {"step": t, "eta": next_eta, "mu": next_mu, "ax": average}


asgd = Rule(
    _asgd,
    lambda hyper: {"step": STEP, "eta": Slot("lr", scalar=True), "mu": Slot(1.0, scalar=True), "ax": Slot()},
)
"""Averaged stochastic gradient descent; the average is the state `ax`. Source: Polyak and Juditsky, "Acceleration of
stochastic approximation by averaging", 1992; the decaying rate: Bottou's."""


# ---- signs of gradients


def _rprop(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = NEG(grad) if hyper.has("maximize") else grad
    zero, agree = constant(0.0, param.dtype), MUL(g, state["prev"])
    turned = GT(zero, agree)
    one = constant(1.0, param.dtype)
    change = WHERE(turned, hyper.like("etaminus", param), WHERE(GT(agree, zero), hyper.like("etaplus", param), one))
    size = MINIMUM(
        MAXIMUM(MUL(state["step_size"], change), hyper.like("step_size_min", param)), hyper.like("step_size_max", param)
    )
    kept = WHERE(turned, zero, g)  # where the sign changed nothing moves, and the next step is a first one
    param = SUB(param, MUL(sign(kept), size))
    return param, {"step": count(state, hyper), "prev": kept, "step_size": size}


rprop = Rule(_rprop, lambda hyper: {"step": STEP, "prev": Slot(), "step_size": Slot("lr")})
"""Steps of sizes of their own by the signs of gradients alone. Source: Riedmiller and Braun, "A direct adaptive method
for faster backpropagation learning: the RPROP algorithm", 1993."""


# ---- Adam for a few rows of a table


def _sparse_adam(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = NEG(grad) if hyper.has("maximize") else grad
    touched = NE(g, constant(0.0, g.dtype))
    if len(param.shape) > 1:
        touched = any_(touched, tuple(range(1, len(param.shape))), keepdim=True)
    before, before_square = state["exp_avg"], state["exp_avg_sq"]
    mean_ = ADD(before, MUL(SUB(g, before), hyper.rest("beta1", param)))
    square = ADD(before_square, MUL(SUB(MUL(g, g), before_square), hyper.rest("beta2", param)))
    one, two = corrections(state, hyper)
    size = hyper.once(("size", one, two), lambda: DIV(MUL(hyper["lr"], SQRT(two)), one))
    step = DIV(MUL(mean_, hyper.as_dtype(size, param.dtype)), ADD(SQRT(square), hyper.like("eps", param)))
    new = {"exp_avg": WHERE(touched, mean_, before), "exp_avg_sq": WHERE(touched, square, before_square)}
    return WHERE(touched, SUB(param, step), param), {"step": count(state, hyper), **new}


sparse_adam = Rule(_sparse_adam, lambda hyper: {"step": STEP, "exp_avg": Slot(), "exp_avg_sq": Slot()})
"""Adam that leaves rows without a gradient, and their means, as they are. Source: Kingma and Ba 2015, the lazy variant."""


# ---- matrices


def _root_mean_square(x: Node) -> Node:
    return SQRT(mean(MUL(x, x)))


def _smallest(param: Node, hyper: Hyper) -> Node:
    """The floor of mean squares; where none was given, the rounding step of the dtype."""
    if hyper.values["eps"][0] is None:
        return constant(float(np.finfo(param.dtype.numpy).eps), param.dtype)
    return hyper.like("eps1", param)


def _adafactor(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = NEG(grad) if hyper.has("maximize") else grad
    t = count(state, hyper)
    rest = hyper.once(("rest", t), lambda: POW(t, hyper["beta2_decay"]))
    rate = hyper.once(("rate", t), lambda: MINIMUM(hyper["lr"], div(1.0, SQRT(t))))
    size = MUL(MAXIMUM(_root_mean_square(param), hyper.like("eps2", param)), hyper.as_dtype(rate, param.dtype))
    if hyper.has("weight_decay"):
        kept = hyper.once("kept", lambda: sub(1.0, MUL(hyper["lr"], hyper["weight_decay"])))
        param = MUL(param, hyper.as_dtype(kept, param.dtype))
    part, tiny = hyper.as_dtype(rest, param.dtype), _smallest(param, hyper)
    new: State = {"step": t}
    if len(param.shape) > 1:
        square = MUL(g, g)
        for name, dim in (("row_var", -1), ("col_var", -2)):
            new[name] = ADD(state[name], MUL(SUB(mean(square, dim, keepdim=True), state[name]), part))
        estimate = DIV(MUL(new["row_var"], new["col_var"]), MAXIMUM(mean(new["row_var"], -2, keepdim=True), tiny))
    else:
        new["variance"] = estimate = ADD(state["variance"], MUL(SUB(MUL(g, g), state["variance"]), part))
    update = DIV(g, SQRT(MAXIMUM(estimate, MUL(tiny, tiny))))
    one = constant(1.0, param.dtype)
    clipped = MAXIMUM(one, DIV(_root_mean_square(update), hyper.like("d", param)))
    return SUB(param, MUL(update, DIV(size, clipped))), new


_ROWS = Slot(shape=lambda shape: (*shape[:-1], 1) if len(shape) > 1 else None)
_COLUMNS = Slot(shape=lambda shape: (*shape[:-2], 1, shape[-1]) if len(shape) > 1 else None)
_ALL = Slot(shape=lambda shape: shape if len(shape) < 2 else None)
adafactor = Rule(_adafactor, lambda hyper: {"step": STEP, "row_var": _ROWS, "col_var": _COLUMNS, "variance": _ALL})
"""Mean squares of a matrix kept by rows and by columns. Source: Shazeer and Stern, "Adafactor: adaptive learning rates
with sublinear memory cost", 2018, algorithms 4 and 5."""


def orthogonal_direction(g: Node, coefficients: tuple[float, float, float], steps: int, eps: Node) -> Node:
    """A matrix with the singular vectors of another and singular values near 1, by Newton and Schulz's iteration.

    Numbers are rounded to bfloat16 where PyTorch rounds them: the iteration is forgiving.
    """

    def rounded(x: Node) -> Node:
        return cast(cast(x, bfloat16), g.dtype)

    a, b, c = (constant(v, g.dtype) for v in coefficients)
    tall = g.shape[0] > g.shape[1]
    x = rounded(transpose_last(g) if tall else g)
    x = rounded(DIV(x, MAXIMUM(rounded(SQRT(sum_(MUL(x, x)))), eps)))
    for _ in range(steps):
        gram = rounded(matmul(x, transpose_last(x)))
        change = rounded(ADD(MUL(gram, b), MUL(matmul(gram, gram), c)))
        x = rounded(ADD(MUL(x, a), matmul(change, x)))
    return transpose_last(x) if tall else x


def _muon_factor(rows: int, columns: int, kind: str | None) -> float:
    """What the rate is multiplied by, so that one rate suits matrices of all shapes."""
    if kind == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns))


def _muon(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    rest = hyper.rest("momentum", param)
    buffer = ADD(state["momentum_buffer"], MUL(SUB(grad, state["momentum_buffer"]), rest))
    update = buffer
    if hyper.has("nesterov"):
        update = ADD(grad, MUL(SUB(buffer, grad), hyper.like("momentum", param)))
    values = hyper.values
    update = orthogonal_direction(update, values["ns_coefficients"], values["ns_steps"], hyper.like("eps", param))
    rows, columns = (int(s) for s in param.shape)  # type: ignore[arg-type]
    kept = hyper.once("kept", lambda: sub(1.0, MUL(hyper["lr"], hyper["weight_decay"])))
    factor = _muon_factor(rows, columns, values["adjust_lr_fn"])
    size = hyper.once(("rate", factor), lambda: mul(hyper["lr"], factor))
    param = SUB(MUL(param, hyper.as_dtype(kept, param.dtype)), MUL(update, hyper.as_dtype(size, param.dtype)))
    return param, {"momentum_buffer": buffer}


muon = Rule(_muon, lambda hyper: {"momentum_buffer": Slot()})
"""Momentum whose direction is made orthogonal, for matrices. Source: Jordan et al., "Muon: an optimizer for hidden
layers in neural networks", 2024; `match_rms_adamw`: Liu et al., "Muon is scalable for LLM training", 2025."""
