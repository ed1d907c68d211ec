"""L-BFGS. It looks at losses and gradients while it works, so it runs on the host, between plans that compute the loss.

Source: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; two-loop recursion:
Nocedal and Wright, Numerical Optimization, algorithm 7.4.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, StateError, TraceError
from onegraph.frontend.state import enable_grad, mode, no_grad
from onegraph.frontend.tensor import Tensor, realize_tensors, tensor_from_array
from onegraph.ir.dtype import float32, float64
from onegraph.ops.cast import cast
from onegraph.optim.line_search import Point, StrongWolfe
from onegraph.optim.optimizer import Optimizer

Vector = np.ndarray[Any, Any]


class LBFGS(Optimizer):
    """A quasi-Newton method: `step` takes a closure that computes the loss with `backward`, and calls it several times.

    Args:
        params: parameters, in one group.
        lr: length of the steps.
        max_iter: iterations in one call of `step`.
        max_eval: evaluations of the closure in one call; by default max_iter * 1.25.
        tolerance_grad: stop when no gradient is larger.
        tolerance_change: stop when parameters and loss change less.
        history_size: number of earlier steps that shape the next.
        line_search_fn: None for steps of length lr, or 'strong_wolfe' for a search along each direction.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if line_search_fn not in (None, "strong_wolfe"):
            raise ArgumentError(f"LBFGS: line_search_fn must be None or 'strong_wolfe', got {line_search_fn!r}")
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )
        if len(self.param_groups) != 1:
            raise ArgumentError("LBFGS: takes one parameter group")
        self.params: list[Tensor] = self.param_groups[0]["params"]
        wide = any(p.dtype is float64 for p in self.params)
        self.dtype = np.dtype(np.float64 if wide else np.float32)

    # ---- parameters as one vector

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[Any, float, Vector]:
        """The loss, its value, and the gradient as one vector."""
        with enable_grad():
            loss = closure()
        found = [p.grad for p in self.params if p.grad is not None]
        if isinstance(loss, Tensor):
            found.append(loss)
        realize_tensors(found)
        parts = [
            np.zeros(p.shape.numel(), self.dtype) if p.grad is None else p.grad._array().reshape(-1).astype(self.dtype)
            for p in self.params
        ]
        return loss, float(loss.detach().item() if isinstance(loss, Tensor) else loss), np.concatenate(parts)

    def _move(self, change: Vector) -> None:
        """Add a vector to the parameters."""
        start = 0
        with no_grad():
            for p in self.params:
                stop = start + p.shape.numel()
                values = p._array().astype(self.dtype) + change[start:stop].reshape(p.shape)
                moved = tensor_from_array(values, float64 if self.dtype == np.float64 else float32)
                p._assign(cast(moved.node, p.dtype))
                start = stop

    # ---- one step

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do up to `max_iter` iterations; returns the first loss."""
        if closure is None:
            raise ArgumentError("LBFGS: step needs a closure that computes the loss", hint="optimizer.step(closure)")
        if mode.trace is not None:
            raise TraceError("LBFGS looks at values, so its step cannot be traced", hint="trace the closure instead")
        group, state = self.param_groups[0], self.state[self.params[0]]
        first, loss, gradient = self._evaluate(closure)
        state.setdefault("n_iter", 0)
        state["func_evals"] = state.get("func_evals", 0) + 1
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            if np.abs(gradient).max() <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            self._next_direction(state, gradient, group["history_size"])
            before = state["prev_loss"] = loss
            short = min(1.0, 1.0 / float(np.abs(gradient).sum())) if state["n_iter"] == 1 else 1.0
            state["t"] = short * float(group["lr"])
            if float(gradient @ state["d"]) > -group["tolerance_change"]:
                break
            if group["line_search_fn"] is not None:
                loss, gradient, count = self._search(closure, state, loss, gradient, group["tolerance_change"])
                change = self._change(state)
            else:
                change = self._change(state)
                self._move(change)
                count = 0
                if iteration != group["max_iter"]:
                    _, loss, gradient = self._evaluate(closure)
                    count = 1
            evaluations += count
            state["func_evals"] += count
            if iteration == group["max_iter"]:
                break
            small = min(float(np.abs(change).max()), abs(loss - before))
            if evaluations >= group["max_eval"] or small <= group["tolerance_change"]:
                break
        realize_tensors(self.params)
        return first

    def _change(self, state: dict[str, Any]) -> Vector:
        return (state["d"] * self.dtype.type(state["t"])).astype(self.dtype)

    def _search(
        self, closure: Callable[[], Any], state: dict[str, Any], loss: float, gradient: Vector, smallest: float
    ) -> tuple[float, Vector, int]:
        """Choose the step's length and take it; gives loss and gradient there, and how often the closure was called."""
        before = [p.detach().clone() for p in self.params]

        def place(length: float) -> None:
            with no_grad():
                for p, first in zip(self.params, before, strict=True):
                    p.copy_(first)
            state["t"] = length
            self._move(self._change(state))

        def evaluate(length: float) -> tuple[float, Vector]:
            place(length)
            return self._evaluate(closure)[1:]

        start = Point(0.0, loss, gradient, float(gradient @ state["d"]))
        search = StrongWolfe(evaluate, state["d"], start, smallest)
        found = search.search(state["t"])
        place(found.length)
        return found.loss, found.gradient, search.evaluations

    def _next_direction(self, state: dict[str, Any], gradient: Vector, history_size: int) -> None:
        """Set `d`, minus the gradient times an estimate of the inverse of the second derivatives."""
        if state["n_iter"] == 1:
            state.update(d=-gradient, old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
        else:
            y = gradient - state["prev_flat_grad"]
            s = self._change(state)
            curvature = float(y @ s)
            if curvature > 1e-10:
                if len(state["ro"]) == history_size:
                    for name in ("old_dirs", "old_stps", "ro"):
                        state[name].pop(0)
                state["old_dirs"].append(y)
                state["old_stps"].append(s)
                state["ro"].append(1.0 / curvature)
                state["H_diag"] = curvature / float(y @ y)
            state["d"] = self._two_loops(state, gradient)
        state["prev_flat_grad"] = gradient

    def _two_loops(self, state: dict[str, Any], gradient: Vector) -> Vector:
        history = list(zip(state["old_dirs"], state["old_stps"], state["ro"], strict=True))
        q, weights = -gradient, []
        for y, s, ro in reversed(history):
            weights.append(float(s @ q) * ro)
            q = q - self.dtype.type(weights[-1]) * y
        r = q * self.dtype.type(state["H_diag"])
        for (y, s, ro), weight in zip(history, reversed(weights), strict=True):
            r = r + s * self.dtype.type(weight - float(y @ r) * ro)
        return r

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take state and settings from `state_dict()`."""
        state_dict = self._before_load(state_dict)
        groups = state_dict["param_groups"]
        if len(groups) != 1 or len(groups[0]["params"]) != len(self.params):
            raise StateError(f"LBFGS: the loaded state is not of one group of {len(self.params)} parameters")
        self.state[self.params[0]] = {k: _host(v) for k, v in state_dict["state"].get(0, {}).items()}
        self.param_groups[0].update({k: copy.deepcopy(v) for k, v in groups[0].items() if k != "params"})
        self._after_load()

    def state_dict(self) -> dict[str, Any]:
        """State and settings, in PyTorch's layout, vectors as tensors."""
        state = super().state_dict()
        return {**state, "state": {n: {k: _tensors(v) for k, v in s.items()} for n, s in state["state"].items()}}


def _tensors(value: Any) -> Any:
    """Vectors as tensors."""
    if isinstance(value, list):
        return [_tensors(v) for v in value]
    if isinstance(value, np.ndarray):
        return tensor_from_array(value.copy(), float64 if value.dtype == np.float64 else float32)
    return value


def _host(value: Any) -> Any:
    """Vectors as NumPy arrays of our own."""
    if isinstance(value, list):
        return [_host(v) for v in value]
    return np.array(value) if hasattr(value, "__array__") else value
