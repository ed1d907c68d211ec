"""`torchvision.models.inception`: Inception v3. Read next: `onegraph/zoo/inception.py`."""

from onegraph.vision.models._build import builder, weights_of
from onegraph.zoo.inception import Inception3, InceptionOutputs

__all__ = ["Inception3", "InceptionOutputs", "Inception_V3_Weights", "inception_v3"]

Inception_V3_Weights = weights_of("Inception_V3_Weights", "inception_v3")

inception_v3 = builder("inception_v3", Inception_V3_Weights, __name__)
