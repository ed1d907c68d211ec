"""`torchvision.models.densenet`: DenseNets. Read next: `onegraph/zoo/densenet.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.densenet import DenseNet

__all__ = [
    "DenseNet",
    "DenseNet121_Weights",
    "DenseNet161_Weights",
    "DenseNet169_Weights",
    "DenseNet201_Weights",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
]

DenseNet121_Weights = weights_of("DenseNet121_Weights", "densenet121")
DenseNet161_Weights = weights_of("DenseNet161_Weights", "densenet161")
DenseNet169_Weights = weights_of("DenseNet169_Weights", "densenet169")
DenseNet201_Weights = weights_of("DenseNet201_Weights", "densenet201")

densenet121 = builder("densenet121", DenseNet121_Weights, __name__)
densenet161 = builder("densenet161", DenseNet161_Weights, __name__)
densenet169 = builder("densenet169", DenseNet169_Weights, __name__)
densenet201 = builder("densenet201", DenseNet201_Weights, __name__)
