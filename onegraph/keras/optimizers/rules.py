"""Update rules that Keras has and PyTorch has not: Lion, LAMB, FTRL, and Adafactor and Muon as Keras computes them.

Each is a rule of `onegraph.optim`: from parameter, gradient, state and numbers to the next ones, on nodes.
Read next: `newer.py` (their classes), `onegraph/optim/rules.py` (what a rule is).
"""

from __future__ import annotations

from typing import Any

from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, DIV, GT, MAXIMUM, MINIMUM, MUL, POW, SUB, div, mul, sub
from onegraph.ops.contraction import matmul, transpose_last
from onegraph.ops.elementwise import NEG, SQRT, WHERE, sign
from onegraph.ops.leaf import constant
from onegraph.ops.reduction import sum_
from onegraph.ops.statistics import mean
from onegraph.optim.optimizer import Optimizer
from onegraph.optim.rules import STEP, Hyper, Rule, Slot, State, corrections, count


def _lion(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    m = state["momentum"]
    mixed = ADD(MUL(m, hyper.like("beta1", param)), MUL(grad, hyper.rest("beta1", param)))
    after = ADD(MUL(m, hyper.like("beta2", param)), MUL(grad, hyper.rest("beta2", param)))
    return SUB(param, MUL(sign(mixed), hyper.like("lr", param))), {"momentum": after}


lion = Rule(_lion, lambda hyper: {"momentum": Slot()})
"""Steps of one size, by the sign of a mean. Source: Chen et al., arXiv 2302.06675, algorithm 2."""


def _lamb(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    m = ADD(state["momentum"], MUL(SUB(grad, state["momentum"]), hyper.rest("beta1", param)))
    v = ADD(state["velocity"], MUL(SUB(MUL(grad, grad), state["velocity"]), hyper.rest("beta2", param)))
    one, two = corrections(state, hyper)
    root = ADD(SQRT(DIV(v, hyper.as_dtype(two, param.dtype))), hyper.like("eps", param))
    update = DIV(DIV(m, hyper.as_dtype(one, param.dtype)), root)
    zero, unit = constant(0.0, param.dtype), constant(1.0, param.dtype)
    size, length = SQRT(sum_(MUL(param, param))), SQRT(sum_(MUL(update, update)))
    both = MUL(size, length)
    ratio = WHERE(GT(both, zero), DIV(size, WHERE(GT(length, zero), length, unit)), unit)
    step = MUL(update, MUL(ratio, hyper.like("lr", param)))
    return SUB(param, step), {"step": count(state, hyper), "momentum": m, "velocity": v}


lamb = Rule(_lamb, lambda hyper: {"step": STEP, "momentum": Slot(), "velocity": Slot()})
"""Adam's direction, as long as the weights are. Source: You et al., arXiv 1904.00962, algorithm 2."""


def _ftrl(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    rate, power = hyper.like("lr", param), hyper.once("power", lambda: sub(0.0, hyper["learning_rate_power"]))
    exponent = hyper.as_dtype(power, param.dtype)
    before, linear = state["accumulator"], state["linear"]
    after = ADD(before, MUL(grad, grad))
    shrunk = ADD(grad, MUL(param, hyper.as_dtype(hyper.once("s", lambda: mul(hyper["shrinkage"], 2.0)), param.dtype)))
    grown = DIV(SUB(POW(after, exponent), POW(before, exponent)), rate)
    linear = ADD(linear, SUB(shrunk, MUL(grown, param)))
    extra = hyper.once("l2", lambda: ADD(mul(hyper["l2"], 2.0), DIV(hyper["beta"], hyper["lr"])))
    quadratic = ADD(DIV(POW(after, exponent), rate), hyper.as_dtype(extra, param.dtype))
    l1 = hyper.like("l1", param)
    clipped = MINIMUM(MAXIMUM(linear, NEG(l1)), l1)
    return DIV(SUB(clipped, linear), quadratic), {"accumulator": after, "linear": linear}


ftrl = Rule(_ftrl, lambda hyper: {"accumulator": Slot("initial_accumulator_value"), "linear": Slot()})
"""Follow the regularized leader. Source: McMahan et al., "Ad click prediction", KDD 2013, algorithm 1."""


def _root_mean_square(x: Node) -> Node:
    return SQRT(mean(MUL(x, x)))


def _adafactor(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    t = count(state, hyper)
    rate = hyper.once(("rate", t), lambda: MINIMUM(hyper["lr"], div(1.0, SQRT(t))))
    size = MUL(MAXIMUM(_root_mean_square(param), hyper.like("eps2", param)), hyper.as_dtype(rate, param.dtype))
    kept = hyper.as_dtype(hyper.once(("kept", t), lambda: sub(1.0, POW(t, hyper["beta2_decay"]))), param.dtype)
    rest = SUB(constant(1.0, param.dtype), kept)
    square = ADD(MUL(grad, grad), hyper.like("eps1", param))
    new: State = {"step": t}
    if len(param.shape) > 1:
        for name, dim in (("row", -1), ("column", -2)):
            new[name] = ADD(MUL(state[name], kept), MUL(mean(square, dim, keepdim=True), rest))
        estimate = MUL(DIV(new["row"], mean(new["row"], -2, keepdim=True)), new["column"])
    else:
        new["velocity"] = estimate = ADD(MUL(state["velocity"], kept), MUL(square, rest))
    update = DIV(grad, SQRT(estimate))
    limit = MAXIMUM(constant(1.0, param.dtype), DIV(_root_mean_square(update), hyper.like("clip", param)))
    return SUB(param, MUL(DIV(update, limit), size)), new


_ROWS = Slot(shape=lambda shape: (*shape[:-1], 1) if len(shape) > 1 else None)
_COLUMNS = Slot(shape=lambda shape: (*shape[:-2], 1, shape[-1]) if len(shape) > 1 else None)
_ALL = Slot(shape=lambda shape: shape if len(shape) < 2 else None)
adafactor = Rule(_adafactor, lambda hyper: {"step": STEP, "row": _ROWS, "column": _COLUMNS, "velocity": _ALL})
"""Mean squares by rows and columns; Keras adds a floor to the squares, PyTorch to their means. Source: arXiv 1804.04235."""


def _muon(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    momentum = hyper.like("momentum", param)
    m = ADD(grad, MUL(state["momentum"], momentum))
    g = ADD(grad, MUL(m, momentum)) if hyper.has("nesterov") else m
    a, b, c = (constant(float(v), param.dtype) for v in hyper.values["coefficients"])
    tall = g.shape[-2] > g.shape[-1]
    x = transpose_last(g) if tall else g
    x = DIV(x, ADD(SQRT(sum_(MUL(x, x))), constant(1e-7, param.dtype)))
    for _ in range(int(hyper.values["ns_steps"])):
        gram = matmul(x, transpose_last(x))
        x = ADD(MUL(x, a), matmul(ADD(MUL(gram, b), MUL(matmul(gram, gram), c)), x))
    update = transpose_last(x) if tall else x
    rate = hyper["lr"]
    if hyper.values["rms_rate"] is not None:
        factor = float(max(int(s) for s in param.shape)) ** 0.5 * float(hyper.values["rms_rate"])  # type: ignore[arg-type]
        rate = hyper.once(("rate", factor), lambda: mul(hyper["lr"], factor))
    return SUB(param, MUL(update, hyper.as_dtype(rate, param.dtype))), {"momentum": m}


muon = Rule(_muon, lambda hyper: {"momentum": Slot()})
"""Momentum made orthogonal, without the rounding to bfloat16 of PyTorch's. Source: Jordan et al., 2024; arXiv 2502.16982."""


class RuleOptimizer(Optimizer):
    """An optimizer of `onegraph.optim` for one of the rules here."""

    def __init__(self, params: Any, rule: Rule, **numbers: Any) -> None:
        self.rule = rule
        super().__init__(params, numbers)
