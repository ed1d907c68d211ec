"""`compile`, `fit`, `evaluate`, `predict`: what every model inherits.

A training step - forward, loss, backward, clipping, optimizer, constraints, metrics - is one function traced by
`onegraph.jit`, so it runs as one plan for each shape of a batch. Read next: `objective.py` (losses and metrics),
`batches.py` (data), `callbacks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError, TraceError, UninitializedError
from onegraph.frontend.function import jit
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor, realize_tensors
from onegraph.keras import optimizers as optimizers_module
from onegraph.keras.batches import (
    ArrayBatches,
    class_weights,
    last_epoch,
    make_batches,
    refuse_unknown,
    samples_in,
    single_batch,
    to_tensor,
    validation_batches,
)
from onegraph.keras.callbacks import CallbackList, History
from onegraph.keras.interrupt import WholeSteps
from onegraph.keras.layers.base import Layer, calling
from onegraph.keras.layers.encoding import is_text
from onegraph.keras.layers.symbolic import flatten, infer, input_tensor, map_structure
from onegraph.keras.objective import Objective
from onegraph.nn.state import compute_pending


class Trainer:
    """The part of a model that trains it. Mixed into `Model`."""

    built: bool
    name: str
    _objective: Any

    def _init_training(self) -> None:
        self.optimizer: Any = None
        self.stop_training = False
        self.history: Any = None
        self.__dict__["_objective"] = None
        self._eager = False
        self._loaded_state: Any = None
        self._forget_functions()

    def _forget_functions(self) -> None:
        self.__dict__["_functions"] = {}
        self.__dict__["_output_shapes"] = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        **legacy: Any,
    ) -> None:
        """Choose how to train.

        Args:
            optimizer: a name such as 'adam', or an object of `keras.optimizers`.
            loss: a name such as 'mse', a function (y_true, y_pred), or an object of `keras.losses`; with several
                outputs a list, or a dict by output name.
            metrics: a list of names such as 'accuracy', functions or objects.
            loss_weights: factors of the losses of several outputs.
            weighted_metrics: metrics that sample weights apply to.
            run_eagerly: do not trace the step, so that it can be debugged line by line.
            steps_per_execution, jit_compile: accepted; a step is always one plan.

        Raises:
            ArgumentError: an unknown name; the message lists the known ones.
        """
        refuse_unknown("compile", legacy, ("class_mode", "sample_weight_mode", "theano_mode"))
        self.optimizer = optimizers_module.get(optimizer)
        self.__dict__["_objective"] = Objective(loss, metrics, loss_weights, weighted_metrics)
        self._eager = bool(run_eagerly)
        self._forget_functions()

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self.__dict__["_objective"] is not None

    @property
    def loss(self) -> Any:
        """What was passed to `compile` as loss."""
        return self._objective.given["loss"] if self.compiled else None

    @property
    def metrics(self) -> list[Any]:
        """The loss and the metrics."""
        return self._objective.all_metrics if self.compiled else []

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` gives; known once the model has seen targets."""
        return [m.name for m in self.metrics]

    def _check_compiled(self, what: str) -> None:
        if not self.compiled:
            raise UninitializedError(
                f"{what}: model {self.name!r} has not been compiled",
                hint="call model.compile(optimizer='adam', loss='mse') first",
            )

    # ---- before the first step

    def _ready_for(self: Any, x: Any, y: Any = None, targets: bool = False) -> None:
        """Build the model for a batch, and the objective for its outputs."""
        if self._output_shapes is None:
            self._output_shapes = self._find_outputs(x)
            compute_pending([*self.parameters(), *self.buffers()])
        if targets and not self._objective.fits(y):
            self._functions.clear()  # names such as "accuracy" mean something else for targets of another shape
            self._objective.build(self.output_names, [t.shape for t in flatten(self._output_shapes)], y)

    def _find_outputs(self: Any, x: Any) -> Any:
        if self._eager:
            with no_grad():
                return self(x, training=False)
        symbols = map_structure(lambda t: input_tensor((None, *t.shape[1:]), t.dtype), x)
        try:
            self._build_for((symbols,))
            return infer(self, (symbols,), {})
        except TraceError as error:
            raise TraceError(
                f"model {self.name!r} looks at values while its step is traced: {error.message}",
                hint="compile(run_eagerly=True) runs it line by line, or use og.where and og.cond",
                location=error.location,
            ) from error

    def _ready_to_train(self: Any, x: Any, y: Any) -> None:
        self._ready_for(x, y, targets=True)
        if self.optimizer._inner is None:
            self.optimizer.build(self.trainable_weights)
            if self._loaded_state is not None:
                self.optimizer.load_state_dict(self._loaded_state)
                self._loaded_state = None

    def _function(self, name: str, make: Any) -> Any:
        """A step, traced once and kept."""
        if name not in self._functions:  # type: ignore[attr-defined]
            self._functions[name] = make() if self._eager else jit(make())  # type: ignore[attr-defined]
        return self._functions[name]  # type: ignore[attr-defined]

    # ---- steps

    def train_step(self: Any, data: tuple[Any, Any, Any]) -> dict[str, Any]:
        """One step of training, as tensors; override it to train in another way. It is traced.

        Args:
            data: x, y and sample_weight of a batch.

        Returns:
            The metrics' values by name.
        """
        x, y, weights = data
        parameters = self.trainable_weights
        for parameter in parameters:
            parameter.grad = None
        penalties: list[Any] = []
        with calling(True, penalties):
            outputs = self(x, training=True)
        total, parts = self._total_loss(y, outputs, weights, penalties)
        total.backward()
        self.optimizer.apply()
        with no_grad():
            self._keep_constraints()
            for parameter in parameters:
                parameter.grad = None
            self._objective.update(y, outputs, weights, total, parts, samples_in(x))
            return self._objective.results()  # type: ignore[no-any-return]

    def test_step(self: Any, data: tuple[Any, Any, Any]) -> dict[str, Any]:
        """One step of evaluation, as tensors. It is traced."""
        x, y, weights = data
        penalties: list[Any] = []
        with no_grad():
            with calling(False, penalties):
                outputs = self(x, training=False)
            total, parts = self._total_loss(y, outputs, weights, penalties)
            self._objective.update(y, outputs, weights, total, parts, samples_in(x))
            return self._objective.results()  # type: ignore[no-any-return]

    def predict_step(self: Any, x: Any) -> Any:
        """The outputs for a batch. It is traced."""
        with no_grad():
            return self(x, training=False)

    def _total_loss(self: Any, y: Any, outputs: Any, weights: Any, penalties: list[Any]) -> tuple[Any, list[Any]]:
        try:
            total, parts = self._objective.compute(y, outputs, weights)
        except ShapeError as error:
            if error.layer == "":
                raise
            raise ShapeError(
                f"loss of model {self.name!r}: {error.message}", hint=error.hint, location=error.location
            ) from error
        for penalty in (*self.losses, *penalties):
            total = penalty if total is None else total + penalty
        if total is None:
            raise UninitializedError(
                f"model {self.name!r} has no loss: neither compile(loss=...) nor add_loss gave one"
            )
        return total, parts

    def _keep_constraints(self: Any) -> None:
        for module in self.modules():
            if isinstance(module, Layer) and module.trainable:
                for weight, constraint in module._constrained:
                    weight._assign(constraint(weight.detach()).node)

    def _run_train_step(self: Any, batch: Any, steps: WholeSteps) -> dict[str, float]:
        function = self._function("train", lambda: lambda x, y, w: self.train_step((x, y, w)))
        with steps.step():
            self.optimizer.before_step()
            results = self._objective.run(function, batch)
            if self._eager:
                realize_tensors(list(results.values()))
            self.optimizer.after_step()
        return _numbers(results)

    def _run_test_step(self: Any, batch: Any) -> dict[str, float]:
        function = self._function("test", lambda: lambda x, y, w: self.test_step((x, y, w)))
        return _numbers(self._objective.run(function, batch))

    # ---- fit

    def fit(
        self: Any,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        **legacy: Any,
    ) -> History:
        """Train.

        Args:
            x: arrays or tensors (a list or dict of them for several inputs), a generator of (x, y), an
                `onegraph.data` loader or data set, or a `keras.utils.PyDataset`.
            y: targets, nested as the outputs; none when x gives them.
            batch_size: 32 if None.
            epochs: up to which epoch to train (Keras 1's `nb_epoch`).
            verbose: 0 for silence, 1 for a bar, 2 for a line an epoch; 'auto' is 1.
            callbacks: objects of `keras.callbacks`.
            validation_split: the last share of the samples is kept for validation.
            validation_data: (x, y), (x, y, sample_weight), a loader or a data set.
            shuffle: draw the samples in a new order each epoch, which `keras.utils.set_random_seed` decides.
            class_weight: weights of the samples by class number.
            sample_weight: weights of the samples.
            initial_epoch: where to go on.
            steps_per_epoch: batches an epoch, for generators without end.
            validation_steps, validation_batch_size, validation_freq: the same for validation; every how many epochs.

        Returns:
            A `History`, whose `history` lists loss and metrics of each epoch.

        Raises:
            UninitializedError: `compile` was not called.
            ShapeError: data does not fit the model; names the layer and both shapes.
        """
        self._check_compiled("fit")
        epochs = last_epoch(epochs, legacy)
        refuse_unknown("fit", legacy)
        batches = make_batches(x, y, sample_weight, batch_size, shuffle, steps_per_epoch)
        validation = None
        if validation_data is not None:
            validation = validation_batches(validation_data, validation_batch_size or batch_size, validation_steps)
        elif validation_split:
            if not isinstance(batches, ArrayBatches):
                raise ArgumentError("validation_split works with arrays only", hint="pass validation_data")
            batches, validation = batches.split(validation_split)
        runner = CallbackList(callbacks, self, verbose, epochs=epochs, steps=batches.steps)
        self.stop_training = False
        runner.on_train_begin()
        logs: dict[str, float] = {}
        try:
            with WholeSteps() as steps:
                for epoch in range(initial_epoch, epochs):
                    logs = self._fit_epoch(epoch, batches, class_weight, runner, steps)
                    if validation is not None and (epoch + 1) % validation_freq == 0:
                        found = self._evaluate(validation, runner)
                        logs.update({f"val_{k}": v for k, v in found.items()})
                    runner.on_epoch_end(epoch, logs)
                    if self.stop_training:
                        break
        finally:
            runner.close()
        runner.on_train_end(logs)
        return self.history  # type: ignore[no-any-return]

    def _fit_epoch(
        self: Any, epoch: int, batches: Any, class_weight: Any, runner: CallbackList, steps: WholeSteps
    ) -> dict[str, float]:
        runner.on_epoch_begin(epoch)
        logs: dict[str, float] = {}
        fresh = True
        for number, batch in enumerate(batches):
            if class_weight is not None:
                x, y, w = batch
                batch = (x, y, to_tensor(class_weights(y, class_weight, None if w is None else w.detach().numpy())))
            self._ready_to_train(batch[0], batch[1])
            if fresh:
                self._objective.reset()
                fresh = False
            runner.on_train_batch_begin(number)
            logs = self._run_train_step(batch, steps)
            runner.on_train_batch_end(number, logs)
            if self.stop_training:
                break
        if fresh:
            raise ArgumentError(
                "fit: the data gave no batches", hint="a generator that has ended cannot be used for another epoch"
            )
        return dict(logs)

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
        batches = make_batches(x, y, sample_weight, batch_size, False, steps)
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
            self._ready_for(batch[0], batch[1], targets=True)
            if number == 0:
                self._objective.reset()
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
        verbose: Any = 0,
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
        batches = make_batches(x, None, None, batch_size, False, steps)
        runner = CallbackList(callbacks, self, verbose, epochs=1, steps=batches.steps, history=False)
        found: list[Any] = []
        try:
            runner.on_predict_begin()
            for number, batch in enumerate(batches):
                runner.on_predict_batch_begin(number)
                found.append(self.predict_on_batch(batch[0]))
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
            self._objective.reset()
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
        self._ready_for(batch[0], batch[1], targets=True)
        if reset_metrics:
            self._objective.reset()
        return _answer(self._run_test_step(batch), return_dict)

    def predict_on_batch(self: Any, x: Any) -> Any:
        """The outputs for a batch, as arrays."""
        x = single_batch(x)[0]
        if any(is_text(value) for value in flatten(x)):  # looked up before the graph begins, so it is not traced
            outputs = self.predict_step(x)
        else:
            self._ready_for(x)
            outputs = self._function("predict", lambda: self.predict_step)(x)
        return map_structure(lambda t: np.array(t.detach().numpy()), outputs)

    def reset_metrics(self) -> None:
        """Start the metrics again."""
        if self.compiled:
            self._objective.reset()  # type: ignore[attr-defined]


def _numbers(results: Mapping[str, Any]) -> dict[str, float]:
    return {k: float(v.item()) if isinstance(v, Tensor) and v.shape.numel() == 1 else v for k, v in results.items()}


def _answer(results: dict[str, float], as_dict: bool) -> Any:
    values = list(results.values())
    return results if as_dict else values[0] if len(values) == 1 else values
