"""`torchvision.models.mobilenetv2`: MobileNetV2. Read next: `onegraph/zoo/mobilenet_v2.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.mobilenet_v2 import InvertedResidual, MobileNetV2

__all__ = ["InvertedResidual", "MobileNetV2", "MobileNet_V2_Weights", "mobilenet_v2"]

MobileNet_V2_Weights = weights_of("MobileNet_V2_Weights", "mobilenet_v2")

mobilenet_v2 = builder("mobilenet_v2", MobileNet_V2_Weights, __name__)
