"""`torchvision.models.mobilenetv3`: MobileNetV3. Read next: `onegraph/zoo/mobilenet_v3.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.mobilenet_v3 import InvertedResidual, InvertedResidualConfig, MobileNetV3

__all__ = [
    "InvertedResidual",
    "InvertedResidualConfig",
    "MobileNetV3",
    "MobileNet_V3_Large_Weights",
    "MobileNet_V3_Small_Weights",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
]

MobileNet_V3_Large_Weights = weights_of("MobileNet_V3_Large_Weights", "mobilenet_v3_large")
MobileNet_V3_Small_Weights = weights_of("MobileNet_V3_Small_Weights", "mobilenet_v3_small")

mobilenet_v3_large = builder("mobilenet_v3_large", MobileNet_V3_Large_Weights, __name__)
mobilenet_v3_small = builder("mobilenet_v3_small", MobileNet_V3_Small_Weights, __name__)
