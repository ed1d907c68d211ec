"""Training follows PyTorch's: same data, same first weights, same order, 200 steps.

What "follows" means: both frameworks round in float32, each in its own order, and training lets such noise grow. How much it
may grow is measured, not guessed: PyTorch trains once more in float64, and at every step our loss may be away from that curve
by a few times what PyTorch's own float32 loss has been away so far. Two draws of the same noise seldom differ by more; a
wrong gradient, momentum or decay is away by orders of magnitude. The noise itself must stay small, or the test would prove
nothing. Read next: `bench/twin.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from bench.recipes import text_of_python
from bench.twin import twin_of
from onegraph import zoo
from onegraph.data import arrays_from

torch = pytest.importorskip("torch")

STEPS = 200
TIMES = 8.0  # ours may be so many times as far from float64 as PyTorch's float32
FLOOR = 5e-7  # of the loss: what rounding a mean of float32 numbers leaves in any case
LARGEST_NOISE = 0.03  # of the first loss

Batch = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
OPTIMIZERS: dict[str, Callable[[Any, Any, float], Any]] = {
    "sgd": lambda framework, parameters, pace: framework.optim.SGD(
        parameters, lr=0.02 * pace, momentum=0.9, weight_decay=1e-4
    ),
    "adam": lambda framework, parameters, pace: framework.optim.Adam(parameters, lr=5e-4 * pace),
    "adamw": lambda framework, parameters, pace: framework.optim.AdamW(parameters, lr=5e-4 * pace, weight_decay=0.1),
}


def images(size: int, channels: int, batch: int) -> Iterator[Batch]:
    """Digits, in an order that depends on nothing."""
    pictures, labels = arrays_from("digits", size=size, channels=channels).arrays("train")
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        chosen = rng.integers(0, len(labels), batch)
        yield (pictures[chosen] - 0.3) / 0.4, labels[chosen]


def text(batch: int, length: int) -> Iterator[Batch]:
    numbers = np.frombuffer(text_of_python()[:20_000].encode("ascii", "replace"), np.uint8).astype(np.int64)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        places = rng.integers(0, len(numbers) - length - 1, batch)[:, None] + np.arange(length)
        yield numbers[places], numbers[places + 1]


# The network, its options, its batches, and its pace: normalization over small batches makes noise grow fast.
CASES: dict[str, tuple[Callable[..., Any], dict[str, Any], Callable[[], Iterator[Batch]], float]] = {
    "lenet5": (zoo.lenet5, {}, lambda: images(32, 1, 32), 1.0),
    "resnet20": (zoo.resnet20, {}, lambda: images(16, 3, 32), 0.1),
    "gpt": (
        zoo.gpt,
        {"vocabulary": 128, "width": 64, "layers": 2, "heads": 4, "context": 32},
        lambda: text(batch=8, length=32),
        1.0,
    ),
}


def curve(framework: Any, model: Any, optimizer: Any, batches: Iterator[Batch], dtype: Any) -> np.ndarray[Any, Any]:
    """The loss of every step."""

    def step(x: Any, y: Any) -> Any:
        logits = model(x)
        loss = framework.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    run = framework.jit(step) if framework is og else step
    model.train()
    losses = []
    for x, y in batches:
        x = x.astype(dtype) if x.dtype.kind == "f" else x
        losses.append(run(framework.tensor(x), framework.tensor(y)).item())
    return np.array(losses)


def deviations(network: str, optimizer: str) -> tuple[Any, Any, Any]:
    """Our distance from PyTorch's float64 curve, its own float32 distance so far, and the float64 curve."""
    make, options, batches, pace = CASES[network]
    og.manual_seed(1)
    model = make(**options)
    weights = {name: np.array(value.numpy()) for name, value in model.state_dict().items()}

    def theirs(double: bool) -> Any:
        twin = twin_of(make)(**options)
        twin.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        twin = twin.double() if double else twin
        found = OPTIMIZERS[optimizer](torch, twin.parameters(), pace)
        return curve(torch, twin, found, batches(), np.float64 if double else np.float32)

    exact, single = theirs(double=True), theirs(double=False)
    ours = curve(og, model, OPTIMIZERS[optimizer](og, model.parameters(), pace), batches(), np.float32)
    return np.abs(ours - exact), np.maximum.accumulate(np.abs(single - exact)), exact


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", CASES)
def test_losses_follow_those_of_pytorch(network: str, optimizer: str) -> None:
    ours, noise, exact = deviations(network, optimizer)
    assert exact[-20:].mean() < 0.8 * exact[0], "it must learn something"
    assert noise[-1] < LARGEST_NOISE * exact[0], "noise this large would hide mistakes"
    allowed = TIMES * noise + FLOOR * exact[0]
    worst = int(np.argmax(ours / allowed))
    assert (ours <= allowed).all(), f"step {worst}: {ours[worst]:.2e} away, {allowed[worst]:.2e} allowed"
