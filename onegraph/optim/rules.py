"""The update rules of optimizers, each written once on nodes: `optim`, `static.train` and `keras` all call these.

A rule takes a parameter, its gradient, the state that belongs to the parameter, and the numbers of the step; it
gives the new parameter and the new state. `Rule.slots` says what the state is at first.

Read next: `more_rules.py` (those of ASGD, Rprop, Muon, Adafactor and SparseAdam), `optimizer.py`, which keeps
parameters and state as tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from onegraph.ir.dtype import DType, float64
from onegraph.ir.node import Node
from onegraph.ops.binary import ADD, DIV, EQ, GT, MAXIMUM, MUL, POW, SUB, add, div, mul, sub
from onegraph.ops.cast import cast
from onegraph.ops.elementwise import ABS, NEG, SQRT, WHERE
from onegraph.ops.leaf import constant
from onegraph.ops.statistics import widened

T = TypeVar("T")
State = dict[str, Node]


class Hyper:
    """The numbers of one step (learning rate, momentum, ...) by name, and what follows from them, computed once.

    Args:
        values: Python numbers and flags, or nodes. They also decide what a rule does (no momentum, no buffer).
        number: makes the float64 node of a name; by default a constant, or the node itself.
    """

    def __init__(self, values: Mapping[str, Any], number: Callable[[str], Node] | None = None) -> None:
        self.values = values
        self.number = number or self._constant
        self._known: dict[Hashable, Any] = {}

    def _constant(self, name: str) -> Node:
        value = self.values[name]
        return cast(value, float64) if isinstance(value, Node) else constant(float(value), float64)

    def has(self, name: str) -> bool:
        """Whether a flag is set or a number is not zero."""
        value = self.values.get(name, 0)
        return not isinstance(value, (bool, int, float)) or bool(value)

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What `compute` gives, computed for the first of all parameters of the step."""
        if key not in self._known:
            self._known[key] = compute()
        found: T = self._known[key]
        return found

    def __getitem__(self, name: str) -> Node:
        return self.once(name, lambda: self.number(name))

    def as_dtype(self, node: Node, dtype: DType) -> Node:
        """A number in the dtype of a parameter."""
        return self.once((node, dtype), lambda: cast(node, dtype))

    def like(self, name: str, other: Node) -> Node:
        """The number of a name, in the dtype of a parameter."""
        return self.as_dtype(self[name], other.dtype)

    def rest(self, name: str, other: Node) -> Node:
        """1 minus the number of a name, in the dtype of a parameter."""
        return self.as_dtype(self.once(("rest", name), lambda: sub(1.0, self[name])), other.dtype)


@dataclass(frozen=True)
class Slot:
    """One piece of state of a parameter.

    Attributes:
        start: its first value, or the name of the number that gives it.
        scalar: whether it is a single float64 number, the same for all parameters that are always updated together.
        shape: from the shape of the parameter that of the state, None for parameters that have no such state.
    """

    start: float | str = 0.0
    scalar: bool = False
    shape: Callable[[tuple[int, ...]], tuple[int, ...] | None] = field(default_factory=lambda: tuple)


@dataclass(frozen=True)
class Rule:
    """An update rule.

    Attributes:
        update: (parameter, gradient, state, hyper) -> (new parameter, new state).
        slots: the state that these numbers need, by name.
    """

    update: Callable[[Node, Node, State, Hyper], tuple[Node, State]]
    slots: Callable[[Hyper], dict[str, Slot]]


def apply_rule(rule: Rule, param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    """Call a rule in float32 or wider, and cast what it gives back to the dtypes that parameter and state have."""
    wide = {name: widened(node) for name, node in state.items()}
    new, found = rule.update(widened(param), cast(grad, widened(param).dtype), wide, hyper)
    return cast(new, param.dtype), {name: cast(node, state[name].dtype) for name, node in found.items()}


STEP = Slot(0.0, scalar=True)


def count(state: State, hyper: Hyper) -> Node:
    """The number of this step, from 1."""
    return hyper.once(("count", state["step"]), lambda: add(state["step"], 1.0))


def direction_of(param: Node, grad: Node, hyper: Hyper) -> Node:
    """The gradient, turned round for maximizing, with weight decay added."""
    if hyper.has("maximize"):
        grad = NEG(grad)
    if hyper.has("weight_decay") and not hyper.has("decoupled_weight_decay"):
        grad = ADD(grad, MUL(param, hyper.like("weight_decay", param)))
    return grad


def _decayed(param: Node, hyper: Hyper) -> Node:
    """The parameter after decoupled weight decay. Source: Loshchilov and Hutter 2019."""
    if not (hyper.has("weight_decay") and hyper.has("decoupled_weight_decay")):
        return param
    kept = hyper.once("kept", lambda: sub(1.0, MUL(hyper["lr"], hyper["weight_decay"])))
    return MUL(param, hyper.as_dtype(kept, param.dtype))


def _towards(average: Node, value: Node, name: str, hyper: Hyper) -> Node:
    """average * b + value * (1 - b)."""
    return ADD(average, MUL(SUB(value, average), hyper.rest(name, average)))


def _towards_square(average: Node, value: Node, name: str, hyper: Hyper) -> Node:
    """average * b + value**2 * (1 - b)."""
    return ADD(MUL(average, hyper.like(name, average)), MUL(MUL(value, value), hyper.rest(name, average)))


def _moved(param: Node, size: Node, direction: Node, hyper: Hyper) -> Node:
    return SUB(param, MUL(direction, hyper.as_dtype(size, param.dtype)))


# ---- stochastic gradient descent


def _sgd_slots(hyper: Hyper) -> dict[str, Slot]:
    if not hyper.has("momentum"):
        return {}
    return {"momentum_buffer": Slot(), "step": STEP} if hyper.has("dampening") else {"momentum_buffer": Slot()}


def _sgd(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    if not hyper.has("momentum"):
        return _moved(param, hyper["lr"], g, hyper), {}
    momentum = hyper.like("momentum", param)
    kept = MUL(state["momentum_buffer"], momentum)
    new: State = {}
    if hyper.has("dampening"):
        # The first gradient goes in whole, the others dampened.
        new["step"] = count(state, hyper)
        first = EQ(state["step"], constant(0.0, float64))
        part = WHERE(first, constant(1.0, param.dtype), hyper.rest("dampening", param))
        buffer = ADD(kept, MUL(g, part))
    else:
        buffer = ADD(kept, g)
    new["momentum_buffer"] = buffer
    direction = ADD(g, MUL(buffer, momentum)) if hyper.has("nesterov") else buffer
    return _moved(param, hyper["lr"], direction, hyper), new


sgd = Rule(_sgd, _sgd_slots)
"""Stochastic gradient descent with momentum. Source: Sutskever et al., "On the importance of initialization and
momentum in deep learning", 2013, with PyTorch's form of momentum."""


# ---- Adam and its relatives


def corrections(state: State, hyper: Hyper) -> tuple[Node, Node]:
    """1 - beta1**t and 1 - beta2**t, in float64."""
    t = count(state, hyper)

    def correction(name: str) -> Node:
        return hyper.once(("correction", name, t), lambda: sub(1.0, POW(hyper[name], t)))

    return correction("beta1"), correction("beta2")


def _adam_slots(hyper: Hyper) -> dict[str, Slot]:
    slots = {"step": STEP, "exp_avg": Slot(), "exp_avg_sq": Slot()}
    return {**slots, "max_exp_avg_sq": Slot()} if hyper.has("amsgrad") else slots


def _adam(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    param = _decayed(param, hyper)
    mean = _towards(state["exp_avg"], g, "beta1", hyper)
    square = _towards_square(state["exp_avg_sq"], g, "beta2", hyper)
    new = {"step": count(state, hyper), "exp_avg": mean, "exp_avg_sq": square}
    if hyper.has("amsgrad"):
        square = new["max_exp_avg_sq"] = MAXIMUM(state["max_exp_avg_sq"], square)
    one, two = corrections(state, hyper)
    size = hyper.once(("size", one), lambda: DIV(hyper["lr"], one))
    root = hyper.once(("root", two), lambda: SQRT(two))
    scale = ADD(DIV(SQRT(square), hyper.as_dtype(root, param.dtype)), hyper.like("eps", param))
    return SUB(param, DIV(MUL(mean, hyper.as_dtype(size, param.dtype)), scale)), new


adam = Rule(_adam, _adam_slots)
"""Adam, and with `decoupled_weight_decay` AdamW. Sources: Kingma and Ba 2015; Reddi et al. 2018 (amsgrad);
Loshchilov and Hutter, "Decoupled weight decay regularization", 2019."""


def _nadam_slots(hyper: Hyper) -> dict[str, Slot]:
    return {"step": STEP, "mu_product": Slot(1.0, scalar=True), "exp_avg": Slot(), "exp_avg_sq": Slot()}


def _mu(t: Node, hyper: Hyper) -> Node:
    """beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))."""
    power = POW(constant(0.96, float64), MUL(t, hyper["momentum_decay"]))
    return MUL(hyper["beta1"], sub(1.0, mul(power, 0.5)))


def _nadam_sizes(state: State, hyper: Hyper) -> tuple[Node, Node, Node]:
    """The new product of momenta, and the factors of the gradient and of its mean."""
    t = count(state, hyper)
    now, following = _mu(t, hyper), _mu(add(t, 1.0), hyper)
    product = MUL(state["mu_product"], now)
    of_gradient = DIV(MUL(hyper["lr"], sub(1.0, now)), sub(1.0, product))
    of_mean = DIV(MUL(hyper["lr"], following), sub(1.0, MUL(product, following)))
    return product, of_gradient, of_mean


def _nadam(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    param = _decayed(param, hyper)
    mean = _towards(state["exp_avg"], g, "beta1", hyper)
    square = _towards_square(state["exp_avg_sq"], g, "beta2", hyper)
    product, of_gradient, of_mean = hyper.once(
        ("nadam", state["step"], state["mu_product"]), lambda: _nadam_sizes(state, hyper)
    )
    _, two = corrections(state, hyper)
    scale = ADD(SQRT(DIV(square, hyper.as_dtype(two, param.dtype))), hyper.like("eps", param))
    param = SUB(param, DIV(MUL(g, hyper.as_dtype(of_gradient, param.dtype)), scale))
    param = SUB(param, DIV(MUL(mean, hyper.as_dtype(of_mean, param.dtype)), scale))
    return param, {"step": count(state, hyper), "mu_product": product, "exp_avg": mean, "exp_avg_sq": square}


nadam = Rule(_nadam, _nadam_slots)
"""Adam with Nesterov momentum. Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016."""


def _radam_sizes(state: State, hyper: Hyper) -> tuple[Node, Node]:
    """Whether the variance is rectified in this step, and the factor if so."""
    t = count(state, hyper)
    _, two = corrections(state, hyper)
    longest = sub(div(2.0, sub(1.0, hyper["beta2"])), 1.0)
    length = SUB(longest, DIV(MUL(mul(t, 2.0), POW(hyper["beta2"], t)), two))
    rectified = GT(length, constant(5.0, float64))
    safe = WHERE(rectified, length, constant(6.0, float64))
    above = MUL(MUL(sub(safe, 4.0), sub(safe, 2.0)), longest)
    below = MUL(MUL(sub(longest, 4.0), sub(longest, 2.0)), safe)
    return rectified, MUL(SQRT(DIV(above, below)), SQRT(two))


def _radam(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    param = _decayed(param, hyper)
    mean = _towards(state["exp_avg"], g, "beta1", hyper)
    square = _towards_square(state["exp_avg_sq"], g, "beta2", hyper)
    one, _ = corrections(state, hyper)
    rectified, factor = hyper.once(("radam", state["step"]), lambda: _radam_sizes(state, hyper))
    size = hyper.once(("size", one), lambda: DIV(hyper["lr"], one))
    adaptive = DIV(hyper.as_dtype(factor, param.dtype), ADD(SQRT(square), hyper.like("eps", param)))
    update = MUL(mean, hyper.as_dtype(size, param.dtype))
    param = SUB(param, MUL(update, WHERE(rectified, adaptive, constant(1.0, param.dtype))))
    return param, {"step": count(state, hyper), "exp_avg": mean, "exp_avg_sq": square}


radam = Rule(_radam, lambda hyper: {"step": STEP, "exp_avg": Slot(), "exp_avg_sq": Slot()})
"""Rectified Adam. Source: Liu et al., "On the variance of the adaptive learning rate and beyond", 2020."""


def _adamax(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    mean = _towards(state["exp_avg"], g, "beta1", hyper)
    largest = MUL(state["exp_inf"], hyper.like("beta2", param))
    largest = MAXIMUM(largest, ADD(ABS(g), hyper.like("eps", param)))
    one, _ = corrections(state, hyper)
    size = hyper.once(("size", one), lambda: DIV(hyper["lr"], one))
    param = SUB(param, DIV(MUL(mean, hyper.as_dtype(size, param.dtype)), largest))
    return param, {"step": count(state, hyper), "exp_avg": mean, "exp_inf": largest}


adamax = Rule(_adamax, lambda hyper: {"step": STEP, "exp_avg": Slot(), "exp_inf": Slot()})
"""Adam with the largest magnitude instead of the mean square. Source: Kingma and Ba 2015, section 7.1."""


# ---- mean squares of gradients


def _rmsprop_slots(hyper: Hyper) -> dict[str, Slot]:
    slots = {"step": STEP, "square_avg": Slot()}
    if hyper.has("momentum"):
        slots["momentum_buffer"] = Slot()
    if hyper.has("centered"):
        slots["grad_avg"] = Slot()
    return slots


def _rmsprop(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    square = _towards_square(state["square_avg"], g, "alpha", hyper)
    new = {"step": count(state, hyper), "square_avg": square}
    if hyper.has("centered"):
        mean = new["grad_avg"] = _towards(state["grad_avg"], g, "alpha", hyper)
        square = SUB(square, MUL(mean, mean))
    eps = hyper.like("eps", param)
    inside = hyper.has("eps_inside")  # TensorFlow adds it under the root
    direction = DIV(g, SQRT(ADD(square, eps)) if inside else ADD(SQRT(square), eps))
    if hyper.has("momentum"):
        direction = ADD(MUL(state["momentum_buffer"], hyper.like("momentum", param)), direction)
        new["momentum_buffer"] = direction
    return _moved(param, hyper["lr"], direction, hyper), new


rmsprop = Rule(_rmsprop, _rmsprop_slots)
"""Gradients over the root of their mean square. Source: Hinton, Neural Networks for Machine Learning, lecture 6e,
2012; centered: Graves, "Generating sequences with recurrent neural networks", 2013."""


def _adagrad(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    t = count(state, hyper)
    size = hyper.once(("size", t), lambda: DIV(hyper["lr"], add(MUL(state["step"], hyper["lr_decay"]), 1.0)))
    total = ADD(state["sum"], MUL(g, g))
    scale = ADD(SQRT(total), hyper.like("eps", param))
    return SUB(param, DIV(MUL(g, hyper.as_dtype(size, param.dtype)), scale)), {"step": t, "sum": total}


adagrad = Rule(_adagrad, lambda hyper: {"step": STEP, "sum": Slot("initial_accumulator_value")})
"""Gradients over the root of the sum of their squares. Source: Duchi et al., "Adaptive subgradient methods", 2011."""


def _adadelta(param: Node, grad: Node, state: State, hyper: Hyper) -> tuple[Node, State]:
    g = direction_of(param, grad, hyper)
    square = _towards_square(state["square_avg"], g, "rho", hyper)
    eps = hyper.like("eps", param)
    change = MUL(DIV(SQRT(ADD(state["acc_delta"], eps)), SQRT(ADD(square, eps))), g)
    new = {"step": count(state, hyper), "square_avg": square}
    new["acc_delta"] = _towards_square(state["acc_delta"], change, "rho", hyper)
    return _moved(param, hyper["lr"], change, hyper), new


adadelta = Rule(_adadelta, lambda hyper: {"step": STEP, "square_avg": Slot(), "acc_delta": Slot()})
"""Steps in units of the parameter. Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012."""
