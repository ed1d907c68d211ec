"""Training steps: forward, loss, backward and update, under jit and in a plain loop, beside PyTorch's variants.

Read next: `inference.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.contest import Contest, Contestant, check
from bench.models import copy_arrays, first_arrays
from bench.work import Work, find_work

N, D, H = 64, 1000, 100  # the two-layer network: batch, inputs and outputs, hidden
STEPS_COMPARED = 3
STEPS_IN_HALF = 10  # fewer lower the loss by less than bfloat16 rounds it
NORM = 0.3  # the mean weight of normalizations, see `first_arrays`


def _batch(work: Work) -> tuple[Any, Any]:
    return work.batch(np.random.default_rng(1))


def our_step(work: Work, jit: bool = True, half: bool = False) -> Contestant:
    """One step of onegraph, which returns the loss."""
    import onegraph as og

    arrays_x, arrays_y = _batch(work)
    model = work.make(og)
    copy_arrays(og, model, first_arrays(model, NORM))
    optimizer = work.optimize(og, model.parameters())
    x, y = og.tensor(arrays_x), og.tensor(arrays_y)
    autocast = (lambda: og.autocast("cpu", dtype=og.bfloat16)) if half else contextlib.nullcontext

    def step(x: Any, y: Any) -> Any:
        with autocast():
            loss = work.loss(og, model, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = og.jit(step) if jit else step
    return lambda: run(x, y).item()


def their_step(work: Work, compiled: bool = False, last: bool = False, half: bool = False) -> Contestant:
    """One step of PyTorch; its optimizers are the fused ones, which are its fastest."""
    import torch

    torch.set_num_threads(2)
    arrays_x, arrays_y = _batch(work)
    model = work.make(torch)
    copy_arrays(torch, model, first_arrays(model, NORM))
    x, y = torch.from_numpy(arrays_x), torch.from_numpy(arrays_y)
    if last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = work.optimize(torch, model.parameters(), fused=True)
    autocast = (lambda: torch.autocast("cpu", dtype=torch.bfloat16)) if half else contextlib.nullcontext

    def forward(x: Any, y: Any) -> Any:
        with autocast():
            return work.loss(torch, model, x, y)

    compute = torch.compile(forward) if compiled else forward

    def step() -> float:
        loss = compute(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def gradients(framework: Any, work: Work) -> dict[str, Any]:
    """The gradients of a first step as arrays, and the logits under the name "logits"."""
    arrays_x, arrays_y = _batch(work)
    model = work.make(framework)
    copy_arrays(framework, model, first_arrays(model, NORM))
    x, y = framework.tensor(arrays_x), framework.tensor(arrays_y)
    work.loss(framework, model, x, y).backward()
    found = {name: np.array(p.grad.numpy()) for name, p in model.named_parameters()}
    return {**found, "logits": model(x).detach().numpy()}


def same_losses(ours: Contestant, theirs: Contestant, tolerance: float = 1e-4) -> str:
    """Compare the first loss, and how far the next steps lower it.

    The loss of an untrained network hardly depends on its weights, so it alone proves little; its fall is the square of
    the gradient, times the rate.
    """
    losses = [(float(ours()), float(theirs())) for _ in range(STEPS_COMPARED)]  # type: ignore[arg-type]
    notes = [check("first losses", *losses[0], tolerance)]
    for number, loss in enumerate(losses[1:], 2):
        fall = [first - later for first, later in zip(losses[0], loss, strict=True)]
        # ReLUs that rounding switches move gradients of random networks by some per cent.
        notes.append(check(f"falls of the loss to step {number}", *fall, max(0.02, 50 * tolerance)))
    return "; ".join(notes)


def same_descent(ours: Contestant, theirs: Contestant, tolerance: float) -> str:
    """Compare the losses of several steps in half precision, and how far they fall in all."""
    losses = [(float(ours()), float(theirs())) for _ in range(STEPS_IN_HALF)]  # type: ignore[arg-type]
    for number, loss in enumerate(losses, 1):
        check(f"losses of step {number}", *loss, tolerance)
    fall = [first - last for first, last in zip(losses[0], losses[-1], strict=True)]
    return check(f"falls of the loss to step {STEPS_IN_HALF}", *fall, 25 * tolerance)


def training(name: str, number: int, quick: bool, jit: bool = True) -> Contest:
    """The contest of a model's training step."""
    work = find_work(name, number, quick)
    theirs = {
        "eager": lambda: their_step(work),
        "compiled": lambda: their_step(work, compiled=True),
    }
    if work.image:
        theirs["channels-last"] = lambda: their_step(work, last=True)
        theirs["compiled channels-last"] = lambda: their_step(work, compiled=True, last=True)
    return Contest(
        ours=lambda: our_step(work, jit),
        theirs=theirs,
        agree=lambda: same_losses(our_step(work, jit), their_step(work)),
    )


def half_training(name: str, number: int, quick: bool) -> Contest:
    """The contest of a training step in bfloat16 by autocast."""
    import onegraph as og

    work = find_work(name, number, quick)
    theirs = {
        "eager": lambda: their_step(work, half=True),
        "channels-last": lambda: their_step(work, last=True, half=True),
        "compiled": lambda: their_step(work, compiled=True, half=True),
        "compiled channels-last": lambda: their_step(work, compiled=True, last=True, half=True),
    }
    return Contest(
        ours=lambda: our_step(work, half=True),
        theirs=theirs,
        agree=lambda: same_descent(our_step(work, half=True), their_step(work, half=True), 0.01),
        missing="" if hasattr(og, "autocast") else "onegraph.autocast is not there",
    )


# ------------------------------------------------------------------------- the two-layer network, without modules


def two_layer_step(framework: Any, jit: bool, quick: bool, wrap: Callable[[Any], Any] = lambda f: f) -> Contestant:
    """A step on bare tensors: the lines are the same for both frameworks.

    Args:
        framework: `torch` or `onegraph`.
        jit: trace the whole step, which only onegraph can.
        quick: tiny sizes.
        wrap: what is done to the function that computes the loss, such as `torch.compile`.
    """
    n, d, h = (4, 6, 5) if quick else (N, D, H)
    rng = np.random.default_rng(0)

    def array(*shape: int) -> Any:
        return framework.tensor(rng.standard_normal(shape, np.float32))

    x, y = array(n, d), array(n, d)
    w1, w2 = array(d, h).requires_grad_(), array(h, d).requires_grad_()

    def compute(x: Any, y: Any) -> Any:
        return ((framework.relu(x @ w1) @ w2 - y) ** 2).sum(1).mean()

    compute = wrap(compute)

    def step(x: Any, y: Any) -> Any:
        loss = compute(x, y)
        loss.backward()
        with framework.no_grad():
            for w in (w1, w2):
                w -= 1e-6 * w.grad
                w.grad = None
        return loss

    run = framework.jit(step) if jit else step
    return lambda: run(x, y).item()


def two_layer(quick: bool, jit: bool = True) -> Contest:
    """The contest of the two-layer network."""

    def ours() -> Contestant:
        import onegraph as og

        return two_layer_step(og, jit, quick)

    def eager() -> Contestant:
        import torch

        torch.set_num_threads(2)
        return two_layer_step(torch, False, quick)

    def compiled() -> Contestant:
        import torch

        torch.set_num_threads(2)
        return two_layer_step(torch, False, quick, torch.compile)

    return Contest(ours, {"eager": eager, "compiled": compiled}, lambda: same_losses(ours(), eager()))
