"""Models people know, by name, each built from its paper: what `onegraph train NETWORK` can train.

    from onegraph import zoo
    model = zoo.resnet50()                            # first values as in the paper
    model = zoo.resnet50(weights="IMAGENET1K_V2")     # published weights
    zoo.NETWORKS                                      # all of them
    zoo.replace_head(model, num_classes=5)            # fine-tuning: `finetune.py`

Read next: `registry.py`, which says how to add one; `README.md`, which lists the files.
"""

from onegraph.zoo.alexnet import (
    AlexNet,
    OriginalAlexNet,
    ZFNet,
    alexnet,
    alexnet_original,
    zfnet,
)
from onegraph.zoo.dcgan import Discriminator, Generator, dcgan_discriminator, dcgan_generator
from onegraph.zoo.densenet import (
    CifarDenseNet,
    DenseNet,
    densenet40,
    densenet121,
    densenet161,
    densenet169,
    densenet201,
    densenet_bc100,
    densenet_bc250,
)
from onegraph.zoo.efficientnet import (
    EfficientNet,
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
)
from onegraph.zoo.efficientnet_lite import (
    efficientnet_lite0,
    efficientnet_lite1,
    efficientnet_lite2,
    efficientnet_lite3,
    efficientnet_lite4,
)
from onegraph.zoo.efficientnet_v2 import efficientnet_v2_l, efficientnet_v2_m, efficientnet_v2_s
from onegraph.zoo.finetune import freeze, head_of, parameter_groups, replace_head, stages, unfreeze
from onegraph.zoo.googlenet import GoogLeNet, GoogLeNetOutputs, googlenet
from onegraph.zoo.gpt import GPT, gpt, gpt2
from onegraph.zoo.inception import Inception3, InceptionOutputs, inception_v3
from onegraph.zoo.keras_form import as_keras
from onegraph.zoo.language import LSTMLanguageModel, lstm
from onegraph.zoo.lenet import LeNet5, lenet5
from onegraph.zoo.mlp import MLP, mlp
from onegraph.zoo.mobilenet_v1 import MobileNetV1, mobilenet_v1
from onegraph.zoo.mobilenet_v2 import MobileNetV2, mobilenet_v2
from onegraph.zoo.mobilenet_v3 import MobileNetV3, mobilenet_v3_large, mobilenet_v3_small
from onegraph.zoo.nin import NiN, nin, nin_cifar
from onegraph.zoo.registry import NETWORKS, Network, names, network
from onegraph.zoo.resnet import (
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    resnext101_32x8d,
    resnext101_64x4d,
    wide_resnet50_2,
    wide_resnet101_2,
)
from onegraph.zoo.resnet_cifar import (
    CifarResNet,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
    resnet1202,
)
from onegraph.zoo.saving import save_weights
from onegraph.zoo.squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from onegraph.zoo.tables import layer_rows, layer_table
from onegraph.zoo.vae import VAE, vae
from onegraph.zoo.vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg11_lrn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_1x1,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)
from onegraph.zoo.weights import load_into
