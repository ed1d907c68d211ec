"""Names of classes. Read next: `_build.py`."""

from onegraph.zoo.imagenet import labels

_IMAGENET_CATEGORIES = labels()
"""The 1000 classes of ImageNet, in the order of a network's outputs."""
