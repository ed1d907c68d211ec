"""`Optimizer`: parameter groups, state as tensors, and `step`, which computes everything that waits in one plan.

The arithmetic is in `rules.py`; the classes with PyTorch's names are in `optimizers.py`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, GradientError, StateError, UnsupportedError
from onegraph.frontend.state import enable_grad, mode, no_grad
from onegraph.frontend.tensor import Tensor, realize_tensors, wrap_buffer
from onegraph.frontend.trace import changing_number
from onegraph.ir.dtype import float64
from onegraph.ir.node import Node
from onegraph.nn.conversion import clear_gradients
from onegraph.nn.functional import node_of
from onegraph.nn.state import compute_pending, full
from onegraph.ops.cast import cast
from onegraph.optim.hooks import (
    Hooks,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    with_hooks,
)
from onegraph.optim.rules import Hyper, Rule, Slot, apply_rule

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]

_PAIRS = {
    "beta1": ("betas", 0),
    "beta2": ("betas", 1),
    "etaminus": ("etas", 0),
    "etaplus": ("etas", 1),
    "step_size_min": ("step_sizes", 0),
    "step_size_max": ("step_sizes", 1),
    "eps1": ("eps", 0),
    "eps2": ("eps", 1),
}
_SHARED = frozenset({"step", "mu_product", "eta", "mu"})  # state that is one number, whatever the parameter


class Optimizer(Hooks):
    """Base of all optimizers. A subclass that defines `step` itself finds parameters, settings and state here.

    Args:
        params: tensors, pairs of name and tensor, or dicts with 'params' and settings of their own.
        defaults: settings of groups that do not say otherwise.

    Attributes:
        param_groups: dicts with 'params' and settings such as 'lr', which may be changed at any time; a changed
            number compiles nothing.
        state: of each parameter, a dict of tensors by name.
    """

    rule: Rule | None = None

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise ArgumentTypeError("an optimizer takes a list of parameters, not one tensor", hint="write [tensor]")
        if not isinstance(params, Iterable):
            raise ArgumentTypeError(
                f"an optimizer takes parameters, got {type(params).__name__}",
                hint="write model.parameters()" if hasattr(params, "parameters") else None,
            )
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        given = list(params)
        if not given:
            raise ArgumentError(
                "an optimizer got no parameters", hint="model.parameters() is used up after one loop over it"
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own."""
        if not isinstance(param_group, dict):
            raise ArgumentTypeError(f"a parameter group must be a dict, got {type(param_group).__name__}")
        if "params" not in param_group:
            raise ArgumentError(f"a parameter group needs 'params', and has {', '.join(param_group) or 'nothing'}")
        group = dict(param_group)
        params: list[Any] = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        if params and isinstance(params[0], tuple):
            group["param_names"] = [name for name, _ in params]
            params = [p for _, p in params]
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            _check_parameter(p, bool(self.defaults.get("differentiable")))
            if id(p) in known:
                raise ArgumentError("a parameter appears twice in an optimizer", hint="put it into one group only")
            known.add(id(p))
        group["params"] = params
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self._check_group(group)
        compute_pending(params)  # so that drawing first values is no part of the first step's plan
        self.param_groups.append(group)

    def _check_group(self, group: dict[str, Any]) -> None:
        """Refuse settings that make no sense."""
        for name in (
            "lr",
            "eps",
            "weight_decay",
            "momentum",
            "alpha",
            "lr_decay",
            "initial_accumulator_value",
            "momentum_decay",
            "lambd",
        ):
            value = group.get(name, 0)
            if isinstance(value, tuple):  # the two of Adafactor
                continue
            if not isinstance(value, (Tensor, Real)):
                raise ArgumentTypeError(f"{type(self).__name__}: {name} must be a number, got {value!r}")
            if isinstance(value, (int, float)) and not value >= 0:
                raise ArgumentError(f"{type(self).__name__}: {name} must not be negative, got {value}")
        for i, beta in enumerate(group.get("betas", ())):
            if isinstance(beta, (int, float)) and not 0 <= beta < 1:
                raise ArgumentError(f"{type(self).__name__}: betas[{i}] must be at least 0 and below 1, got {beta}")
        rho = group.get("rho", 0)
        if isinstance(rho, (int, float)) and not 0 <= rho <= 1:
            raise ArgumentError(f"{type(self).__name__}: rho must be from 0 to 1, got {rho}")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters (or fill them with zeros)."""
        for group in self.param_groups:
            clear_gradients(group["params"], set_to_none)

    # ---- one step

    @with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient, and compute everything that waits in one plan.

        Args:
            closure: computes the loss again, with `backward`; its result is returned.
        """
        if self.rule is None:
            raise UnsupportedError(
                f"{type(self).__name__} defines no step", hint="write `def step(self, closure=None)`"
            )
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        written: list[tuple[Tensor, Node]] = []
        with enable_grad() if self.defaults.get("differentiable") else no_grad():
            for index, group in enumerate(self.param_groups):
                active = [p for p in group["params"] if p.grad is not None]
                if active:
                    self._update(index, active, written)
        if mode.trace is None and written:
            self._compute(written)
        return loss

    def _compute(self, written: list[tuple[Tensor, Node]]) -> None:
        """Compute what a step wrote. When that fails (a bad index in the batch), it is as if there had been no step."""
        try:
            realize_tensors([tensor for tensor, _ in written])
        except Exception:
            with no_grad():
                for tensor, before in reversed(written):
                    tensor._assign(before)
            raise

    def _update(self, index: int, active: list[Tensor], written: list[tuple[Tensor, Node]]) -> None:
        """Record the updates of one group."""
        assert self.rule is not None
        hyper = self._hyper(index)
        slots = self.rule.slots(hyper)
        records = mode.gradients  # a step that is itself differentiated
        self._prepare_state(self.param_groups[index], active, slots, hyper)
        shared: dict[int, Node] = {}  # of state that several parameters share, the value before the step
        new_shared: dict[int, tuple[Tensor, Node]] = {}
        for p in active:
            state = self.state[p]
            before = {
                n: shared.setdefault(id(state[n]), node_of(state[n])) if s.scalar else node_of(state[n])
                for n, s in slots.items()
                if n in state
            }
            new, found = apply_rule(self.rule, node_of(p), node_of(p.grad), before, hyper)  # type: ignore[arg-type]
            written.append((p, p.node))
            p._assign(new, records)
            for name, node in found.items():
                if slots[name].scalar:
                    new_shared[id(state[name])] = (state[name], node)
                else:
                    written.append((state[name], state[name].node))
                    state[name]._assign(node, records)
        for tensor, node in new_shared.values():
            written.append((tensor, tensor.node))
            tensor._assign(node, records)

    def _hyper(self, index: int) -> Hyper:
        """The numbers of a group; each is read anew at every step, also when the step is traced."""
        group = self.param_groups[index]

        def number(name: str) -> Node:
            key, position = _PAIRS.get(name, (name, None))
            value = group[key] if position is None else group[key][position]
            if isinstance(value, Tensor):
                return cast(node_of(value), float64)
            if position is None:
                return changing_number(lambda: float(self.param_groups[index][key]), float64)
            return changing_number(lambda: float(self.param_groups[index][key][position]), float64)

        return Hyper(group, number)

    def _prepare_state(self, group: dict[str, Any], active: list[Tensor], slots: dict[str, Slot], hyper: Hyper) -> None:
        """Make state that does not exist yet, and part scalars from parameters that stand still in this step.

        Values are there at once: a traced function sees state as tensors from outside, and the first step has the
        same structure as those that follow.
        """
        fresh: dict[str, Tensor] = {}
        for p in active:
            state = self.state[p]
            loaded = bool(state)
            for name, slot in slots.items():
                if state.get(name) is not None:
                    continue
                start = float(group[slot.start]) if isinstance(slot.start, str) else slot.start
                if slot.scalar and loaded:
                    start = 1.0 if name == "step" else start  # state from PyTorch that counts no steps
                    state[name] = full((), start, float64)
                elif slot.scalar:
                    fresh.setdefault(name, full((), start, float64))
                elif (shape := slot.shape(tuple(p.shape))) is not None:
                    state[name] = full(shape, start, p.dtype)
            for name in fresh:
                state.setdefault(name, fresh[name])
        scalars = [name for name, slot in slots.items() if slot.scalar]
        if scalars:
            self._part_scalars(group, active, scalars)

    def _part_scalars(self, group: dict[str, Any], active: list[Tensor], scalars: list[str]) -> None:
        moving = {id(p) for p in active}
        idle = {
            id(self.state[p][n])
            for p in group["params"]
            if id(p) not in moving and p in self.state
            for n in scalars
            if n in self.state[p]
        }
        if not idle:
            return
        if mode.trace is not None:  # it happens once, so a trace of it cannot be repeated
            mode.trace.run_lazily("parameters that shared a step count go apart")
            return
        parted: dict[int, Tensor] = {}
        for p in active:
            for name in scalars:
                tensor = self.state[p][name]
                if id(tensor) in idle:
                    self.state[p][name] = parted.setdefault(id(tensor), wrap_buffer(tensor._realize()))

    # ---- saving

    def state_dict(self) -> dict[str, Any]:
        """State and settings, in PyTorch's layout: parameters are numbered in the order of the groups."""
        self._before_state_dict()
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            packed = {k: v for k, v in group.items() if k != "params"}
            groups.append({**packed, "params": [numbers[id(p)] for p in group["params"]]})
        state = {numbers[id(p)]: dict(s) for p, s in self.state.items() if s}
        return self._after_state_dict({"state": state, "param_groups": groups})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take state and settings from `state_dict()` of an optimizer with groups of the same sizes.

        Raises:
            StateError: the groups or the shapes of the state do not fit.
        """
        state_dict = self._before_load(state_dict)
        if not isinstance(state_dict, Mapping) or not {"param_groups", "state"} <= state_dict.keys():
            raise StateError(
                "this is no state of an optimizer: 'state' and 'param_groups' are missing",
                hint="load what optimizer.state_dict() gave",
            )
        groups = state_dict["param_groups"]
        ours = [len(g["params"]) for g in self.param_groups]
        theirs = [len(g["params"]) for g in groups]
        if ours != theirs:
            raise StateError(f"the optimizer has groups of {ours} parameters, the loaded state has {theirs}")
        by_number = {
            n: p
            for g, mine in zip(groups, self.param_groups, strict=True)
            for n, p in zip(g["params"], mine["params"], strict=True)
        }
        loaded = {n: {k: _loaded(v) for k, v in s.items()} for n, s in state_dict["state"].items() if n in by_number}
        for number, values in loaded.items():
            self._check_shapes(number, by_number[number], values)
        with no_grad():
            for group in groups:
                shared: dict[tuple[str, float], Tensor] = {}  # parameters of one group that counted alike go on so
                for number in group["params"]:
                    if number in loaded:
                        self._load_one(by_number[number], loaded[number], shared)
        for number, p in by_number.items():
            if number not in loaded:
                self.state.pop(p, None)
        for mine, group in zip(self.param_groups, groups, strict=True):
            mine.update({k: copy.deepcopy(v) for k, v in group.items() if k != "params"})
        self._after_load()

    def _check_shapes(self, number: int, p: Tensor, values: dict[str, Any]) -> None:
        if self.rule is None:  # the state of a subclass with a step of its own may have any shape
            return
        slots = self.rule.slots(Hyper({}))
        for name, value in values.items():
            if not isinstance(value, Tensor) or not value.ndim:
                continue
            wanted = slots[name].shape(tuple(p.shape)) if name in slots else tuple(p.shape)
            if tuple(value.shape) != wanted:
                raise StateError(
                    f"{name} of parameter {number} has shape {tuple(value.shape)}, "
                    f"{tuple(p.shape) if wanted is None else wanted} is needed for a parameter of {tuple(p.shape)}"
                )

    def _load_one(self, p: Tensor, values: dict[str, Any], shared: dict[tuple[str, float], Tensor]) -> None:
        state = self.state[p]
        for name, value in values.items():
            if not isinstance(value, Tensor):
                state[name] = value
            elif (value.ndim == 0 and p.ndim != 0) or name in _SHARED:
                key = (name, float(value.item()))
                state[name] = shared.setdefault(key, full((), key[1], float64))
            else:
                if not isinstance(state.get(name), Tensor) or state[name].shape != value.shape:
                    state[name] = full(tuple(value.shape), 0, p.dtype)
                state[name]._assign(cast(value.node, p.dtype))
        for name in [n for n in state if n not in values]:
            del state[name]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_jit_methods", "_hooks")}

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {k}: {group[k]}" for k in sorted(group) if k != "params"]
        return "\n".join([*lines, ")"])


def _check_parameter(p: Any, differentiable: bool) -> None:
    if not isinstance(p, Tensor):
        raise ArgumentTypeError(f"an optimizer can only optimize tensors, got {type(p).__name__}")
    if p._requires_grad and not (p.is_leaf or differentiable or p._retains_grad):
        raise GradientError(
            "an optimizer cannot optimize the result of an operation", hint="optimize the tensor it was computed from"
        )


def _loaded(value: Any) -> Any:
    """A value of a loaded state: arrays of other libraries become tensors."""
    if isinstance(value, Tensor) or not hasattr(value, "__array__"):
        return Tensor(float(value)) if isinstance(value, float) else value
    array = value.__array__()
    return Tensor(array, dtype=array.dtype)
