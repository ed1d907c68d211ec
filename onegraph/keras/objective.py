"""What a compiled model minimizes and reports: losses and metrics of each output, matched to targets.

Read next: `training.py`, which calls this inside the traced step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, DataError, OutOfRangeError
from onegraph.keras import losses as losses_module
from onegraph.keras import metrics as metrics_module
from onegraph.keras.layers.symbolic import flatten
from onegraph.keras.metrics import Mean, Metric


class Objective:
    """Losses and metrics by output.

    Args:
        loss: a name, function or `Loss`; or a list or dict of them, one an output; None for penalties only.
        metrics: a list of names, functions and `Metric`s; with several outputs a list or dict of lists.
        loss_weights: factors of the losses, as a list or dict.
        weighted_metrics: metrics that sample weights apply to.
    """

    def __init__(self, loss: Any, metrics: Any, loss_weights: Any, weighted_metrics: Any) -> None:
        self.given = {
            "loss": loss,
            "metrics": metrics,
            "loss_weights": loss_weights,
            "weighted_metrics": weighted_metrics,
        }
        for single in flatten(loss):  # unknown names are refused at once
            losses_module.get(single)
        for single in (*flatten(metrics), *flatten(weighted_metrics)):
            if isinstance(single, str) and single not in ("acc", "accuracy", "ce", "crossentropy"):
                metrics_module.get(single)
        self.total = Mean("loss")
        self.names: list[str] = []
        self.losses: list[Any] = []
        self.factors: list[float] = []
        self.trackers: list[Mean] = []
        self.metrics: list[list[tuple[Metric, bool]]] = []
        self._sizes: Any = None
        self._classes: list[int] = []

    # ---- once the outputs are known

    def build(self, names: Sequence[str], output_shapes: Sequence[Any], targets: Any) -> None:
        """Resolve names, now that the outputs' names and shapes and the targets' shapes are known."""
        self.names = list(names) or [f"output_{i + 1}" for i in range(len(output_shapes))]
        if len(self.names) == 1 and len(output_shapes) == 1:
            self.names = self.names[:1]
        self.losses = [losses_module.loss_object(v) for v in self._for_outputs("loss", self.given["loss"])]
        self.factors = [
            1.0 if v is None else float(v) for v in self._for_outputs("loss_weights", self.given["loss_weights"])
        ]
        shapes = [None if t is None else tuple(t.shape) for t in self.match(targets)]
        several = len(self.names) > 1
        self.trackers = [Mean(f"{name}_loss") for name in self.names] if several else []
        self.metrics = []
        for i, name in enumerate(self.names):
            found = []
            for kind in ("metrics", "weighted_metrics"):
                for item in self._metrics_for(kind, i):
                    metric = self._resolve(item, shapes[i], output_shapes[i])
                    if several and not metric.name.startswith(f"{name}_"):
                        metric.name = f"{name}_{metric.name}"
                    found.append((metric, kind == "weighted_metrics"))
            self.metrics.append(found)
        self._check_names()
        self._classes = [int(shape[-1]) if shape and shape[-1] else 0 for shape in output_shapes]
        self._sizes = _sizes_of(targets)

    def fits(self, targets: Any) -> bool:
        """Whether it was built for targets of these sizes."""
        return self._sizes is not None and self._sizes == _sizes_of(targets)

    def _check_names(self) -> None:
        seen: dict[str, int] = {}
        for metric, _ in (pair for found in self.metrics for pair in found):
            count = seen[metric.name] = seen.get(metric.name, 0) + 1
            if count > 1:
                metric.name = f"{metric.name}_{count - 1}"

    def _for_outputs(self, what: str, value: Any) -> list[Any]:
        count = len(self.names)
        if isinstance(value, dict):
            unknown = [k for k in value if k not in self.names]
            if unknown:
                raise ArgumentError(
                    f"compile: {what} has {unknown[0]!r}, the model's outputs are {', '.join(self.names)}"
                )
            return [value.get(n) for n in self.names]
        if isinstance(value, (list, tuple)):
            if len(value) != count:
                raise ArgumentError(
                    f"compile: {what} has {len(value)} entries, the model has {count} outputs ({', '.join(self.names)})"
                )
            return list(value)
        return [value] * count

    def _metrics_for(self, kind: str, index: int) -> list[Any]:
        value = self.given[kind]
        if value is None:
            return []
        if isinstance(value, dict) or (
            isinstance(value, (list, tuple)) and any(isinstance(v, (list, tuple)) for v in value)
        ):
            value = self._for_outputs(kind, value)[index]
        return [v for v in (value if isinstance(value, (list, tuple)) else [value]) if v is not None]

    def _resolve(self, item: Any, target_shape: Any, output_shape: Any) -> Metric:
        if item in ("acc", "accuracy", "ce", "crossentropy"):
            make = metrics_module.accuracy_for if item in ("acc", "accuracy") else metrics_module.crossentropy_for
            return make(target_shape or output_shape, output_shape, item)
        return metrics_module.get(item)  # type: ignore[no-any-return]

    def run(self, step: Callable[..., Any], batch: Any) -> Any:
        """Run a step; class numbers that the model has no output for are named as such.

        Raises:
            DataError: a target is no class number of the output that it belongs to.
        """
        try:
            return step(*batch)
        except OutOfRangeError as error:
            for loss, y, classes in zip(self.losses, self.match(batch[1]), self._classes, strict=True):
                if y is not None and "sparse" in getattr(loss, "name", ""):
                    numbers = np.asarray(y.detach().numpy())
                    wrong = numbers[(numbers < 0) | (numbers >= classes)]
                    if wrong.size:
                        raise DataError(
                            f"{loss.name}: a target has class number {wrong.flat[0]:g}, the model's output has {classes} "
                            f"classes, counted from 0 to {classes - 1}",
                            hint="start the class numbers at 0, or give the last layer an output for each class",
                            location=error.location,
                        ) from error
            raise

    # ---- in each step

    def match(self, value: Any) -> list[Any]:
        """Targets or weights in the order of the outputs; None where there is none."""
        if isinstance(value, dict):
            unknown = [k for k in value if k not in self.names]
            if unknown:
                raise DataError(
                    f"there are targets for {unknown[0]!r}, the model's outputs are {', '.join(self.names)}"
                )
            return [value.get(n) for n in self.names]
        found = [value] if value is None else list(flatten(value))
        if len(found) == 1 and len(self.names) > 1 and found[0] is None:
            found *= len(self.names)
        if len(found) != len(self.names):
            raise DataError(
                f"{len(found)} targets were given, the model has {len(self.names)} outputs ({', '.join(self.names)})"
            )
        return found

    def _weights(self, value: Any) -> list[Any]:
        if value is None or isinstance(value, (dict, list, tuple)):
            return self.match(value)
        return [value] * len(self.names)

    def compute(self, targets: Any, outputs: Any, weights: Any) -> tuple[Any, list[Any]]:
        """The weighted sum of the losses, and each loss; (None, ...) when there are none."""
        total: Any = None
        parts: list[Any] = []
        for loss, factor, y, output, w in zip(
            self.losses, self.factors, self.match(targets), flatten(outputs), self._weights(weights), strict=True
        ):
            if loss is None:
                parts.append(None)
                continue
            if y is None:
                raise DataError("the model is compiled with a loss, but there are no targets y")
            if output.dtype.name in ("float16", "bfloat16"):
                output = output.float()
            value = loss(y, output, w)
            parts.append(value)
            scaled = value if factor == 1.0 else value * factor
            total = scaled if total is None else total + scaled
        return total, parts

    def track(self, total: Any, parts: Sequence[Any], count: int) -> None:
        """Take the losses of a batch into their means."""
        self.total.update_state(total.detach(), float(count))
        for tracker, part in zip(self.trackers, parts, strict=False):
            if part is not None:
                tracker.update_state(part.detach(), float(count))

    def update(self, targets: Any, outputs: Any, weights: Any) -> None:
        """Take a batch into the metrics."""
        if not self.metrics:
            return
        rows = zip(self.metrics, self.match(targets), flatten(outputs), self._weights(weights), strict=True)
        for found, y, output, w in rows:
            for metric, weighted in found:
                if y is not None:
                    metric.update_state(y, output, sample_weight=w if weighted else None)

    @property
    def all_metrics(self) -> list[Metric]:
        """The loss, the losses of the outputs, and the metrics."""
        trackers = [t for t, loss in zip(self.trackers, self.losses, strict=False) if loss is not None]
        return [self.total, *trackers, *[m for found in self.metrics for m, _ in found]]


def _sizes_of(targets: Any) -> list[Any]:
    """The sizes of targets without the batch."""
    return [None if t is None else tuple(t.shape[1:]) for t in flatten(targets)]
