"""The networks that are measured, each made once for `torch` and once for `onegraph` from the same text.

Those for images are the zoo's (`bench/twin.py` makes PyTorch's of them); Inception v3 and networks for sequences, which are
measured in sizes that the zoo does not have, are written against a namespace that is either library. Read next: `images.py`,
`weights.py`.
"""

from bench.models.images import densenet121, lenet5, mobilenet, resnet18, resnet50, vgg16
from bench.models.inception import inception
from bench.models.sequences import gpt, lstm
from bench.models.weights import copy_arrays, first_arrays

__all__ = [
    "copy_arrays",
    "densenet121",
    "first_arrays",
    "gpt",
    "inception",
    "lenet5",
    "lstm",
    "mobilenet",
    "resnet18",
    "resnet50",
    "vgg16",
]
