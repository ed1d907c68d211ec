"""The optimizers that are used less often: ASGD, Rprop, SparseAdam, Adafactor and Muon. Read first: `optimizers.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.ops.shapes import show
from onegraph.optim import more_rules
from onegraph.optim.optimizer import Optimizer


class ASGD(Optimizer):
    """Averaged stochastic gradient descent; `state[p]["ax"]` is the average of each parameter.

    Args:
        params: parameters or groups.
        lr: learning rate at first.
        lambd: how fast parameters decay; the rate of step t is lr / (1 + lambd * lr * t) ** alpha.
        alpha: power of that.
        t0: step from which on parameters are averaged; before it, the average is the parameter.
        weight_decay: how much of the parameter is added to the gradient.
        maximize: go up instead of down.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    rule = more_rules.asgd

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )


class Rprop(Optimizer):
    """Steps that grow while a gradient keeps its sign and shrink when it changes; for whole data sets, not for batches.

    Args:
        params: parameters or groups.
        lr: size of the first steps.
        etas: factors of the size when the sign changes, and when it stays.
        step_sizes: smallest and largest size.
        maximize: go up instead of down.

    Source: Riedmiller and Braun, "The RPROP algorithm", 1993.
    """

    rule = more_rules.rprop

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        if not 0 < etas[0] < 1 < etas[1]:
            raise ArgumentError(f"Rprop: etas must be below and above 1, got {etas[0]} and {etas[1]}")
        super().__init__(
            params,
            {
                "lr": lr,
                "etas": etas,
                "step_sizes": step_sizes,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )


class SparseAdam(Optimizer):
    """Adam for tables of which each step uses a few rows: rows without a gradient, and their means, stay as they are.

    Gradients are dense here, and a row counts as unused when its gradient is zero everywhere. (PyTorch's takes sparse
    gradients only, and also moves a row that was looked up and got a gradient of exactly zero.)

    Args:
        params: parameters or groups.
        lr: learning rate.
        betas: how much of the mean and of the mean square of gradients is kept in each step.
        eps: added to the root of the mean square.
        maximize: go up instead of down.
    """

    rule = more_rules.sparse_adam

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})


class Adafactor(Optimizer):
    """Adam's scaling from mean squares that a matrix keeps by rows and by columns, which takes little memory.

    Args:
        params: parameters or groups.
        lr: upper bound of the relative step size.
        beta2_decay: the mean squares of step t keep 1 - t ** beta2_decay.
        eps: floors of the mean square (None: the dtype's rounding step) and of the parameter's scale.
        d: updates are scaled down to a root mean square of at most this.
        weight_decay: how much the parameter itself shrinks, times the rate.
        maximize: go up instead of down.

    Source: Shazeer and Stern, "Adafactor", 2018.
    """

    rule = more_rules.adafactor

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if not beta2_decay <= 0:
            raise ArgumentError(f"Adafactor: beta2_decay must not be positive, got {beta2_decay}")
        if (eps[0] is not None and eps[0] < 0) or eps[1] < 0 or d < 1:
            raise ArgumentError(f"Adafactor: eps must not be negative and d at least 1, got eps={eps} and d={d}")
        super().__init__(
            params,
            {
                "lr": lr,
                "beta2_decay": beta2_decay,
                "eps": eps,
                "d": d,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
            },
        )


class Muon(Optimizer):
    """Momentum made orthogonal, for the matrices of hidden layers; give biases, norms and embeddings to AdamW.

    Args:
        params: matrices, or groups of them.
        lr: learning rate.
        weight_decay: how much the parameter itself shrinks, times the rate.
        momentum: how much of the mean of gradients is kept in each step.
        nesterov: look ahead along the mean.
        ns_coefficients: of the polynomial of the iteration.
        eps: smallest length that a gradient is divided by.
        ns_steps: number of iterations.
        adjust_lr_fn: 'original' (or None): times sqrt(max(1, rows / columns)); 'match_rms_adamw': times
            0.2 * sqrt(max(rows, columns)), so that rates found for AdamW can be used.

    Raises:
        ShapeError: a parameter is no matrix.

    Source: Jordan et al., "Muon", 2024; Liu et al., "Muon is scalable for LLM training", 2025.

    >>> import onegraph as og
    >>> layer = og.nn.Linear(3, 2, bias=False)
    >>> optimizer = og.optim.Muon(layer.parameters(), lr=0.02)
    """

    rule = more_rules.muon

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ArgumentError(f"Muon: adjust_lr_fn must be 'original' or 'match_rms_adamw', got {adjust_lr_fn!r}")
        if not isinstance(ns_steps, int) or not 0 < ns_steps < 100 or len(ns_coefficients) != 3:
            raise ArgumentError(
                f"Muon: ns_steps must be an int from 1 to 99 and ns_coefficients three numbers, "
                f"got {ns_steps!r} and {ns_coefficients!r}"
            )
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": ns_coefficients,
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
            },
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add matrices with settings of their own."""
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.ndim != 2:
                raise ShapeError(
                    f"Muon: takes matrices, got a parameter of shape {show(tuple(p.shape))}",
                    hint="give the other parameters to AdamW",
                )
