"""Inference: the forward pass of a trained network, beside PyTorch's variants.

Read next: `operators.py`.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from bench.contest import Contest, Contestant, check
from bench.models import copy_arrays, first_arrays
from bench.work import Work, find_work


def our_forward(work: Work) -> tuple[Contestant, Any]:
    """onegraph's forward pass under jit: a contestant, and a function that gives the logits as an array."""
    import onegraph as og

    model = work.make(og)
    copy_arrays(og, model, first_arrays(model)).eval()
    x = og.tensor(work.batch(np.random.default_rng(1))[0])

    @og.jit
    def forward(x: Any) -> Any:
        with og.inference_mode():
            return model(x)

    return (lambda: og.eval(forward(x))), (lambda: forward(x).numpy())


def their_forward(work: Work, variant: str) -> tuple[Contestant, Any]:
    """PyTorch's forward pass: a contestant, and a function that gives the logits as an array."""
    import torch

    torch.set_num_threads(2)
    model = work.make(torch)
    copy_arrays(torch, model, first_arrays(model)).eval()
    x = torch.from_numpy(work.batch(np.random.default_rng(1))[0])
    if "channels-last" in variant:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "frozen" in variant:
            model = torch.jit.optimize_for_inference(torch.jit.trace(model, x))
        if "compiled" in variant:
            torch._inductor.config.freezing = True  # weights become constants, packed once
            model = torch.compile(model)

    def forward() -> Any:
        with torch.inference_mode():
            return model(x)

    return forward, lambda: forward().numpy()


def inference(name: str, number: int, quick: bool) -> Contest:
    """The contest of a model's forward pass."""
    work = find_work(name, number, quick)

    def variant(which: str) -> Any:
        return lambda: their_forward(work, which)[0]

    def agree() -> str:
        return check("logits", our_forward(work)[1](), their_forward(work, "eager")[1]())

    names = ("eager", "channels-last", "frozen", "frozen channels-last", "compiled", "compiled channels-last")
    return Contest(lambda: our_forward(work)[0], {which: variant(which) for which in names}, agree)
