"""What the compiler makes of a training step: kernels with the lines that they come from, times, a page to look at.

Run it, and open `plan.html` and `trace.json` (in chrome://tracing) in a browser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onegraph as og
from onegraph.profiler import profile, record_function


def main(folder: str | Path = ".", batch: int = 64) -> dict[str, float]:
    """Explain and profile a step of a two-layer network; gives the milliseconds of each step's kernels."""
    folder = Path(folder)
    model = og.nn.Sequential(og.nn.Linear(200, 100), og.nn.ReLU(), og.nn.Linear(100, 10))
    optimizer = og.optim.SGD(model.parameters(), lr=0.1)

    def step(images: Any, labels: Any) -> Any:
        loss = og.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    images, labels = og.randn(batch, 200), og.randint(0, 10, (batch,))

    # What happens: nothing is computed here, and no weight changes.
    explanation = og.explain(step, images, labels)
    print(explanation["kernels"])
    print(explanation["memory"])

    # How long each kernel takes, on made-up values of the same shapes.
    measured = explanation.profile()
    print(measured.table())
    explanation.report(folder / "plan.html")

    # The real thing, with PyTorch's profiler names.
    traced = og.jit(step)
    traced(images, labels).item()
    with profile() as prof:
        for _ in range(5):
            with record_function("step"):
                traced(images, labels).item()
    print(prof.key_averages().table(sort_by="cpu_time_total", row_limit=8))
    prof.export_chrome_trace(folder / "trace.json")
    return {f"{s.number} {s.name}": seconds * 1e3 for s, seconds in measured.steps}


if __name__ == "__main__":
    og.config.update(backend="native")
    main()
