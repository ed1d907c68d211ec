"""`compile` and `fit`: what every model inherits.

A training step - forward, loss, backward, clipping, optimizer, constraints, metrics - is one function traced by
`onegraph.jit`, so it runs as one plan for each shape of a batch. Read next: `steps.py` (what a step does),
`evaluation.py`, `objective.py` (losses and metrics), `batches.py` (data), `callbacks/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onegraph.errors import ArgumentError, OneGraphError, TraceError, UninitializedError
from onegraph.frontend.function import jit
from onegraph.frontend.state import no_grad
from onegraph.keras import config, dtype_policies
from onegraph.keras import optimizers as optimizers_module
from onegraph.keras.batches import (
    ArrayBatches,
    class_weights,
    last_epoch,
    make_batches,
    refuse_unknown,
    to_tensor,
    validation_batches,
)
from onegraph.keras.callbacks import CallbackList, History
from onegraph.keras.evaluation import Evaluation
from onegraph.keras.interrupt import WholeSteps
from onegraph.keras.layers.symbolic import flatten, infer, input_tensor, map_structure
from onegraph.keras.metrics import Metric
from onegraph.keras.objective import Objective
from onegraph.keras.steps import Steps
from onegraph.nn.state import compute_pending


class Trainer(Steps, Evaluation):
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
        self.__dict__["_tried"] = False
        self.__dict__["_counts"] = {}

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
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
            steps_per_execution, jit_compile, auto_scale_loss: accepted; a step is always one plan, and losses are scaled
                under the policy 'mixed_float16'.

        Raises:
            ArgumentError: an unknown name; the message lists the known ones.
        """
        refuse_unknown("compile", legacy, ("class_mode", "sample_weight_mode", "theano_mode"))
        self.optimizer = optimizers_module.get(optimizer)
        scaled = isinstance(self.optimizer, optimizers_module.LossScaleOptimizer)
        if dtype_policies.dtype_policy().name == "mixed_float16" and not scaled:
            self.optimizer = optimizers_module.LossScaleOptimizer(self.optimizer)
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
        """The loss and the metrics: those of `compile`, and those that are attributes of the model."""
        found = self._objective.all_metrics if self.compiled else []
        return list(dict.fromkeys([*found, *[v for v in vars(self).values() if isinstance(v, Metric)]]))

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` gives; known once the model has seen targets."""
        return [m.name for m in self.metrics]

    def _check_compiled(self, what: str) -> None:
        if not self.compiled and not self._overrides(
            f"{'train' if what in ('fit', 'train_on_batch') else 'test'}_step"
        ):
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

    def _overrides(self, step: str) -> bool:
        """Whether the user's class defines a step of its own."""
        return getattr(type(self), step) is not getattr(Steps, step)

    def _ready_if_possible(self: Any, x: Any, y: Any) -> None:
        """Prepare a model whose steps are the user's: it may have no `call`, or one of other arguments."""
        if self._tried:
            return
        self._tried = True
        if not self.compiled:
            self.__dict__["_objective"] = Objective(None, None, None, None)
        try:
            self._ready_for(x, y, targets=y is not None)
        except (OneGraphError, NotImplementedError, TypeError, AttributeError, ValueError):
            self._output_shapes = None

    def _ready_to_train(self: Any, x: Any, y: Any) -> None:
        if self._overrides("train_step"):
            self._ready_if_possible(x, y)
            return
        self._ready_for(x, y, targets=True)
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_weights)
            if self._loaded_state is not None:
                self.optimizer.load_state_dict(self._loaded_state)
                self._loaded_state = None

    def _ready_to_test(self: Any, x: Any, y: Any) -> None:
        if self._overrides("test_step"):
            self._ready_if_possible(x, y)
        else:
            self._ready_for(x, y, targets=True)

    def _ready_to_predict(self: Any, x: Any) -> None:
        if not self._overrides("predict_step"):
            self._ready_for(x)

    def _function(self, name: str, make: Any) -> Any:
        """A step, traced once and kept."""
        if name not in self._functions:  # type: ignore[attr-defined]
            self._functions[name] = make() if self._eager else jit(make())  # type: ignore[attr-defined]
        return self._functions[name]  # type: ignore[attr-defined]

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
        validation_freq: Any = 1,
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
            validation_steps, validation_batch_size, validation_freq: the same for validation; every how many
                epochs, or the numbers of the epochs.

        Returns:
            A `History`, whose `history` lists loss and metrics of each epoch.

        Raises:
            UninitializedError: `compile` was not called.
            ShapeError: data does not fit the model; names the layer and both shapes.
        """
        self._check_compiled("fit")
        epochs = last_epoch(epochs, legacy)
        epochs = min(epochs, config.max_epochs() or epochs)
        refuse_unknown("fit", legacy)
        steps_per_epoch = steps_per_epoch or config.max_steps_per_epoch()
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
        initial_epoch = self.__dict__.pop("_initial_epoch", initial_epoch)  # a callback went on from a backup
        logs: dict[str, float] = {}
        try:
            with WholeSteps() as steps:
                for epoch in range(initial_epoch, epochs):
                    logs = self._fit_epoch(epoch, batches, class_weight, runner, steps)
                    if validation is not None and _is_due(epoch + 1, validation_freq):
                        found = self._evaluate(validation, runner)
                        logs.update({f"val_{k}": v for k, v in found.items()})
                    runner.on_epoch_end(epoch, logs)
                    if self.stop_training:
                        break
        finally:
            runner.close()
        if self.optimizer is not None and self.optimizer.built:
            self.optimizer.finalize_variable_values()
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
                self.reset_metrics()
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


def _is_due(epoch: int, frequency: Any) -> bool:
    """Whether an epoch, counted from 1, is one to validate after."""
    return epoch in frequency if isinstance(frequency, (list, tuple, set)) else epoch % int(frequency) == 0
