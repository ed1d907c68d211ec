"""What is known about networks of the zoo: counted here, measured on this machine, published by others.

Measurements are kept on disk, so that a network is measured once on a machine. Read next: `zoo.py`, which prints them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onegraph as og
from onegraph import config
from onegraph.cli import machine
from onegraph.errors import OneGraphError
from onegraph.frontend.function import jit
from onegraph.inspection import cost
from onegraph.runtime.inspection import inspect
from onegraph.storage.atomic import atomic_write
from onegraph.zoo import Network
from onegraph.zoo.published import published, reported

_RUNS, _SECONDS = 30, 2.0  # at most so many runs, or so long
_IMAGENET = "ImageNet validation"


@dataclass(frozen=True)
class Row:
    """A network in the table.

    Attributes:
        network, family: its name, and what it belongs to.
        size: (height, width) of the images.
        params, mult_adds: numbers of parameters, and of multiply-adds for one image.
        top1, top5: accuracy in percent, of one image without test-time tricks where the source has that; None if unknown.
        source: who states the accuracy, and on what.
        latency: median time of one image in milliseconds, warm; None if not measured.
        memory: bytes of weights and of everything that lives while one image is computed; None if not measured.
    """

    network: str
    family: str
    size: tuple[int, int]
    params: int
    mult_adds: int
    top1: float | None = None
    top5: float | None = None
    source: str = ""
    latency: float | None = None
    memory: int | None = None


def row_of(found: Network, best: bool = False) -> Row:
    """Everything but measurements.

    Args:
        found: a network that classifies images.
        best: state the accuracy of the best published weights instead of those of the original recipe.
    """
    model = found.make()
    counted = cost(model, (1, found.in_channels, *found.input_size))
    return Row(
        found.name, found.family, found.input_size, counted.params, counted.mult_adds, *accuracy(found.name, best)
    )


def accuracy(name: str, best: bool = False) -> tuple[float | None, float | None, str]:
    """Published top-1 and top-5 accuracy in percent, and the source: of weights that exist, or else of the paper."""
    weights = [entry for entry in published(name) if entry.layout == "torchvision"] or published(name)
    if weights:
        entry = max(weights, key=lambda e: e.top1) if best else weights[0]
        return entry.top1, entry.top5, f"{entry.source} {entry.name}"
    errors = reported(name)
    if not errors:
        return None, None, ""
    dataset = errors[0].dataset
    found = {e.measure: e for e in errors if e.dataset == dataset}
    values = [round(100 - found[m].value, 2) if m in found else None for m in ("top1_error", "top5_error")]
    suffix = "" if dataset == _IMAGENET else f", on {dataset}"
    return values[0], values[1], f"{errors[0].source}{suffix}"


# ---- measurements


def measured(row: Row, found: Network, again: bool = False) -> Row:
    """The row with latency and memory on this machine: kept ones if there are any.

    Args:
        row: from `row_of`.
        found: the network.
        again: measure anew.
    """
    kept = _read_kept()
    key = _key(found.name)
    if again or key not in kept:
        latency, memory = measure(found)
        kept = {**_read_kept(), key: {"latency": latency, "memory": memory}}
        _write_kept(kept)
    return dataclasses.replace(row, latency=kept[key]["latency"], memory=kept[key]["memory"])


def measure(found: Network) -> tuple[float, int]:
    """Milliseconds for one image (median of warm runs), and bytes that it takes.

    Memory is that of parameters and buffers, of the image, and of the arena in which a plan keeps what it computes; the
    reference backend has no arena, and counts the results of all layers.
    """
    shape = (1, found.in_channels, *found.input_size)
    model = found.make().eval()
    image = og.rand(*shape)
    with og.no_grad():
        call = jit(model)
        call(image).numpy()
        times: list[float] = []
        started = time.perf_counter()
        while len(times) < _RUNS and (len(times) < 3 or time.perf_counter() - started < _SECONDS):
            before = time.perf_counter()
            call(image).numpy()
            times.append(time.perf_counter() - before)
        plan = call.lower(image).compile()
    counted = cost(model, shape)
    taken = inspect(plan)
    inner = taken.arena_bytes if taken.steps else counted.activation_bytes
    return 1000 * statistics.median(times), counted.param_bytes + inner + 4 * image.numel()


def _key(name: str) -> str:
    """The network, this version, and what of the machine decides on speed."""
    processor, target = machine.code_generator_target()
    settings = config.settings
    parts = (og.__version__, settings.backend, settings.threads, settings.target, processor, target)
    return f"{name} {hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _file() -> Path:
    return Path(config.settings.cache_folder, "zoo.json")


def _read_kept() -> dict[str, Any]:
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_kept(kept: dict[str, Any]) -> None:
    """Keep measurements; without a folder that can be written they are not kept."""
    if not config.settings.cache:
        return
    try:
        os.makedirs(_file().parent, mode=0o700, exist_ok=True)
        with atomic_write(_file()) as file:
            file.write((json.dumps(kept, indent=1) + "\n").encode())
    except (OSError, OneGraphError):
        return
