"""`keras.layers.noise`, where Keras 1 and 2 had noise and its dropout."""

from onegraph.keras.layers.regularization import AlphaDropout, GaussianDropout, GaussianNoise

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]
