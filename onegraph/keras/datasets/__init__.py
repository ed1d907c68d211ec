"""`keras.datasets`: well-known small data sets, fetched once, checked, and read without running anything.

Every `load_data` gives ((x_train, y_train), (x_test, y_test)) as NumPy arrays. Without a network the error says where to put
the file by hand. Start with `source.py`.
"""

from onegraph.keras.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]
