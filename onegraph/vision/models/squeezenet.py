"""`torchvision.models.squeezenet`: SqueezeNet. Read next: `onegraph/zoo/squeezenet.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.squeezenet import Fire, SqueezeNet

__all__ = ["Fire", "SqueezeNet", "SqueezeNet1_0_Weights", "SqueezeNet1_1_Weights", "squeezenet1_0", "squeezenet1_1"]

SqueezeNet1_0_Weights = weights_of("SqueezeNet1_0_Weights", "squeezenet1_0")
SqueezeNet1_1_Weights = weights_of("SqueezeNet1_1_Weights", "squeezenet1_1")

squeezenet1_0 = builder("squeezenet1_0", SqueezeNet1_0_Weights, __name__)
squeezenet1_1 = builder("squeezenet1_1", SqueezeNet1_1_Weights, __name__)
