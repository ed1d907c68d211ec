"""Models with scikit-learn's methods: `fit`, `predict`, `score`, `get_params`; scikit-learn itself is not needed.

A function makes the model; its arguments are parameters that a grid search may set.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, UninitializedError
from onegraph.keras.utils import to_categorical

_FIT = ("batch_size", "epochs", "nb_epoch", "verbose", "callbacks", "validation_split", "validation_data", "shuffle",
        "class_weight", "sample_weight", "initial_epoch", "steps_per_epoch", "validation_steps", "steps")  # fmt: skip


class BaseWrapper:
    """What classifiers and regressors share.

    Args:
        build_fn: makes a compiled model (scikit-learn's way to call it: `model`).
        sk_params: arguments of build_fn, and of the model's `fit` and `predict`.
    """

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        self.build_fn, self.sk_params = build_fn or sk_params.pop("model", None), sk_params
        self.model: Any = None
        if self.build_fn is None:
            raise ArgumentError(f"{type(self).__name__}: give a function that makes a compiled model")
        self._check(sk_params)

    def _accepted(self) -> set[str]:
        return set(inspect.signature(self.build_fn).parameters) if callable(self.build_fn) else set()

    def _check(self, params: dict[str, Any]) -> None:
        accepted = self._accepted()
        for name in params:
            if name not in _FIT and name not in accepted:
                raise ArgumentError(f"{name!r} is no argument of the model's function, nor of fit or predict")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters."""
        return {**copy.copy(self.sk_params), "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> BaseWrapper:
        """Change parameters."""
        self.build_fn = params.pop("build_fn", self.build_fn)
        self._check(params)
        self.sk_params.update(params)
        return self

    def _chosen(self, method: Any, extra: dict[str, Any]) -> dict[str, Any]:
        names = set(inspect.signature(method).parameters)
        if "epochs" in names:
            names.add("nb_epoch")
        return {k: v for k, v in {**self.sk_params, **extra}.items() if k in names}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Make the model and train it; returns the history."""
        made: Any = self.build_fn
        if callable(made) and not hasattr(made, "fit"):
            made = made(**{k: v for k, v in self.sk_params.items() if k in self._accepted()})
        self.model = made
        loss = getattr(made.loss, "name", getattr(made.loss, "__name__", made.loss))
        if loss == "categorical_crossentropy" and np.ndim(y) < 2:
            y = to_categorical(y)
        return made.fit(x, y, **self._chosen(made.fit, kwargs))

    def _fitted(self) -> Any:
        if self.model is None:
            raise UninitializedError(f"{type(self).__name__}: call fit first")
        return self.model


class KerasClassifier(BaseWrapper):
    """A model as a classifier: targets are class numbers or names, or one-hot rows."""

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Make the model and train it."""
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_, y = np.unique(y.reshape(-1), return_inverse=True)
        return super().fit(x, y, **kwargs)

    def predict_proba(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The probability of each class."""
        model = self._fitted()
        found = model.predict(x, **self._chosen(model.predict, {"verbose": 0, **kwargs}))
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else found

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The most probable class."""
        return self.classes_[self.predict_proba(x, **kwargs).argmax(-1)]

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The share of samples that are classified right."""
        y = np.array(y)
        wanted = self.classes_[y.argmax(-1)] if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
        return float((self.predict(x, **kwargs) == wanted).mean())


class KerasRegressor(BaseWrapper):
    """A model as a regressor."""

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The outputs."""
        model = self._fitted()
        return np.squeeze(model.predict(x, **self._chosen(model.predict, {"verbose": 0, **kwargs})), -1)

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The negated loss: larger is better, as scikit-learn wants it."""
        model = self._fitted()
        loss = model.evaluate(x, y, **self._chosen(model.evaluate, {"verbose": 0, **kwargs}))
        return -float(loss[0] if isinstance(loss, list) else loss)


SKLearnClassifier = KerasClassifier
SKLearnRegressor = KerasRegressor
