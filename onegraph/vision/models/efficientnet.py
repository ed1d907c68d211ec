"""`torchvision.models.efficientnet`: EfficientNets. Read next: `onegraph/zoo/efficientnet.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.efficientnet import EfficientNet, MBConv, MBConvConfig

__all__ = [
    "EfficientNet",
    "EfficientNet_B0_Weights",
    "EfficientNet_B1_Weights",
    "EfficientNet_B2_Weights",
    "EfficientNet_B3_Weights",
    "EfficientNet_B4_Weights",
    "EfficientNet_B5_Weights",
    "EfficientNet_B6_Weights",
    "EfficientNet_B7_Weights",
    "EfficientNet_V2_L_Weights",
    "EfficientNet_V2_M_Weights",
    "EfficientNet_V2_S_Weights",
    "MBConv",
    "MBConvConfig",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
]

EfficientNet_B0_Weights = weights_of("EfficientNet_B0_Weights", "efficientnet_b0")
EfficientNet_B1_Weights = weights_of("EfficientNet_B1_Weights", "efficientnet_b1")
EfficientNet_B2_Weights = weights_of("EfficientNet_B2_Weights", "efficientnet_b2")
EfficientNet_B3_Weights = weights_of("EfficientNet_B3_Weights", "efficientnet_b3")
EfficientNet_B4_Weights = weights_of("EfficientNet_B4_Weights", "efficientnet_b4")
EfficientNet_B5_Weights = weights_of("EfficientNet_B5_Weights", "efficientnet_b5")
EfficientNet_B6_Weights = weights_of("EfficientNet_B6_Weights", "efficientnet_b6")
EfficientNet_B7_Weights = weights_of("EfficientNet_B7_Weights", "efficientnet_b7")
EfficientNet_V2_S_Weights = weights_of("EfficientNet_V2_S_Weights", "efficientnet_v2_s")
EfficientNet_V2_M_Weights = weights_of("EfficientNet_V2_M_Weights", "efficientnet_v2_m")
EfficientNet_V2_L_Weights = weights_of("EfficientNet_V2_L_Weights", "efficientnet_v2_l")

efficientnet_b0 = builder("efficientnet_b0", EfficientNet_B0_Weights, __name__)
efficientnet_b1 = builder("efficientnet_b1", EfficientNet_B1_Weights, __name__)
efficientnet_b2 = builder("efficientnet_b2", EfficientNet_B2_Weights, __name__)
efficientnet_b3 = builder("efficientnet_b3", EfficientNet_B3_Weights, __name__)
efficientnet_b4 = builder("efficientnet_b4", EfficientNet_B4_Weights, __name__)
efficientnet_b5 = builder("efficientnet_b5", EfficientNet_B5_Weights, __name__)
efficientnet_b6 = builder("efficientnet_b6", EfficientNet_B6_Weights, __name__)
efficientnet_b7 = builder("efficientnet_b7", EfficientNet_B7_Weights, __name__)
efficientnet_v2_s = builder("efficientnet_v2_s", EfficientNet_V2_S_Weights, __name__)
efficientnet_v2_m = builder("efficientnet_v2_m", EfficientNet_V2_M_Weights, __name__)
efficientnet_v2_l = builder("efficientnet_v2_l", EfficientNet_V2_L_Weights, __name__)
