"""`keras.layers.embeddings`, where Keras 1 and 2 had `Embedding`."""

from onegraph.keras.layers.embedding import Embedding

__all__ = ["Embedding"]
