"""`torchvision.models.googlenet`: GoogLeNet. Read next: `onegraph/zoo/googlenet.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.googlenet import BasicConv2d, GoogLeNet, GoogLeNetOutputs, Inception, InceptionAux

__all__ = [
    "BasicConv2d",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "GoogLeNet_Weights",
    "Inception",
    "InceptionAux",
    "googlenet",
]

GoogLeNet_Weights = weights_of("GoogLeNet_Weights", "googlenet")

googlenet = builder("googlenet", GoogLeNet_Weights, __name__)
