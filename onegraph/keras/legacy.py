"""Methods that models had in Keras 1 and 2, in terms of today's. Read next: `training.py`."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from onegraph.keras.layers.symbolic import flatten


class GeneratorMethods:
    """`fit` and the others for generators: today's methods take them, too."""

    def fit_generator(
        self: Any, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, **options: Any
    ) -> Any:
        """`fit` with a generator of (x, y)."""
        for samples, steps in (("samples_per_epoch", "steps_per_epoch"), ("nb_val_samples", "validation_steps")):
            if samples in options:  # Keras 1 counted samples, and fit counts batches
                source: Any = generator if steps == "steps_per_epoch" else options.get("validation_data")
                first = next(iterator := iter(source))
                size = len(next(flatten(first)))
                count = math.ceil(options.pop(samples) / size)
                if iterator is source:  # a generator, whose first batch is put back
                    source = itertools.chain([first], iterator)
                if steps == "steps_per_epoch":
                    generator, steps_per_epoch = source, count
                else:
                    options.update(validation_data=source, validation_steps=count)
        return self.fit(generator, steps_per_epoch=steps_per_epoch, epochs=epochs, **options)

    def evaluate_generator(
        self: Any, generator: Any, steps: int | None = None, verbose: int = 0, **options: Any
    ) -> Any:
        """`evaluate` with a generator of (x, y)."""
        return self.evaluate(generator, steps=steps, verbose=verbose, **options)

    def predict_generator(self: Any, generator: Any, steps: int | None = None, **options: Any) -> Any:
        """`predict` with a generator."""
        return self.predict(generator, steps=steps, **options)


class ClassMethods:
    """What `Sequential` classifiers had."""

    def predict_proba(self: Any, x: Any, batch_size: int | None = None, verbose: int = 0) -> Any:
        """`predict`, under the name that classifiers had."""
        return self.predict(x, batch_size=batch_size, verbose=verbose)

    def predict_classes(self: Any, x: Any, batch_size: int | None = None, verbose: int = 0) -> Any:
        """The number of the most probable class; with one output, 1 where it is above a half."""
        found = np.asarray(self.predict(x, batch_size=batch_size, verbose=verbose))
        return found.argmax(-1) if found.shape[-1] > 1 else (found > 0.5).astype(np.int32)
