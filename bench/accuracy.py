"""Networks trained to the end in onegraph and in PyTorch: same first weights, same batches, same schedule, one script.

The two take turns, an epoch each, so that both meet the same neighbours on the machine. What is reported is the result on
the test set after each epoch, and the seconds of training until then (testing and making batches is not counted).
Read next: `recipes.py`, `twin.py`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import optional_torch, table
from bench.recipes import RECIPES, Data, Recipe
from onegraph import config

DIVISIONS = 25.0  # first learning rate of the one-cycle schedule: peak / DIVISIONS
WARM = 0.25  # part of the steps in which the rate rises


@dataclass
class Runner:
    """One framework's training run.

    Attributes:
        name: of the framework.
        framework: `onegraph` or `torch`.
        model, optimizer, scheduler: as usual.
        step: trains on a batch, gives the loss.
        logits: of a batch.
        seconds, losses, results: after each epoch: seconds of training so far, mean training loss, result on the test set.
    """

    name: str
    framework: Any
    model: Any
    optimizer: Any
    scheduler: Any
    step: Any
    logits: Any
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    results: list[float] = field(default_factory=list)


def _loss(framework: Any, logits: Any, labels: Any) -> Any:
    logits = logits[0] if isinstance(logits, tuple) else logits
    return framework.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))


def _runner(name: str, framework: Any, recipe: Recipe, model: Any, steps: int) -> Runner:
    optimizer = recipe.optimizer(framework, model.parameters(), recipe.peak / DIVISIONS)
    scheduler = framework.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak, total_steps=steps, pct_start=WARM, div_factor=DIVISIONS, cycle_momentum=False
    )

    def step(x: Any, y: Any) -> Any:
        loss = _loss(framework, model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    if name == "onegraph":
        return Runner(name, framework, model, optimizer, scheduler, framework.jit(step), framework.jit(model))
    return Runner(name, framework, model, optimizer, scheduler, step, model)


def _runners(recipe: Recipe, steps: int, only: str | None) -> list[Runner]:
    """Both frameworks' with the same first weights, or one alone."""
    import onegraph as og
    from bench.twin import twin_of
    from onegraph import zoo

    og.manual_seed(0)
    make = getattr(zoo, recipe.network)
    model = make(**recipe.options)
    weights = {name: np.array(value.numpy()) for name, value in model.state_dict().items()}
    runners = [_runner("onegraph", og, recipe, model, steps)] if only in (None, "onegraph") else []
    if find_spec("torch") and only in (None, "torch"):
        import torch

        theirs = twin_of(make)(**recipe.options)
        theirs.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        if not recipe.text and recipe.network != "lenet5":
            theirs = theirs.to(memory_format=torch.channels_last)
        runners.append(_runner("torch", torch, recipe, theirs, steps))
    return runners


def _train_epoch(runner: Runner, data: Data, epoch: int) -> None:
    runner.model.train()
    seconds, losses = 0.0, []
    for x, y in data.train(epoch):
        tensors = runner.framework.tensor(x), runner.framework.tensor(y)
        start = time.perf_counter()
        losses.append(runner.step(*tensors).item())
        runner.scheduler.step()
        seconds += time.perf_counter() - start
    runner.seconds.append(seconds + (runner.seconds[-1] if runner.seconds else 0.0))
    runner.losses.append(float(np.mean(losses)))


def _test(runner: Runner, recipe: Recipe, data: Data) -> float:
    """Accuracy on images; mean cross entropy of a character (in nats) on text."""
    runner.model.eval()
    framework, total, count = runner.framework, 0.0, 0
    with framework.no_grad():
        for x, y in data.test():
            logits = runner.logits(framework.tensor(x))
            if recipe.text:
                total += _loss(framework, logits, framework.tensor(y)).item() * y.size
            else:
                total += float((logits.numpy().argmax(1) == y).sum())
            count += y.size
    return total / count


def _target(recipe: Recipe, runners: list[Runner]) -> float:
    """What both reached: the worse of the two last results, a little less sharp."""
    last = [runner.results[-1] for runner in runners]
    return max(last) * 1.005 if recipe.text else min(last) - 0.001


def _time_to(recipe: Recipe, runner: Runner, target: float) -> float:
    reached = [r <= target if recipe.text else r >= target for r in runner.results]
    return runner.seconds[reached.index(True)] if any(reached) else math.nan


def report(recipe: Recipe, runners: list[Runner]) -> str:
    """A row a framework."""
    target = _target(recipe, runners)
    show = (lambda r: f"{r:.3f}") if recipe.text else (lambda r: f"{r:.2%}")
    rows = [
        (
            runner.name,
            " ".join(show(r) for r in runner.results),
            f"{runner.losses[-1]:.4f}",
            f"{runner.seconds[-1]:.0f} s",
            f"{_time_to(recipe, runner, target):.0f} s",
        )
        for runner in runners
    ]
    what = "test loss" if recipe.text else "test accuracy"
    return table(("", f"{what}, epoch by epoch", "last training loss", "training", f"time to {show(target)}"), rows)


def run(
    recipe: Recipe, path: Path, epochs: int, limit: int | None, only: str | None, note: Any = print
) -> list[Runner]:
    """Train; says after each epoch how far it is."""
    data = recipe.load(path, recipe.batch, limit)
    runners = _runners(recipe, epochs * data.steps, only)
    for epoch in range(epochs):
        for runner in runners if epoch % 2 == 0 else reversed(runners):
            _train_epoch(runner, data, epoch)
            runner.results.append(_test(runner, recipe, data))
            note(
                f"{recipe.name} epoch {epoch + 1}/{epochs} {runner.name}: training loss {runner.losses[-1]:.4f}, "
                f"test {runner.results[-1]:.4f}, {runner.seconds[-1]:.1f} s",
            )
    return runners


def main(arguments: list[str]) -> int:
    """`python -m bench accuracy NAME --data PATH`."""
    parser = argparse.ArgumentParser(prog="python -m bench accuracy", description=__doc__)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="MNIST's files, or CIFAR-10's folders of images"
    )
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--limit", type=int, help="use so many examples, to see that it runs")
    parser.add_argument("--threads", type=int, default=2, help="of each framework (2)")
    parser.add_argument("--only", choices=("onegraph", "torch"))
    parser.add_argument("--json", type=Path, help="write all numbers to this file as well")
    given = parser.parse_args(arguments)
    recipe = RECIPES[given.name]
    torch = optional_torch()
    if torch is not None:
        torch.set_num_threads(given.threads)
    with config.using(threads=given.threads):
        runners = run(recipe, given.data, given.epochs or recipe.epochs, given.limit, given.only)
    print(f"\n{recipe.title}\n\n{report(recipe, runners)}")
    if given.json:
        numbers = {r.name: {"seconds": r.seconds, "losses": r.losses, "results": r.results} for r in runners}
        given.json.write_text(json.dumps(numbers, indent=1) + "\n")
    return 0
