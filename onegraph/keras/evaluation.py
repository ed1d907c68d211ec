"""`evaluate`, `predict` and the methods on single batches: the part of a model beside `fit`. Read next: `steps.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.keras import config
from onegraph.keras.batches import class_weights, make_batches, pack, refuse_unknown, single_batch
from onegraph.keras.callbacks import CallbackList
from onegraph.keras.interrupt import WholeSteps
from onegraph.keras.layers.encoding import is_text
from onegraph.keras.layers.symbolic import flatten, map_structure


class Evaluation:
    """The part of a model that evaluates and predicts. Mixed into `Model`."""

    _objective: Any

    # ---- evaluate and predict

    def evaluate(
        self: Any,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **legacy: Any,
    ) -> Any:
        """Loss and metrics on data, without training.

        Args:
            x, y, batch_size, sample_weight, callbacks, verbose: as for `fit`.
            steps: how many batches to take.
            return_dict: give them by name.

        Returns:
            The loss, or a list of the loss and the metrics in the order of `metrics_names`.
        """
        self._check_compiled("evaluate")
        refuse_unknown("evaluate", legacy)
        batches = make_batches(x, y, sample_weight, batch_size, False, steps or config.max_steps_per_epoch())
        runner = CallbackList(callbacks, self, verbose, epochs=1, steps=batches.steps, history=False)
        try:
            logs = self._evaluate(batches, runner, alone=True)
        finally:
            runner.close()
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    def _evaluate(self: Any, batches: Any, runner: CallbackList, alone: bool = False) -> dict[str, float]:
        runner.on_test_begin(alone)
        logs: dict[str, float] = {}
        for number, batch in enumerate(batches):
            self._ready_to_test(batch[0], batch[1])
            if number == 0:
                self.reset_metrics()
            runner.on_test_batch_begin(number)
            logs = self._run_test_step(batch)
            runner.on_test_batch_end(number, logs)
        if not logs:
            raise ArgumentError("evaluate: the data gave no batches")
        runner.on_test_end(logs)
        return dict(logs)

    def predict(
        self: Any,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        **legacy: Any,
    ) -> Any:
        """The model's outputs for data, as arrays.

        Args:
            x: as for `fit`; targets that a loader gives along are ignored.
            batch_size: 32 if None.
            steps: how many batches to take.

        Returns:
            An array, or arrays nested as the outputs.
        """
        refuse_unknown("predict", legacy)
        batches = make_batches(x, None, None, batch_size, False, steps or config.max_steps_per_epoch())
        runner = CallbackList(callbacks, self, verbose, epochs=1, steps=batches.steps, history=False)
        found: list[Any] = []
        try:
            runner.on_predict_begin()
            for number, batch in enumerate(batches):
                runner.on_predict_batch_begin(number)
                found.append(self._predict_batch(batch))
                runner.on_predict_batch_end(number, {})
            runner.on_predict_end()
        finally:
            runner.close()
        parts = [iter(list(flatten(f))) for f in found]
        return map_structure(lambda _: np.concatenate([next(p) for p in parts]), found[0])

    # ---- single batches

    def train_on_batch(
        self: Any,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        reset_metrics: bool = True,
        return_dict: bool = False,
    ) -> Any:
        """One step of training on a batch.

        Args:
            x, y, sample_weight, class_weight: the batch.
            reset_metrics: report this batch alone, rather than all since the last reset.
            return_dict: give loss and metrics by name.

        Returns:
            The loss, or a list of the loss and the metrics.
        """
        self._check_compiled("train_on_batch")
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight, sample_weight)
        batch = single_batch(x, y, sample_weight)
        self._ready_to_train(batch[0], batch[1])
        if reset_metrics:
            self.reset_metrics()
        with WholeSteps() as steps:
            return _answer(self._run_train_step(batch, steps), return_dict)

    def test_on_batch(
        self: Any,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        reset_metrics: bool = True,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on a batch; arguments as for `train_on_batch`."""
        self._check_compiled("test_on_batch")
        batch = single_batch(x, y, sample_weight)
        self._ready_to_test(batch[0], batch[1])
        if reset_metrics:
            self.reset_metrics()
        return _answer(self._run_test_step(batch), return_dict)

    def predict_on_batch(self: Any, x: Any) -> Any:
        """The outputs for a batch, as arrays."""
        return self._predict_batch(single_batch(x))

    def _predict_batch(self: Any, batch: Any) -> Any:
        if any(is_text(value) for value in flatten(batch[0])):  # looked up before the graph begins: not traced
            outputs = self.predict_step(batch[0])
            return map_structure(lambda t: np.array(t.detach().numpy()), outputs)
        self._ready_to_predict(batch[0])
        outputs = self._function("predict", lambda: lambda x, y, w: self.predict_step(pack(x, None, None)))(*batch)
        return map_structure(lambda t: np.array(t.detach().numpy()), outputs)

    def reset_metrics(self) -> None:
        """Start the metrics again."""
        for metric in self.metrics:  # type: ignore[attr-defined]
            metric.reset_state()


def numbers_of(results: Mapping[str, Any]) -> dict[str, float]:
    return {k: float(v.item()) if isinstance(v, Tensor) and v.shape.numel() == 1 else v for k, v in results.items()}


def _answer(results: dict[str, float], as_dict: bool) -> Any:
    values = list(results.values())
    return results if as_dict else values[0] if len(values) == 1 else values
