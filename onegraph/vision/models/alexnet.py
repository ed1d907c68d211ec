"""`torchvision.models.alexnet`: AlexNet. Read next: `onegraph/zoo/alexnet.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.alexnet import AlexNet

__all__ = ["AlexNet", "AlexNet_Weights", "alexnet"]

AlexNet_Weights = weights_of("AlexNet_Weights", "alexnet")

alexnet = builder("alexnet", AlexNet_Weights, __name__)
