"""One window of 7 by 7 or three of 3 by 3: weights, multiply-adds and time on one core, forward and in training.

    python -m bench.small_filters [REPEATS]     writes a table to paste into docs/why-small-filters.md

Read next: `docs/why-small-filters.md`.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import onegraph as og
from onegraph import nn
from onegraph.inspection import cost

SIZE = 28
CHANNELS = (32, 64, 128, 256)


def one_7x7(c: int) -> nn.Module:
    """A single convolution."""
    return nn.Sequential(nn.Conv2d(c, c, 7, padding=3, bias=False), nn.ReLU())


def three_3x3(c: int) -> nn.Module:
    """Three convolutions that see as much of the image."""
    return nn.Sequential(*(m for _ in range(3) for m in (nn.Conv2d(c, c, 3, padding=1, bias=False), nn.ReLU())))


def bottleneck(c: int) -> nn.Module:
    """Down to half the channels, 3 by 3, and up again."""
    half = c // 2
    return nn.Sequential(
        nn.Conv2d(c, half, 1, bias=False), nn.ReLU(), nn.Conv2d(half, half, 3, padding=1, bias=False), nn.ReLU(),
        nn.Conv2d(half, c, 1, bias=False), nn.ReLU(),
    )  # fmt: skip


def depthwise(c: int) -> nn.Module:
    """3 by 3 within each channel, then 1 by 1 over all of them."""
    return nn.Sequential(
        nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False), nn.ReLU(), nn.Conv2d(c, c, 1, bias=False), nn.ReLU()
    )


def one_3x3(c: int) -> nn.Module:
    """What bottleneck and depthwise stand in for."""
    return nn.Sequential(nn.Conv2d(c, c, 3, padding=1, bias=False), nn.ReLU())


BLOCKS = (one_7x7, three_3x3, one_3x3, bottleneck, depthwise)


def fastest(call: Any, repeats: int) -> float:
    """Milliseconds of processor time of the fastest of some warm runs, so that it matters little what else is running."""
    call()
    times = []
    for _ in range(repeats):
        before = time.process_time()
        call()
        times.append(time.process_time() - before)
    return 1000 * min(times)


def measure(make: Any, channels: int, repeats: int) -> tuple[float, float]:
    """Milliseconds forward and of a training step (forward, gradients of weights and input) for one image."""
    model = make(channels)
    x = og.randn(1, channels, SIZE, SIZE, requires_grad=True)
    forward = og.jit(model)
    parameters = list(model.parameters())

    @og.jit
    def training(image: og.Tensor) -> Any:
        return og.autograd.grad(model(image).sum(), [image, *parameters])

    def run_forward() -> None:
        with og.no_grad():
            forward(x).numpy()

    def run_training() -> None:
        og.eval(list(training(x)))

    return fastest(run_forward, repeats), fastest(run_training, repeats)


def main() -> None:
    """Print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    og.config.update(threads=1)
    print("| block | C | weights | multiply-adds | forward, ms | training step, ms |\n|---|---|---|---|---|---|")
    for channels in CHANNELS:
        for make in BLOCKS:
            found = cost(make(channels), (1, channels, SIZE, SIZE))
            forward, training = measure(make, channels, repeats)
            name = make.__name__.replace("_", " ")
            print(
                f"| {name} | {channels} | {found.params:,} | {found.mult_adds / 1e6:,.1f} M | {forward:.2f} | {training:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
