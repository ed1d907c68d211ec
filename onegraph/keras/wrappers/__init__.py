"""Models as estimators of scikit-learn. Read next: `scikit_learn.py`."""

from onegraph.keras.wrappers import scikit_learn
from onegraph.keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor, SKLearnClassifier, SKLearnRegressor

__all__ = ["KerasClassifier", "KerasRegressor", "SKLearnClassifier", "SKLearnRegressor", "scikit_learn"]
