"""`torchvision.models.resnet`: residual networks. Read next: `onegraph/zoo/resnet.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.resnet import BasicBlock, Bottleneck, ResNet, conv1x1, conv3x3

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "ResNeXt50_32X4D_Weights",
    "ResNeXt101_32X8D_Weights",
    "ResNeXt101_64X4D_Weights",
    "ResNet",
    "ResNet18_Weights",
    "ResNet34_Weights",
    "ResNet50_Weights",
    "ResNet101_Weights",
    "ResNet152_Weights",
    "Wide_ResNet50_2_Weights",
    "Wide_ResNet101_2_Weights",
    "conv1x1",
    "conv3x3",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
]

ResNet18_Weights = weights_of("ResNet18_Weights", "resnet18")
ResNet34_Weights = weights_of("ResNet34_Weights", "resnet34")
ResNet50_Weights = weights_of("ResNet50_Weights", "resnet50")
ResNet101_Weights = weights_of("ResNet101_Weights", "resnet101")
ResNet152_Weights = weights_of("ResNet152_Weights", "resnet152")
ResNeXt50_32X4D_Weights = weights_of("ResNeXt50_32X4D_Weights", "resnext50_32x4d")
ResNeXt101_32X8D_Weights = weights_of("ResNeXt101_32X8D_Weights", "resnext101_32x8d")
ResNeXt101_64X4D_Weights = weights_of("ResNeXt101_64X4D_Weights", "resnext101_64x4d")
Wide_ResNet50_2_Weights = weights_of("Wide_ResNet50_2_Weights", "wide_resnet50_2")
Wide_ResNet101_2_Weights = weights_of("Wide_ResNet101_2_Weights", "wide_resnet101_2")

resnet18 = builder("resnet18", ResNet18_Weights, __name__)
resnet34 = builder("resnet34", ResNet34_Weights, __name__)
resnet50 = builder("resnet50", ResNet50_Weights, __name__)
resnet101 = builder("resnet101", ResNet101_Weights, __name__)
resnet152 = builder("resnet152", ResNet152_Weights, __name__)
resnext50_32x4d = builder("resnext50_32x4d", ResNeXt50_32X4D_Weights, __name__)
resnext101_32x8d = builder("resnext101_32x8d", ResNeXt101_32X8D_Weights, __name__)
resnext101_64x4d = builder("resnext101_64x4d", ResNeXt101_64X4D_Weights, __name__)
wide_resnet50_2 = builder("wide_resnet50_2", Wide_ResNet50_2_Weights, __name__)
wide_resnet101_2 = builder("wide_resnet101_2", Wide_ResNet101_2_Weights, __name__)
