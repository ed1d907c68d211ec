"""The networks that are measured, each written once against a namespace that is `torch` or `onegraph`.

onegraph follows PyTorch's names, so `resnet50(torch)` and `resnet50(onegraph)` run the same lines; where a layer is
missing the model says what it uses instead. Nothing here imports either library. Read next: `residual.py`, `weights.py`.
"""

from bench.models.branches import densenet121, inception
from bench.models.mobile import mobilenet
from bench.models.plain import lenet5, vgg16
from bench.models.residual import resnet18, resnet50
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
