"""`torchvision.models.vgg`: VGG. Read next: `onegraph/zoo/vgg.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.vgg import VGG

__all__ = [
    "VGG",
    "VGG11_BN_Weights",
    "VGG11_Weights",
    "VGG13_BN_Weights",
    "VGG13_Weights",
    "VGG16_BN_Weights",
    "VGG16_Weights",
    "VGG19_BN_Weights",
    "VGG19_Weights",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

VGG11_Weights = weights_of("VGG11_Weights", "vgg11")
VGG11_BN_Weights = weights_of("VGG11_BN_Weights", "vgg11_bn")
VGG13_Weights = weights_of("VGG13_Weights", "vgg13")
VGG13_BN_Weights = weights_of("VGG13_BN_Weights", "vgg13_bn")
VGG16_Weights = weights_of("VGG16_Weights", "vgg16")
VGG16_BN_Weights = weights_of("VGG16_BN_Weights", "vgg16_bn")
VGG19_Weights = weights_of("VGG19_Weights", "vgg19")
VGG19_BN_Weights = weights_of("VGG19_BN_Weights", "vgg19_bn")

vgg11 = builder("vgg11", VGG11_Weights, __name__)
vgg11_bn = builder("vgg11_bn", VGG11_BN_Weights, __name__)
vgg13 = builder("vgg13", VGG13_Weights, __name__)
vgg13_bn = builder("vgg13_bn", VGG13_BN_Weights, __name__)
vgg16 = builder("vgg16", VGG16_Weights, __name__)
vgg16_bn = builder("vgg16_bn", VGG16_BN_Weights, __name__)
vgg19 = builder("vgg19", VGG19_Weights, __name__)
vgg19_bn = builder("vgg19_bn", VGG19_BN_Weights, __name__)
